//! What the soak can be told.

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// Runs the drill's service under Bursar for hours in a memory-limited container:
/// its load changes, its limit goes up and down, and threads, tags and purgeables
/// come and go inside it.
///
/// Ctrl-C ends it early, with the verdict of what was run.
#[derive(Debug, Parser)]
#[command(name = "soak")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) role: Option<Role>,
    #[command(flatten)]
    pub(crate) options: Options,
}

/// What the soak starts itself as; not for users.
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
    /// Serves thumbnails, and churns, until standard input ends.
    #[command(hide = true)]
    Serve(ServeOptions),
    /// Ends at once: shows that a container can be joined.
    #[command(hide = true)]
    Nothing,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ServeOptions {
    /// Bursar's soft limit in bytes; without it, it follows the container's limit.
    #[arg(long)]
    pub(crate) budget: Option<u64>,
    /// Where the churn begins.
    #[arg(long)]
    pub(crate) seed: u64,
    /// The share of a core that the churn takes.
    #[arg(long)]
    pub(crate) share: f64,
    /// Bytes that the churn holds at most.
    #[arg(long)]
    pub(crate) held: u64,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// How long it lasts, in seconds [default: 7200, 20 with --short]
    #[arg(long, value_parser = clap::value_parser!(u32).range(8..))]
    seconds: Option<u32>,
    /// A short soak, for continuous integration
    #[arg(long)]
    short: bool,
    /// About the share of a core that server, churn and load take together
    #[arg(long, default_value_t = 0.4, value_parser = share)]
    pub(crate) share: f64,
    /// The container's memory limit to begin with; it goes a quarter up and down
    /// from there [default: 128MiB, 64MiB with --short]
    #[arg(long)]
    limit: Option<ByteSize>,
    /// Pictures that can be asked for [default: 20000, 8000 with --short]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pictures: Option<u64>,
    /// Where load, limits and churn begin
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where each second's figures are written
    #[arg(long, default_value = "soak.csv")]
    pub(crate) csv: PathBuf,
    /// Where the chart is written; a dark one is written beside it
    #[arg(long, default_value = "soak.svg")]
    pub(crate) chart: PathBuf,
    /// Do not use a container: the budget alone holds, and no limit changes
    #[arg(long)]
    pub(crate) no_container: bool,
}

/// A share of one core: below a hundredth nothing would come of it.
fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().map_err(|error| format!("{error}"))?;
    let range = 0.01..=64.0;
    if range.contains(&share) { Ok(share) } else { Err("0.01 to 64 cores".to_owned()) }
}

impl Options {
    pub(crate) fn seconds(&self) -> u32 {
        self.seconds.unwrap_or(if self.short { 20 } else { 7_200 })
    }

    pub(crate) fn limit_bytes(&self) -> u64 {
        let default = ByteSize::mib(if self.short { 64 } else { 128 });
        self.limit.unwrap_or(default).as_u64()
    }

    pub(crate) fn pictures(&self) -> u64 {
        self.pictures.unwrap_or(if self.short { 8_000 } else { 20_000 })
    }

    /// Between two comparisons of the churn, in seconds.
    pub(crate) fn compare_every(&self) -> u32 {
        if self.seconds() < 600 { 5 } else { 60 }
    }

    /// Where the dark chart is written: `soak.svg` has `soak-dark.svg` beside it.
    pub(crate) fn dark_chart(&self) -> PathBuf {
        let stem = self.chart.file_stem().unwrap_or_default().to_string_lossy();
        let extension = self.chart.extension().unwrap_or("svg".as_ref()).to_string_lossy();
        self.chart.with_file_name(format!("{stem}-dark.{extension}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use std::path::Path;

    fn options(line: &str) -> Options {
        Cli::parse_from(line.split_whitespace()).options
    }

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_short_soak_changes_only_what_was_not_said() {
        let options = options("soak --short --limit 96MiB");
        assert_eq!((options.seconds(), options.limit_bytes()), (20, 96 << 20));
    }

    #[test]
    fn a_soak_takes_two_hours_and_compares_every_minute() {
        let options = options("soak --chart out/soak.svg");
        assert_eq!((options.seconds(), options.compare_every()), (7_200, 60));
        assert_eq!(options.dark_chart(), Path::new("out/soak-dark.svg"));
    }

    #[test]
    fn a_share_of_no_core_is_refused() {
        assert_eq!(share("0.4"), Ok(0.4));
        for bad in ["0", "-1", "NaN", "inf", "half"] {
            assert!(share(bad).is_err(), "{bad}");
        }
    }
}
