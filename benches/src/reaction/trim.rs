//! How long a cleanup takes that trims 100 MB from a cache.

use std::error::Error;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use bursar::{Bursar, Cache, CleanupReport, Profile, Tag};

use super::quantiles::{COLUMNS, Quantiles};
use super::table;
use crate::measure::Table;

static CACHE: Tag = Tag::new("trimmed");
static FILLER: Tag = Tag::new("filler");

const VALUE_BYTES: usize = 4 << 10;
/// What the cache holds before each trim.
const CACHE_BYTES: usize = 150_000_000;
/// What each trim is to free at least.
const LEAST_FREED_BYTES: u64 = 100_000_000;
const BUDGET_BYTES: u64 = 400_000_000;
/// Takes usage from 38 % of the budget to 73 %. None of it is ever written to: no memory is used.
const FILLER_BYTES: usize = 140_000_000;
/// The share of those 73 % that is asked for: 100 MB and some more.
const TARGET: f64 = 0.36;
/// A cleanup that has not ended by then did not begin.
const PATIENCE: Duration = Duration::from_secs(10);

/// The table of trims: their own word for how long they took, and what they freed.
pub(super) fn measure(trims: usize) -> Result<Table, Box<dyn Error>> {
    let mut profile = Profile::default();
    // The next level begins where no figure of this reaches.
    profile.targets = [TARGET, TARGET, 0.5];
    profile.max_share = 1.0;
    // The whole of it is measured, however long it takes.
    profile.callback_deadline = PATIENCE;
    let bursar = Bursar::builder().budget(BUDGET_BYTES).profile(profile).start()?;
    let cache: Cache<u64, Vec<u8>> = Cache::new(&CACHE);
    let _registration = bursar.register(&cache)?;
    eprintln!("{trims} trims of a cache of {} MB", CACHE_BYTES / 1_000_000);
    let mut times = Vec::new();
    let mut least_freed = u64::MAX;
    for trim in 0..trims {
        fill(&cache, trim);
        let report = trimmed(&bursar)?;
        if report.freed_bytes < LEAST_FREED_BYTES {
            return Err(format!("a trim freed too little to be measured: {report}").into());
        }
        least_freed = least_freed.min(report.freed_bytes);
        times.push(report.elapsed);
    }
    let mut table = table(["a trim, by its report"].into_iter().chain(COLUMNS));
    let name = format!(
        "{} MB or more in values of 4 KiB, of {} MB",
        least_freed / 1_000_000,
        CACHE_BYTES / 1_000_000
    );
    table.add([name].into_iter().chain(Quantiles::of(times).cells()));
    Ok(table)
}

/// Fills the cache up again, with values that are written to, and keys of its own each time.
fn fill(cache: &Cache<u64, Vec<u8>>, trim: usize) {
    let values = (CACHE_BYTES / VALUE_BYTES) as u64;
    let first = trim as u64 * values;
    for key in first..first + values {
        if cache.stats().weight_bytes >= CACHE_BYTES as u64 {
            return;
        }
        cache.get_or_insert_with(key, || vec![1u8; black_box(VALUE_BYTES)]);
    }
}

/// Has a trim made, and waits for its report.
fn trimmed(bursar: &Bursar) -> Result<CleanupReport, Box<dyn Error>> {
    let before = bursar.stats().cleanups_total;
    let filler: Vec<u8> = FILLER.scope(|| black_box(Vec::with_capacity(FILLER_BYTES)));
    let begun = Instant::now();
    let report = loop {
        thread::sleep(Duration::from_millis(5));
        let stats = bursar.stats();
        match stats.last_cleanup {
            Some(report) if stats.cleanups_total > before => break report,
            _ if begun.elapsed() > PATIENCE => {
                return Err(format!("no cleanup at all:\n{}", bursar.stats()).into());
            }
            _ => {}
        }
    };
    drop(filler);
    Ok(report)
}
