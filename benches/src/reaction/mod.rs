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

use crate::findings::{Findings, conclude};
use crate::measure::{Options, Table};

pub(crate) const ROUNDS: usize = 500;
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
    conclude("reaction", Options::for_timing(ROUNDS).and_then(|options| measure(&options)))
}

/// The tables of the rows that are chosen, and the chart of callbacks.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    let mut found = Findings::default();
    for row in options.chosen(ROWS)? {
        let tables = &mut found.tables;
        match row {
            "callback" => {
                let rounds = if options.quick { QUICK_ROUNDS } else { options.rounds };
                found.extend(callback::measure(rounds)?);
            }
            "trim" => tables.push(trim::measure(if options.quick { QUICK_TRIMS } else { TRIMS })?),
            _ => tables.push(idle::measure(if options.quick { QUICK_IDLE } else { IDLE })?),
        }
    }
    Ok(found)
}

/// A table with these columns.
fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    Table::new(header.into_iter().map(str::to_owned))
}
