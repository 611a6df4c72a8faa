//! What the drill can be told.

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// Runs one HTTP service twice in a memory-limited container, under the same
/// load: on the bare allocator, and under Bursar.
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
    /// Entries that each cache keeps at most; without it they are unbounded.
    #[arg(long)]
    pub(crate) entries: Option<usize>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// The container's memory limit [default: 128MiB, or 64MiB with --short]
    #[arg(long)]
    limit: Option<ByteSize>,
    /// Bursar's budget [default: 88 % of the limit]
    #[arg(long)]
    budget: Option<ByteSize>,
    /// Seconds a run may last at most [default: 120, or 15 with --short]
    #[arg(long)]
    seconds: Option<u64>,
    /// Requests of a run [default: 1200000, or 150000 with --short]
    #[arg(long)]
    requests: Option<usize>,
    /// Pictures that can be asked for [default: 25000, or 12000 with --short]
    #[arg(long)]
    pictures: Option<u64>,
    /// Connections that ask at the same time
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,
    /// Where the sequence of requests begins
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the chart of memory over time is written
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

/// Share of the limit that is Bursar's budget; the rest is for what is outside
/// the heap: the program itself, its stacks, the kernel's buffers for sockets.
const BUDGET_PERCENT: u64 = 88;

impl Options {
    pub(crate) fn limit_bytes(&self) -> u64 {
        let default = if self.short { 64 } else { 128 };
        self.limit.unwrap_or(ByteSize::mib(default)).as_u64()
    }

    pub(crate) fn budget_bytes(&self) -> u64 {
        let default = self.limit_bytes() / 100 * BUDGET_PERCENT;
        self.budget.map_or(default, |budget| budget.as_u64())
    }

    pub(crate) fn longest_run(&self) -> Duration {
        let default = if self.short { 15 } else { 120 };
        Duration::from_secs(self.seconds.unwrap_or(default))
    }

    pub(crate) fn requests(&self) -> usize {
        let default = if self.short { 150_000 } else { 1_200_000 };
        self.requests.unwrap_or(default)
    }

    pub(crate) fn pictures(&self) -> u64 {
        let default = if self.short { 12_000 } else { 25_000 };
        self.pictures.unwrap_or(default).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_short_drill_changes_only_what_was_not_said() {
        let cli = Cli::parse_from(["drill", "--short", "--limit", "96MiB"]);
        assert_eq!(cli.options.limit_bytes(), 96 << 20);
        assert_eq!(cli.options.requests(), 150_000);
        assert!(cli.options.budget_bytes() < 96 << 20);
    }
}
