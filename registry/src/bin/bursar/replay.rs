//! `bursar replay`: what other settings would have done with a recorded run.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use bursar::{Budget, Config, Policy, Profile, Replay, ReplayReport, Trace};
use bytesize::ByteSize;
use clap::Args;

use crate::failure::{Failure, Kind, plain};
use crate::output::print;

/// What other settings would have done with a recorded run
///
/// Plays a trace (by `bursar watch --record`, or `Bursar::record_trace`) through the ladder, and
/// shows the run as recorded beside the run as it would have been. What is not given is as
/// recorded. Growth is taken as recorded: for a budget below the recorded one the footprint is at
/// least what is shown, for one above it at most that.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The recording
    trace: PathBuf,

    /// What the footprint is kept to, such as 400MiB
    #[arg(long, value_name = "SIZE", value_parser = budget)]
    budget: Option<u64>,

    /// When to act, and how far to go: default, function or dense
    #[arg(long, value_name = "NAME", value_parser = profile)]
    profile: Option<Profile>,

    /// How eagerly caches are purged: conservative, balanced or aggressive
    #[arg(long, value_name = "NAME", value_parser = policy)]
    policy: Option<Policy>,

    /// Draw both runs over time into this file
    #[arg(long, value_name = "FILE.svg")]
    chart: Option<PathBuf>,

    /// The report as JSON
    #[arg(long)]
    json: bool,
}

fn budget(given: &str) -> Result<u64, String> {
    let budget = Budget::try_from(given).map_err(|error| error.to_string())?;
    Ok(budget.soft_limit_bytes())
}

fn profile(given: &str) -> Result<Profile, String> {
    Profile::named(given).ok_or_else(|| "allowed is default, function or dense".to_owned())
}

fn policy(given: &str) -> Result<Policy, String> {
    [Policy::Conservative, Policy::Balanced, Policy::Aggressive]
        .into_iter()
        .find(|policy| policy.as_str() == given)
        .ok_or_else(|| "allowed is conservative, balanced or aggressive".to_owned())
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let trace = read(&options.trace)?;
    let report = Replay::new(settings(&trace, options))
        .play(&trace)
        .map_err(|error| Failure::new(Kind::Usage, error))?;
    if let Some(path) = &options.chart {
        let failed = |error: io::Error| file_failure(path, &error);
        report.save_chart(path).map_err(failed)?;
    }
    if options.json {
        let failed = |error| Failure::new(Kind::File, format!("no JSON of the report: {error}"));
        return print(&serde_json::to_string_pretty(&report).map_err(failed)?);
    }
    print(&plain(&format!("{report}\n\n{}", verdict(&report))))
}

fn read(path: &Path) -> Result<Trace, Failure> {
    let file = File::open(path).map_err(|error| file_failure(path, &error))?;
    Trace::read(BufReader::new(file)).map_err(|error| file_failure(path, &error))
}

fn file_failure(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::new(Kind::File, format!("{}: {error}", path.display()))
}

/// The recorded settings with what is given in their place.
fn settings(trace: &Trace, options: &Options) -> Config {
    let mut config = trace.config();
    if let Some(bytes) = options.budget {
        config.soft_limit_bytes = Some(bytes);
    }
    if let Some(profile) = &options.profile {
        config.profile = profile.clone();
    }
    if let Some(policy) = options.policy {
        config.profile.policy = policy;
    }
    config
}

/// What has become of the run, in a sentence or two.
fn verdict(report: &ReplayReport) -> String {
    let (recorded, replayed) = (&report.recorded, &report.replayed);
    let settings = match (ByteSize(replayed.soft_limit_bytes), ByteSize(recorded.soft_limit_bytes))
    {
        (budget, before) if budget == before => "With these settings".to_owned(),
        (budget, before) => format!("With {budget} in place of {before}"),
    };
    let mut text = format!(
        "{settings}, the footprint would have reached {} ({} as recorded), with {} \
         cleanups ({}).",
        ByteSize(replayed.peak_footprint_bytes),
        ByteSize(recorded.peak_footprint_bytes),
        replayed.cleanups_total,
        recorded.cleanups_total,
    );
    match replayed.first_above_limit {
        Some(at) => {
            let at = at.as_secs_f64();
            text += &format!("\nAbove the container's limit first at {at:.1} s: likely killed.");
        }
        None if report.limit_bytes.is_some() => text += "\nNever above the container's limit.",
        None => {}
    }
    text
}
