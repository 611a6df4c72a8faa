//! How often caches have what they are asked for: at as many entries, and at as many bytes.

mod contestant;
mod play;
mod search;
mod summary;
mod trace;

use std::error::Error;

use self::contestant::{Contestant, OURS, PLAIN_LRU, bounded_by_bytes, bounded_by_entries};
use self::play::{Played, play};
use self::search::nearest_capacity;
use self::summary::Summary;
use self::trace::{KINDS, Trace};
use super::{Extent, table};
use crate::findings::Findings;
use crate::measure::{Spread, Table, cell, compared, dash, in_turns};

const TRACE: trace::Extent = trace::Extent { keys: 100_000, requests: 1_000_000 };
const QUICK_TRACE: trace::Extent = trace::Extent { keys: 2_000, requests: 10_000 };
/// Shares of the keys that fit, in percent.
const CAPACITIES_PERCENT: [u64; 2] = [2, 10];
/// That of them which the summary is of.
const SUMMARY_PERCENT: u64 = 10;
/// Keys fall to shards as each cache's hasher has it; nothing else differs from round to round.
const MOST_ROUNDS: usize = 3;

/// A cache and its capacity.
type Entrant = (Contestant, usize);

/// The table at equal entries, the one at equal bytes, and the summary of that.
pub(super) fn measure(extent: Extent) -> Result<Findings, Box<dyn Error>> {
    let rounds = extent.rounds.min(MOST_ROUNDS);
    let size = extent.of(TRACE, QUICK_TRACE);
    let mut by_entries = table(header("at equal entries").into_iter().chain(["bar"]));
    let mut by_bytes = table(header("at equal bytes"));
    let mut summary = Summary::default();
    for kind in &KINDS {
        let trace = Trace::of(kind, size)?;
        for percent in CAPACITIES_PERCENT {
            let max_entries = (size.keys * percent / 100) as usize;
            let what = format!("{}, {percent} %", kind.title);
            eprintln!("{what} of {} keys: at equal entries", size.keys);
            let entrants = at_equal_entries(max_entries);
            let played = take_turns(rounds, &entrants, &trace)?;
            add_rows(&mut by_entries, &what, &entrants, &played, Some("within 1.00"));
            let target_bytes = median_bytes(&played[0])?;
            eprintln!("{what} of {} keys: at {target_bytes} bytes", size.keys);
            let entrants = at_equal_bytes(target_bytes, max_entries, &trace)?;
            let played = take_turns(rounds, &entrants, &trace)?;
            add_rows(&mut by_bytes, &what, &entrants, &played, None);
            if percent == SUMMARY_PERCENT {
                summary.add(kind.title, &entrants, &played);
            }
        }
    }
    let mut found = Findings::of([by_entries, by_bytes]);
    found.extend(summary.findings(SUMMARY_PERCENT));
    Ok(found)
}

fn header(what: &str) -> [&str; 7] {
    [what, "cache", "capacity", "real kB", "bytes an entry", "hit rate, %", "less the lru's"]
}

fn at_equal_entries(max_entries: usize) -> Vec<Entrant> {
    bounded_by_entries().into_iter().map(|contestant| (contestant, max_entries)).collect()
}

/// The plain one as it was, and the others at the capacity at which their real bytes are nearest
/// to its.
fn at_equal_bytes(
    target_bytes: u64,
    max_entries: usize,
    trace: &Trace,
) -> Result<Vec<Entrant>, Box<dyn Error>> {
    let mut entrants = Vec::new();
    for contestant in bounded_by_entries() {
        let bytes_at = |capacity| play(contestant, capacity, trace).map(|played| played.live_bytes);
        let capacity = match contestant.title {
            PLAIN_LRU => max_entries,
            _ => nearest_capacity(target_bytes, max_entries, bytes_at)?,
        };
        entrants.push((contestant, capacity));
    }
    entrants.push((bounded_by_bytes(), target_bytes as usize));
    Ok(entrants)
}

/// What each entrant did, one play a round.
fn take_turns(
    rounds: usize,
    entrants: &[Entrant],
    trace: &Trace,
) -> Result<Vec<Vec<Played>>, Box<dyn Error>> {
    in_turns(rounds, entrants.len(), |number| {
        let (contestant, capacity) = entrants[number];
        play(contestant, capacity, trace)
    })
}

fn median_bytes(played: &[Played]) -> Result<u64, Box<dyn Error>> {
    let bytes = Spread::of(played.iter().map(|played| played.live_bytes as f64));
    Ok(bytes.ok_or("there is a round at least")?.median as u64)
}

/// A row for each entrant, the first of which is what the others are compared with. A bar
/// is for ours.
fn add_rows(
    table: &mut Table,
    what: &str,
    entrants: &[Entrant],
    played: &[Vec<Played>],
    bar: Option<&str>,
) {
    for ((contestant, capacity), rounds) in entrants.iter().zip(played) {
        let of = |figure: fn(&Played) -> f64| Spread::of(rounds.iter().map(figure));
        let points = |one: &Played, lru: &Played| one.hit_percent() - lru.hit_percent();
        let is_plain = contestant.title == PLAIN_LRU;
        let row = [
            what.to_owned(),
            contestant.title.to_owned(),
            capacity.to_string(),
            of(|played| played.live_bytes as f64 / 1e3)
                .map_or_else(dash, |kilobytes| format!("{:.0}", kilobytes.median)),
            of(Played::bytes_an_entry).map_or_else(dash, |bytes| format!("{:.0}", bytes.median)),
            cell(of(Played::hit_percent), 2),
            if is_plain { dash() } else { cell(compared(rounds, &played[0], points), 2) },
        ];
        let is_ours = contestant.title == OURS;
        let bar = bar.map(|bar| if is_ours { bar.to_owned() } else { dash() });
        table.add(row.into_iter().chain(bar));
    }
}
