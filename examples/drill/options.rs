//! What the drill can be told.

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Runs one HTTP service twice in a memory-limited container, under the same
/// load: on the bare allocator, and under Bursar.
///
/// With --best-fixed, beside caches of every size worth trying; with --web, as
/// a web instance of 512 MiB and half a core.
#[derive(Debug, Parser)]
#[command(name = "drill")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What the drill starts itself as; not for users.
#[derive(Debug, Subcommand)]
pub(crate) enum Role {
    /// Joins containers and becomes the program that follows.
    #[command(hide = true)]
    Join {
        /// Directories of the control group, one a hierarchy.
        directories: Vec<PathBuf>,
        /// What to be then: arguments for this same program.
        #[arg(last = true)]
        then: Vec<OsString>,
    },
    /// Serves thumbnails until standard input ends.
    #[command(hide = true)]
    Serve(ServeOptions),
    /// Ends at once: shows that a container can be joined.
    #[command(hide = true)]
    Nothing,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ServeOptions {
    /// Bursar's soft limit in bytes; without it Bursar is not started.
    #[arg(long)]
    pub(crate) budget: Option<u64>,
    /// Bursar's profile.
    #[arg(long, default_value = PROFILES[0])]
    pub(crate) profile: String,
    /// Entries that each cache keeps at most; without it they are unbounded.
    #[arg(long)]
    pub(crate) entries: Option<usize>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// Find the best fixed size of the caches under the limit, and show Bursar
    /// beside it
    #[arg(long, conflicts_with_all = ["web", "entries", "unlimited"])]
    best_fixed: bool,
    /// Run the best fixed size and Bursar so often in turns, and take medians
    #[arg(long, requires = "best_fixed", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) repeat: u16,
    /// Run a web instance under a steady load: Bursar within 512 MiB and half a
    /// core, for half an hour
    #[arg(long, conflicts_with_all = ["entries", "unlimited"])]
    web: bool,
    /// Show the same service with unlimited memory, too
    #[arg(long)]
    pub(crate) unlimited: bool,
    /// The container's memory limit [default: 128MiB, 64MiB with --short, 512MiB
    /// with --web]
    #[arg(long)]
    limit: Option<ByteSize>,
    /// The container's quota of processor time, in cores [default: none, 0.5
    /// with --web]
    #[arg(long, value_parser = cores)]
    cores: Option<f64>,
    /// Bursar's budget [default: the limit less a tenth and at least 8MiB, at most 400MB with --web]
    #[arg(long)]
    budget: Option<ByteSize>,
    /// Bursar's profile
    #[arg(long, default_value = PROFILES[0], value_parser = PROFILES)]
    pub(crate) profile: String,
    /// Seconds a run may last at most; with --rate, how long it lasts [default:
    /// 120, 600 with --best-fixed, 1800 with --web; 15, 60 and 60 with --short]
    #[arg(long)]
    seconds: Option<u64>,
    /// Requests of a run [default: 1200000, or 150000 with --short; with --rate,
    /// as many as are due]
    #[arg(long)]
    requests: Option<usize>,
    /// Requests a second [default: as many as can be, 2000 with --web]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Pictures that can be asked for [default: 25000, 12000 with --short, 40000
    /// with --web]
    #[arg(long)]
    pictures: Option<u64>,
    /// Connections that ask at the same time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,
    /// Where the sequence of requests begins
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the chart of memory over time is written; a dark one is written beside it
    #[arg(long, default_value = "drill.svg")]
    pub(crate) chart: PathBuf,
    /// Bound the bare run's caches to so many entries each, to see what a fixed
    /// size would have done; that run may then live
    #[arg(long, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) entries: Option<usize>,
    /// A short drill, for continuous integration
    #[arg(long)]
    short: bool,
    /// Do not use a container: watch the limit from outside
    #[arg(long)]
    pub(crate) no_container: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The bare service, then Bursar.
    Drill,
    /// Bursar beside the best fixed size there is.
    BestFixed,
    /// One long run as a web instance.
    Web,
}

/// The profiles there are; the first is the default.
const PROFILES: [&str; 3] = ["default", "dense", "function"];

/// What Bursar itself leaves of a limit for what is outside the heap (the
/// program, its stacks, the kernel's buffers for sockets) where it is given no
/// budget: a tenth, and at least 8 MiB.
fn reserve_bytes(limit_bytes: u64) -> u64 {
    (limit_bytes / 10).max(8 << 20)
}

/// The budget of a web instance, which has 512 MiB.
const WEB_BUDGET: ByteSize = ByteSize::mb(400);
/// Requests a second that half a core bears even while every one misses.
const WEB_RATE: u32 = 2_000;
/// What a steady load may lag behind at its end, in seconds.
const LAG: u64 = 30;

/// A number of cores: the kernel takes no quota below a hundredth of one.
fn cores(text: &str) -> Result<f64, String> {
    let cores = text.parse().map_err(|error| format!("{error}"))?;
    let range = 0.01..=1024.0;
    if range.contains(&cores) { Ok(cores) } else { Err("0.01 to 1024 cores".to_owned()) }
}

impl Options {
    pub(crate) fn mode(&self) -> Mode {
        match (self.best_fixed, self.web) {
            (true, _) => Mode::BestFixed,
            (_, true) => Mode::Web,
            _ => Mode::Drill,
        }
    }

    pub(crate) fn limit_bytes(&self) -> u64 {
        let default = match self.mode() {
            Mode::Web => 512,
            _ if self.short => 64,
            _ => 128,
        };
        self.limit.unwrap_or(ByteSize::mib(default)).as_u64()
    }

    pub(crate) fn budget_bytes(&self) -> u64 {
        let limit = self.limit_bytes();
        let share = limit.saturating_sub(reserve_bytes(limit));
        let default = match self.mode() {
            Mode::Web => share.min(WEB_BUDGET.as_u64()),
            _ => share,
        };
        self.budget.map_or(default, |budget| budget.as_u64())
    }

    pub(crate) fn cores(&self) -> Option<f64> {
        self.cores.or_else(|| (self.mode() == Mode::Web).then_some(0.5))
    }

    pub(crate) fn rate(&self) -> Option<u32> {
        self.rate.or_else(|| (self.mode() == Mode::Web).then_some(WEB_RATE))
    }

    fn seconds(&self) -> u64 {
        let default = match (self.mode(), self.short) {
            (Mode::Drill, false) => 120,
            (Mode::Drill, true) => 15,
            (Mode::BestFixed, false) => 600,
            (Mode::Web, false) => 1_800,
            (Mode::BestFixed | Mode::Web, true) => 60,
        };
        self.seconds.unwrap_or(default)
    }

    pub(crate) fn longest_run(&self) -> Duration {
        let lag = if self.rate().is_some() { LAG } else { 0 };
        Duration::from_secs(self.seconds() + lag)
    }

    pub(crate) fn requests(&self) -> usize {
        let due = |rate| (u64::from(rate) * self.seconds()) as usize;
        let default = match self.rate() {
            Some(rate) => due(rate),
            None if self.short => 150_000,
            None => 1_200_000,
        };
        self.requests.unwrap_or(default)
    }

    pub(crate) fn pictures(&self) -> u64 {
        let default = match (self.mode(), self.short) {
            (Mode::Web, _) => 40_000,
            (_, true) => 12_000,
            (_, false) => 25_000,
        };
        self.pictures.unwrap_or(default).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bursar::Profile;
    use clap::CommandFactory;

    fn options(line: &str) -> Options {
        Cli::parse_from(line.split_whitespace()).options
    }

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_short_drill_changes_only_what_was_not_said() {
        let options = options("drill --short --limit 96MiB");
        assert_eq!(options.limit_bytes(), 96 << 20);
        assert_eq!(options.requests(), 150_000);
        assert!(options.budget_bytes() < 96 << 20);
    }

    #[test]
    fn every_profile_that_can_be_chosen_is_one_of_bursars() {
        assert!(PROFILES.iter().all(|name| Profile::named(name).is_some()));
        assert_eq!(Profile::named(&options("drill").profile), Some(Profile::default()));
    }

    #[test]
    fn a_web_instance_has_half_a_core_half_an_hour_and_as_many_requests_as_are_due() {
        let web = options("drill --web");
        assert_eq!(web.mode(), Mode::Web);
        assert_eq!((web.limit_bytes(), web.budget_bytes()), (512 << 20, 400_000_000));
        assert_eq!((web.cores(), web.rate()), (Some(0.5), Some(2_000)));
        assert_eq!(web.requests(), 3_600_000);
        assert!(web.longest_run() > Duration::from_secs(1_800));

        let smaller = options("drill --web --limit 128MiB --rate 100 --seconds 60");
        assert!(smaller.budget_bytes() < 128 << 20);
        assert_eq!(smaller.requests(), 6_000);
    }

    #[test]
    fn a_quota_of_no_cores_is_refused() {
        assert_eq!(cores("1.5"), Ok(1.5));
        for bad in ["0", "-1", "NaN", "inf", "half"] {
            assert!(cores(bad).is_err(), "{bad}");
        }
    }
}
