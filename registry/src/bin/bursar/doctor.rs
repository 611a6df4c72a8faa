//! `bursar doctor`: what is to be said of a service's memory, and what to do about it.

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::time::Duration;

use bursar::{Advice, AdviceCode, Checkup, PressureLevel, Severity, examine};
use clap::Args;

use crate::client::Client;
use crate::failure::{Failure, Kind, plain};
use crate::output::{Colours, complain, print};

/// What is wrong with a service's memory, by which figures, and what to do
///
/// Reads the service twice, some seconds apart, and what it has kept of its run: what leaks slowly
/// is found there, once the service has run for six minutes or more. Exits with 1 if a finding is
/// critical.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many seconds lie between the two readings. They show what grows so fast that it would
    /// fill the budget within minutes, from 10 on, and how often cleanups are made; with less than
    /// 10 what the service has kept of its run shows most of it too
    #[arg(
        long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    seconds: u64,

    /// The findings as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(client: &Client, options: &Options) -> Result<ExitCode, Failure> {
    let earlier = client.stats().await?;
    if io::stderr().is_terminal() {
        complain(&format!("the second reading is in {} s ...", options.seconds));
    }
    tokio::time::sleep(Duration::from_secs(options.seconds)).await;
    let (stats, history) = (client.stats().await?, client.history().await?);
    let mut checkup = Checkup::new(stats).with_earlier(earlier).with_history(history);
    let mut advice = examine(&checkup);
    // Names take the service some time to look up, and are asked for only if they are to be shown.
    if advice.iter().any(|advice| advice.code == AdviceCode::LeakingSite)
        && let Ok(profile) = client.profile(None).await
    {
        checkup = checkup.with_heap_profile(&profile);
        advice = examine(&checkup);
    }
    if options.json {
        let failed = |error| Failure::new(Kind::File, format!("no JSON of the findings: {error}"));
        print(&serde_json::to_string_pretty(&advice).map_err(failed)?)?;
    } else {
        print(&text(&advice, Colours::of_stdout()))?;
    }
    let is_critical = advice.iter().any(|advice| advice.severity == Severity::Critical);
    Ok(if is_critical { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A paragraph for each finding, with its first word in the colour of its severity.
fn text(advice: &[Advice], colours: Colours) -> String {
    if advice.is_empty() {
        return "Nothing was found that needs attention.".to_owned();
    }
    let paragraph = |advice: &Advice| {
        let text = plain(&advice.to_string());
        let level = match advice.severity {
            Severity::Critical => PressureLevel::Critical,
            Severity::Warning => PressureLevel::Warning,
            _ => PressureLevel::Normal,
        };
        match text.split_once(':') {
            Some((head, rest)) => format!("{}:{rest}", colours.paint(level, head)),
            None => text,
        }
    };
    advice.iter().map(paragraph).collect::<Vec<_>>().join("\n\n")
}
