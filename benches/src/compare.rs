//! The command `compare`: every workload on every configuration, in turns.
//!
//! - `--rounds N`: so many rounds, of which medians are shown; 15.
//! - `--quick`: one round of little work each, to see that all runs. Its figures mean nothing.
//! - `--only WORKLOAD`: that one alone; more than once for several.
//! - `--instructions PAIRS`: only counts the instructions of so many pairs, by valgrind.

mod chart;

use std::error::Error;
use std::process::ExitCode;

use self::chart::chart;
use crate::findings::{Findings, conclude};
use crate::measure::{
    Backend, Configuration, Figures, Kind, Options, Programs, Spread, Table, has_valgrind,
    instructions_of_a_pair,
};
use crate::workload::{WORKLOADS, Workload};

pub(crate) const ROUNDS: usize = 15;
/// By what `--quick` divides the operations of a run.
const QUICKER: u64 = 50;
/// Pairs whose instructions are counted: under valgrind a second's worth.
const COUNTED_PAIRS: u64 = 100_000;
/// How often they are counted: jemalloc draws lots when to look after its pages.
const COUNTED_ROUNDS: usize = 3;
/// The row of instructions, among the figures.
const INSTRUCTIONS: &str = "instructions";

/// Measures and prints, as the arguments say.
pub fn main() -> ExitCode {
    conclude("compare", Options::of_this_process(ROUNDS).and_then(|options| measure(&options)))
}

/// A table for each backend, one of what only Bursar does, and the chart.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    let workloads = options.chosen(WORKLOADS.iter().map(|workload| workload.name))?;
    let programs = Programs::up_to_date()?;
    let mut figures = Figures::default();
    if has_valgrind() {
        let pairs = options.instructions.unwrap_or(COUNTED_PAIRS);
        let rounds = if options.quick { 1 } else { COUNTED_ROUNDS };
        figures.take_turns(rounds, &[INSTRUCTIONS], |_, configuration| {
            instructions_of_a_pair(&programs, configuration.program, pairs).map(Some)
        })?;
    } else {
        eprintln!("skipped: no instructions are counted, since valgrind is not installed");
    }
    if options.instructions.is_none() {
        figures.take_turns(options.rounds, &workloads, |workload, configuration| {
            nanos(&programs, workload, configuration, options.quick)
        })?;
    }
    let mut found = Findings::of(Backend::all().iter().map(|backend| ratios(backend, &figures)));
    let accounts = times_of_accounts(&figures);
    if !accounts.is_empty() {
        found.tables.push(accounts);
    }
    found.charts.extend(chart(&Backend::all()[0], &figures));
    Ok(found)
}

/// Nanoseconds of one operation in a run of its own; `None` if the workload takes accounts and
/// the program has none.
fn nanos(
    programs: &Programs,
    workload: &str,
    configuration: &Configuration,
    is_quick: bool,
) -> Result<Option<f64>, Box<dyn Error>> {
    let workload = Workload::find(workload).ok_or("the workload is one of the list")?;
    if workload.takes_accounts() && configuration.kind != Kind::Bursar {
        return Ok(None);
    }
    let count = if is_quick { (workload.count / QUICKER).max(1) } else { workload.count };
    let arguments = ["work", workload.name, &count.to_string()];
    let nanos: f64 = programs.ask(configuration.program, &arguments)?.trim().parse()?;
    Ok(Some(nanos / count as f64))
}

/// What runs on any allocator: the time of an operation over the backend bare, and the ratio of
/// each other configuration to it.
fn ratios(backend: &'static Backend, figures: &Figures) -> Table {
    let bare = backend.bare.program;
    let header = format!("over {}", backend.title);
    let titles = backend.programs().map(|configuration| configuration.title);
    let mut table = Table::new([header.as_str()].into_iter().chain(titles).map(str::to_owned));
    if let Some(counted) = figures.spread(INSTRUCTIONS, bare) {
        let mut row = vec!["instructions of a pair".to_owned(), format!("{:.1}", counted.median)];
        row.extend(backend.counting().map(|counting| {
            let counting = figures.spread(INSTRUCTIONS, counting.program);
            or_dash(counting.map(|counting| format!("{:+.1}", counting.median - counted.median)))
        }));
        table.add(row);
    }
    for workload in &WORKLOADS {
        let Some(time) = figures.spread(workload.name, bare) else { continue };
        let mut row = vec![workload.title.to_owned(), in_words(time.median)];
        row.extend(backend.counting().map(|counting| {
            let ratios = figures.ratios(workload.name, counting.program, bare);
            or_dash(ratios.map(|ratios| ratios.to_string()))
        }));
        table.add(row);
    }
    table
}

/// What only Bursar does: the time of an operation, over each backend.
fn times_of_accounts(figures: &Figures) -> Table {
    let bursars: Vec<_> = Backend::all().iter().filter_map(Backend::bursar).collect();
    let titles = Backend::all().iter().map(|backend| format!("over {}", backend.title));
    let mut table = Table::new(std::iter::once("Bursar alone".to_owned()).chain(titles));
    for workload in WORKLOADS.iter().filter(|workload| workload.takes_accounts()) {
        let times = bursars.iter().map(|bursar| figures.spread(workload.name, bursar.program));
        let times: Vec<_> = times.collect();
        if times.iter().any(Option::is_some) {
            let cells = times.into_iter().map(|time| or_dash(time.map(spread_in_words)));
            table.add(std::iter::once(workload.title.to_owned()).chain(cells));
        }
    }
    table
}

fn or_dash(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".to_owned())
}

/// A time as `4.1 ns`, `17.0 us` or `98.2 ms`.
fn in_words(nanos: f64) -> String {
    let (unit, length) = unit_of(nanos);
    format!("{:.1} {unit}", nanos / length)
}

/// Some times in the unit of their median.
fn spread_in_words(nanos: Spread) -> String {
    let (unit, length) = unit_of(nanos.median);
    let Spread { least, median, most } = nanos;
    let scaled = Spread { least: least / length, median: median / length, most: most / length };
    format!("{scaled:.1} {unit}")
}

/// The unit in which a time has one to three digits before the point, and its nanoseconds.
fn unit_of(nanos: f64) -> (&'static str, f64) {
    match nanos {
        ..1e3 => ("ns", 1.0),
        1e3..1e6 => ("us", 1e3),
        _ => ("ms", 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_the_unit_that_suits_it() {
        assert_eq!(in_words(4.06), "4.1 ns");
        assert_eq!(in_words(999.0), "999.0 ns");
        assert_eq!(in_words(17_000.0), "17.0 us");
        assert_eq!(in_words(689_000.0), "689.0 us");
        assert_eq!(in_words(98_240_000.0), "98.2 ms");
        let spread = Spread { least: 900.0, median: 1100.0, most: 1_200_000.0 };
        assert_eq!(spread_in_words(spread), "1.1 (0.9..1200.0) us");
    }

    #[test]
    fn a_table_has_what_was_measured_and_ratios_to_the_bare_backend() {
        let mut figures = Figures::default();
        let figure = |row: &str, configuration: &Configuration| match (row, configuration.kind) {
            (INSTRUCTIONS, Kind::Bare) => Some(93.0),
            (INSTRUCTIONS, _) => Some(132.0),
            (_, Kind::Bare) => Some(10.0),
            _ => Some(12.5),
        };
        let rows = [INSTRUCTIONS, "churn"];
        figures.take_turns(3, &rows, |row, of| Ok(figure(row, of))).unwrap();
        let table = ratios(&Backend::all()[0], &figures).to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert!(lines[0].starts_with("| over jemalloc"), "{table}");
        assert!(lines[2].contains(" 93.0 |") && lines[2].contains(" +39.0 |"), "{table}");
        assert!(lines[3].contains(" 10.0 ns | 1.25 (1.25..1.25) |"), "{table}");
    }

    #[test]
    fn what_only_bursar_does_has_a_row_each_and_a_column_for_each_backend() {
        let mut figures = Figures::default();
        let time = |of: &Configuration| (of.kind == Kind::Bursar).then_some(1.5);
        figures.take_turns(2, &["scope"], |_, of| Ok(time(of))).unwrap();
        let table = times_of_accounts(&figures).to_string();
        let row = table.lines().find(|line| line.contains("tag scope")).unwrap();
        assert_eq!(row.matches("1.5 (1.5..1.5) ns").count(), Backend::all().len(), "{table}");
    }
}
