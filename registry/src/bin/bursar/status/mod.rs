//! `bursar status`: how a service stands.

mod summary;

use std::process::ExitCode;

use bursar::{PressureLevel, Stats};
use clap::Args;
use serde_json::value::RawValue;

use crate::client::Client;
use crate::failure::{Failure, Kind, plain};
use crate::json;
use crate::options::level;
use crate::output::{Colours, print};

/// How the service stands: level, usage, budget, tags, cleanups
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// All there is: every tag, purgeable and route, what was read, and the latest cleanups
    #[arg(long)]
    verbose: bool,

    /// The statistics as the service sent them, as JSON; with --verbose, an object of stats and
    /// history
    #[arg(long)]
    json: bool,

    /// Exit with 1 from this level on: warning, critical or emergency
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    check: Option<PressureLevel>,
}

pub(crate) async fn run(client: &Client, options: &Options) -> Result<ExitCode, Failure> {
    let data = client.data("stats").await?;
    let stats: Stats = client.read("stats", &data)?;
    if options.json {
        print_json(client, options, &data).await?;
    } else if options.verbose {
        let history = client.history().await?;
        print(&plain(&summary::whole(&stats, &history)))?;
    } else {
        print(&summary::short(&stats, Colours::of_stdout()))?;
    }
    let is_unhealthy = options.check.is_some_and(|level| stats.level >= level);
    Ok(if is_unhealthy { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn print_json(client: &Client, options: &Options, stats: &RawValue) -> Result<(), Failure> {
    let json = if options.verbose {
        let history = client.data("history").await?;
        format!("{{\"stats\":{},\"history\":{}}}", stats.get(), history.get())
    } else {
        stats.get().to_owned()
    };
    let text = json::pretty(&json).ok_or_else(|| {
        let what = format!("stats of {}: the answer is nested too deeply", client.address());
        Failure::new(Kind::NotBursar, what)
    })?;
    print(&text)
}
