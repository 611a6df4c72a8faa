//! The command `reaction`: how soon a cleanup begins, how long a large one takes, and what the
//! monitor costs while nothing happens.
//!
//! - `--rounds N`: so many reactions of each kind; 500.
//! - `--quick`: a few of each and a second of idling, to see that all runs. Its figures mean
//!   nothing.
//! - `--only ROWS`: `callback`, `trim` or `idle` alone; more than once for several.

mod callback;
mod idle;
mod quantiles;
mod trim;
mod wake;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use crate::measure::{Options, Table};

const ROUNDS: usize = 500;
const QUICK_ROUNDS: usize = 5;
/// Cleanups of 100 MB.
const TRIMS: usize = 15;
const QUICK_TRIMS: usize = 1;
/// How long nothing happens: some readings at the default interval of five seconds.
const IDLE: Duration = Duration::from_secs(60);
const QUICK_IDLE: Duration = Duration::from_secs(1);

/// What can be chosen.
const ROWS: [&str; 3] = ["callback", "trim", "idle"];

/// Measures and prints, as the arguments say.
pub fn main() -> ExitCode {
    match measure_and_print() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("reaction: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure_and_print() -> Result<(), Box<dyn Error>> {
    let options = Options::for_timing(ROUNDS)?;
    for row in options.chosen(ROWS)? {
        let table = match row {
            "callback" => {
                callback::measure(if options.quick { QUICK_ROUNDS } else { options.rounds })?
            }
            "trim" => trim::measure(if options.quick { QUICK_TRIMS } else { TRIMS })?,
            _ => idle::measure(if options.quick { QUICK_IDLE } else { IDLE })?,
        };
        println!("{table}");
    }
    Ok(())
}

/// A table with these columns.
fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    Table::new(header.into_iter().map(str::to_owned))
}
