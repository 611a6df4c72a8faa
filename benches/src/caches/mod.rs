//! The command `caches`: what [`Cache`](bursar::Cache) costs beside what it is made of, and how
//! often it has what it is asked for beside other caches.
//!
//! - `--rounds N`: so many rounds, of which medians are shown; 15. Hit rates are the same but for
//!   how keys fall to shards, and take 3 at most.
//! - `--quick`: one round of little work each, to see that all runs. Its figures mean nothing.
//! - `--only ROW`: `get`, `insert`, `trim` or `hit_rate` alone; more than once for several.

mod get;
mod hit_rate;
mod insert;
mod sharded_lru;
mod trim;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use crate::findings::{Findings, conclude};
use crate::measure::{Options, Table};

pub(crate) const ROUNDS: usize = 15;

/// What can be chosen.
const ROWS: [&str; 4] = ["get", "insert", "trim", "hit_rate"];

/// What all the caches hold: cheap to clone.
type Value = Arc<[u8]>;

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
    conclude("caches", Options::for_timing(ROUNDS).and_then(|options| measure(&options)))
}

/// The tables of the rows that are chosen, and the chart of hit rates.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    if !bursar::is_installed() {
        return Err("entries are weighed by the accounting allocator, which is not there".into());
    }
    let extent = Extent { rounds: options.rounds, is_quick: options.quick };
    let mut found = Findings::default();
    for row in options.chosen(ROWS)? {
        match row {
            "get" => found.tables.push(get::measure(extent)?),
            "insert" => found.tables.push(insert::measure(extent)?),
            "trim" => found.tables.push(trim::measure(extent)?),
            _ => found.extend(hit_rate::measure(extent)?),
        }
    }
    Ok(found)
}

/// A table with these columns.
fn table<'a>(header: impl IntoIterator<Item = &'a str>) -> Table {
    Table::new(header.into_iter().map(str::to_owned))
}
