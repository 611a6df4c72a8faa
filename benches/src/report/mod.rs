//! The command `report`: every figure that the README shows, and its charts.
//!
//! - `--rounds N`: so many rounds, of which medians are shown; else as many as each part takes.
//! - `--quick`: one round of little work each, to see that all runs. Its figures mean nothing.
//! - `--only PART`: that one alone; more than once for several.
//! - `--output DIRECTORY`: where charts are written; `docs/charts`.
//! - `--bursar PATH`: the program that `service` times; built if cargo started this.
//!
//! Tables and what shows the charts go to standard output, in Markdown. Each part is measured in
//! a process of its own, in which no other part has left tags, threads or memory.

mod children;
mod part;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::part::{PARTS, Part};
use crate::findings::Findings;
use crate::measure::Options;

/// From where cargo is run.
const OUTPUT: &str = "docs/charts";

/// Measures, prints and draws, as the arguments say.
pub fn main() -> ExitCode {
    match measure_and_show() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_and_show() -> Result<(), Box<dyn Error>> {
    // Each part has rounds of its own.
    let options = Options::for_report(1)?;
    match chosen(&options)?[..] {
        [part] => show(part),
        ref parts => show_each(parts),
    }
}

/// One after the other, each in a process of its own. What fails does not keep the others from
/// being shown.
fn show_each(parts: &[&Part]) -> Result<(), Box<dyn Error>> {
    let mut failed = Vec::new();
    for part in parts {
        if !children::show(part)? {
            failed.push(part.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// The parts to be shown: those that were named, or all that are due.
fn chosen(options: &Options) -> Result<Vec<&'static Part>, Box<dyn Error>> {
    let names = options.chosen(PARTS.iter().map(|part| part.name))?;
    let is_due = |part: &&Part| !options.only.is_empty() || part.is_due(options.quick);
    Ok(PARTS.iter().filter(|part| names.contains(&part.name)).filter(is_due).collect())
}

/// Measures a part in this process.
fn show(part: &Part) -> Result<(), Box<dyn Error>> {
    let mut options = Options::for_report(part.rounds)?;
    options.only.clear();
    let output = options.output.take().unwrap_or_else(|| PathBuf::from(OUTPUT));
    println!("## {}\n", part.title);
    println!("By `{}`:\n", part.command());
    let found =
        (part.measure)(&options, &output).map_err(|error| format!("{}: {error}", part.name))?;
    show_findings(&found, &output)
}

fn show_findings(found: &Findings, output: &Path) -> Result<(), Box<dyn Error>> {
    found.print();
    for chart in &found.charts {
        chart.write(output)?;
        println!("{}", chart.markdown(output));
    }
    Ok(())
}
