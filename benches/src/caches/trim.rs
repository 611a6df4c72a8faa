//! How long a purge of half of a large cache takes, and what it gives back.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use bursar::{Cache, Entry, PressureLevel, PurgeOutcome, PurgeRequest, Tag, tag_usage};

use super::{Extent, Value, table};
use crate::measure::{Spread, Table, cell, dash};

static CACHE: Tag = Tag::new("trim/cache");

const ENTRIES: u64 = 100_000;
const QUICK_ENTRIES: u64 = 2_000;
const VALUE_BYTES: usize = 1 << 10;

/// One purge.
struct Trim {
    millis: f64,
    /// By which share of them the tag's live bytes fell.
    fell_percent: f64,
}

/// The table of purges: their time, and by how much the tag's bytes fell.
pub(super) fn measure(extent: Extent) -> Result<Table, Box<dyn Error>> {
    let entries = extent.of(ENTRIES, QUICK_ENTRIES);
    eprintln!("{} trims of {entries} entries", extent.rounds);
    let trims: Result<Vec<Trim>, _> = (0..extent.rounds).map(|_| trim(entries)).collect();
    let trims = trims?;
    let heading = format!("a purge of half the bytes of {entries} entries of 1 KiB");
    let mut table =
        table([heading.as_str(), "median (least..most)", "longest, or least freed", "bar"]);
    let times = Spread::of(trims.iter().map(|trim| trim.millis));
    table.add([
        "milliseconds".to_owned(),
        cell(times, 1),
        times.map_or_else(dash, |times| format!("{:.1}", times.most)),
        "< 50 ms".to_owned(),
    ]);
    let falls = Spread::of(trims.iter().map(|trim| trim.fell_percent));
    table.add([
        "the tag's live bytes fell by, %".to_owned(),
        cell(falls, 2),
        falls.map_or_else(dash, |falls| format!("{:.2}", falls.least)),
        ">= 49 %".to_owned(),
    ]);
    Ok(table)
}

/// Fills a cache, and purges half of what it holds.
fn trim(entries: u64) -> Result<Trim, Box<dyn Error>> {
    let cache: Cache<u64, Value> = Cache::new(&CACHE);
    for key in 0..entries {
        cache.get_or_insert_with(key, || Value::from(black_box([1; VALUE_BYTES])));
    }
    let entry = Entry::from(&cache);
    let before_bytes = tag_usage(&CACHE).live_bytes;
    let request = PurgeRequest::new(before_bytes / 2, PressureLevel::Critical);
    let begun = Instant::now();
    let outcome = entry.purgeable().purge(&request);
    let time = begun.elapsed();
    let after_bytes = tag_usage(&CACHE).live_bytes;
    if !matches!(outcome, PurgeOutcome::Freed(_)) {
        return Err(format!("a purge of {} bytes was {outcome:?}", request.target_bytes).into());
    }
    let fell_bytes = before_bytes.saturating_sub(after_bytes);
    Ok(Trim {
        millis: time.as_secs_f64() * 1e3,
        fell_percent: 100.0 * fell_bytes as f64 / before_bytes as f64,
    })
}
