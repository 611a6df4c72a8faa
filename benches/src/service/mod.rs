//! The command `service`: what [`MemoryLayer`](bursar::MemoryLayer) adds to a request, how soon
//! metrics and statistics are answered, and how long `bursar status` takes.
//!
//! - `--rounds N`: so many rounds, of which medians are shown; 15.
//! - `--quick`: one round of little work each, to see that all runs. Its figures mean nothing.
//! - `--only ROW`: `layer`, `endpoints` or `status` alone; more than once for several.
//! - `--bursar PATH`: the program that `status` times, as
//!   `cargo build --release -p bursar --features cli --bin bursar` makes it.

mod endpoints;
mod layer;
mod scene;
mod status;
mod tags;

use std::error::Error;
use std::process::ExitCode;

use crate::findings::{Findings, conclude};
use crate::measure::{Options, Table};

pub(crate) const ROUNDS: usize = 15;

/// What can be chosen. The layer first: the others have more tags in use.
const ROWS: [&str; 3] = ["layer", "endpoints", "status"];

/// How much is measured of a row.
#[derive(Debug, Clone, Copy)]
struct Extent {
    rounds: usize,
    /// One look whether it works.
    is_quick: bool,
}

impl Extent {
    /// `full`, or `quick` if it is only to be seen that all runs.
    fn of<T>(self, full: T, quick: T) -> T {
        if self.is_quick { quick } else { full }
    }
}

/// Measures and prints, as the arguments say.
pub fn main() -> ExitCode {
    conclude("service", Options::for_service(ROUNDS).and_then(|options| measure(&options)))
}

/// The tables of the rows that are chosen.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    let extent = Extent { rounds: options.rounds, is_quick: options.quick };
    let mut found = Findings::default();
    for row in options.chosen(ROWS)? {
        found.tables.push(match row {
            "layer" => layer::measure(extent)?,
            "endpoints" => endpoints::measure(extent)?,
            _ => status::measure(extent, options.bursar.as_deref())?,
        });
    }
    Ok(found)
}

/// A table with these columns.
fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    Table::new(header.into_iter().map(str::to_owned))
}
