//! The command `memory`: what every configuration needs of the system's memory for each byte
//! that was asked of it. Linux alone tells the peak that this needs.
//!
//! - `--rounds N`: so many rounds, of which medians are shown; 3.
//! - `--quick`: one round. Figures of memory are much the same in every run.
//! - `--only LOAD`: that one alone; more than once for several.

use std::error::Error;
use std::process::ExitCode;

use crate::chart::{Bar, Bars, Chart, Drawing, Group, series_of};
use crate::findings::{Findings, conclude};
use crate::footprint::{Footprint, LOADS, Load};
use crate::measure::{Backend, Figures, Options, Programs, Table};

pub(crate) const ROUNDS: usize = 3;

/// Measures and prints, as the arguments say.
pub fn main() -> ExitCode {
    conclude("memory", Options::of_this_process(ROUNDS).and_then(|options| measure(&options)))
}

/// A table for each backend, and the chart.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    if !cfg!(target_os = "linux") {
        return Err("a process's peak of resident bytes is read as Linux tells it".into());
    }
    if options.instructions.is_some() {
        return Err("instructions are counted by compare".into());
    }
    let loads = options.chosen(LOADS.iter().map(|load| load.name))?;
    let programs = Programs::up_to_date()?;
    let mut figures = Figures::default();
    figures.take_turns(options.rounds, &loads, |load, configuration| {
        let footprint = programs.ask(configuration.program, &["memory", load])?;
        Ok(Some(footprint.parse::<Footprint>()?.ratio()))
    })?;
    let mut found = Findings::of(Backend::all().iter().map(|backend| ratios(backend, &figures)));
    found.charts.extend(chart(&Backend::all()[0], &figures));
    Ok(found)
}

/// Peak resident bytes over requested bytes, and behind it how that compares with the backend
/// bare.
fn ratios(backend: &'static Backend, figures: &Figures) -> Table {
    let bare = backend.bare.program;
    let header = format!("over {}", backend.title);
    let titles = backend.programs().map(|configuration| configuration.title);
    let mut table = Table::new([header.as_str()].into_iter().chain(titles).map(str::to_owned));
    for load in &LOADS {
        let Some(needed) = figures.spread(load.name, bare) else { continue };
        let mut row = vec![load.title.to_owned(), format!("{:.3}", needed.median)];
        row.extend(backend.counting().map(|counting| {
            let needed = figures.spread(load.name, counting.program);
            let ratios = figures.ratios(load.name, counting.program, bare);
            let cell = needed
                .zip(ratios)
                .map(|(needed, ratios)| format!("{:.3} ({:.3}x)", needed.median, ratios.median));
            cell.unwrap_or_else(|| "-".to_owned())
        }));
        table.add(row);
    }
    table
}

/// Bars for each load that was held.
fn chart(backend: &'static Backend, figures: &Figures) -> Option<Chart> {
    let programs: Vec<_> = backend.programs().collect();
    let bars = |load: &Load| {
        let needed = programs.iter().map(|program| figures.spread(load.name, program.program));
        let bars = needed.enumerate();
        bars.filter_map(|(number, needed)| Some(Bar::of(number, needed?))).collect::<Vec<_>>()
    };
    let groups = LOADS.iter().map(|load| Group { title: load.title.to_owned(), bars: bars(load) });
    let groups: Vec<_> = groups.filter(|group| !group.bars.is_empty()).collect();
    (!groups.is_empty()).then(|| Chart {
        name: "memory",
        title: format!("Resident bytes for each byte asked for, over {}", backend.title),
        drawing: Drawing::Bars(Bars {
            axis: "resident bytes / requested bytes, less is better".to_owned(),
            decimals: 2,
            series: series_of(&programs),
            groups,
            mark: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Kind;

    #[test]
    fn a_cell_tells_bytes_needed_for_a_byte_and_the_ratio_to_the_bare_backend() {
        let mut figures = Figures::default();
        figures
            .take_turns(3, &["powers"], |_, of| {
                Ok(Some(if of.kind == Kind::Bare { 1.06 } else { 1.219 }))
            })
            .unwrap();
        let table = ratios(&Backend::all()[0], &figures).to_string();
        assert!(table.contains("| 1.060 | 1.219 (1.150x) |"), "{table}");

        let chart = chart(&Backend::all()[0], &figures).unwrap();
        let Drawing::Bars(bars) = chart.drawing else { panic!("they are bars") };
        // What was not held has no group.
        assert_eq!(bars.groups.len(), 1);
        assert_eq!(bars.groups[0].bars.len(), Backend::all()[0].programs().count());
    }
}
