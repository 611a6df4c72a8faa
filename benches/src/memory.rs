//! The command `memory`: what every configuration needs of the system's memory for each byte
//! that was asked of it. Linux alone tells the peak that this needs.
//!
//! - `--rounds N`: so many rounds, of which medians are shown; 3.
//! - `--quick`: one round. Figures of memory are much the same in every run.
//! - `--only LOAD`: that one alone; more than once for several.

use std::error::Error;
use std::process::ExitCode;

use crate::footprint::{Footprint, LOADS};
use crate::measure::{Backend, Figures, Options, Programs, Table};

const ROUNDS: usize = 3;

/// Measures and prints, as the arguments say.
pub fn main() -> ExitCode {
    match measure_and_print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("memory: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_and_print() -> Result<(), Box<dyn Error>> {
    if !cfg!(target_os = "linux") {
        return Err("a process's peak of resident bytes is read as Linux tells it".into());
    }
    let options = Options::of_this_process(ROUNDS)?;
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
    for backend in Backend::all() {
        println!("{}", ratios(backend, &figures));
    }
    Ok(())
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
    }
}
