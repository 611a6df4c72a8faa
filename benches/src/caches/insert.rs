//! Nanoseconds of an insertion that pushes another entry out, weighed and not.

use std::error::Error;
use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use bursar::{Cache, Tag};

use super::sharded_lru::ShardedLru;
use super::{Extent, Value, table};
use crate::measure::{Spread, Table, cell, compared, dash, in_turns};

static PLAIN: Tag = Tag::new("insert/plain");
static WEIGHED: Tag = Tag::new("insert/weighed");
static LRU: Tag = Tag::new("insert/lru");

const MAX_ENTRIES: NonZeroUsize = NonZeroUsize::new(10_000).expect("it is above zero");
/// What fills every shard, however the keys fall.
const FILLING: u64 = 4 * MAX_ENTRIES.get() as u64;
const VALUE_BYTES: usize = 100;
/// What a round inserts.
const INSERTS: u64 = 300_000;
const QUICK_INSERTS: u64 = 3_000;

/// A way to insert a value, and the cache that it goes into.
struct Contestant<'a> {
    title: &'static str,
    tag: &'static Tag,
    insert: Box<dyn Fn(u64, u64) + 'a>,
    entries: Box<dyn Fn() -> usize + 'a>,
}

/// The table of insertions, and by what each takes longer than the one it builds upon.
pub(super) fn measure(extent: Extent) -> Result<Table, Box<dyn Error>> {
    let inserts = extent.of(INSERTS, QUICK_INSERTS);
    let lru = LRU.scope(|| ShardedLru::bounded(MAX_ENTRIES));
    let (plain, weighed) = (bounded(&PLAIN)?, bounded(&WEIGHED)?);
    let contestants = [of_lru(&lru), of_insert(&plain), of_weighed_insert(&weighed)];
    for contestant in &contestants {
        contestant.tag.scope(|| (contestant.insert)(0, FILLING));
    }
    eprintln!("{} rounds of insertions", extent.rounds);
    let mut next_key = FILLING;
    let nanos = in_turns(extent.rounds, contestants.len(), |number| {
        next_key += inserts;
        nanos_of_an_insert(&contestants[number], next_key - inserts, inserts)
    })?;
    let mut table = table([
        "an insert of 100 bytes that evicts one",
        "ns",
        "more than the lru",
        "more than insert",
        "bar",
    ]);
    for (number, contestant) in contestants.iter().enumerate() {
        let more_than = |other: usize| match number > other {
            true => cell(compared(&nanos[number], &nanos[other], |one, other| one - other), 1),
            false => dash(),
        };
        table.add([
            contestant.title.to_owned(),
            cell(Spread::of(nanos[number].iter().copied()), 1),
            more_than(0),
            more_than(1),
            if number == 2 { "<= 60 ns more".to_owned() } else { dash() },
        ]);
    }
    Ok(table)
}

fn bounded(tag: &'static Tag) -> Result<Cache<u64, Value>, bursar::Error> {
    Cache::builder(tag).max_entries(MAX_ENTRIES.get()).build()
}

fn value() -> Value {
    Value::from(black_box([0; VALUE_BYTES]))
}

/// What the others are compared with, over the same allocator.
fn of_lru(lru: &ShardedLru) -> Contestant<'_> {
    Contestant {
        title: "sharded lru",
        tag: &LRU,
        insert: Box::new(|first, inserts| {
            (first..first + inserts).for_each(|key| lru.insert(key, value()));
        }),
        entries: Box::new(|| lru.len()),
    }
}

/// A value that is made before it is handed in: nothing is weighed.
fn of_insert(cache: &Cache<u64, Value>) -> Contestant<'_> {
    Contestant {
        title: "Cache::insert",
        tag: &PLAIN,
        insert: Box::new(|first, inserts| {
            (first..first + inserts).for_each(|key| drop(cache.insert(key, value())));
        }),
        entries: Box::new(|| cache.stats().entries),
    }
}

/// A value that is made by the cache and weighed.
fn of_weighed_insert(cache: &Cache<u64, Value>) -> Contestant<'_> {
    Contestant {
        title: "Cache::insert_with",
        tag: &WEIGHED,
        insert: Box::new(|first, inserts| {
            for key in first..first + inserts {
                drop(cache.insert_with(key, value));
            }
        }),
        entries: Box::new(|| cache.stats().entries),
    }
}

/// Of a full cache, which is as full afterwards.
fn nanos_of_an_insert(
    contestant: &Contestant<'_>,
    first: u64,
    inserts: u64,
) -> Result<f64, Box<dyn Error>> {
    let before = (contestant.entries)();
    let time = contestant.tag.scope(|| {
        let begun = Instant::now();
        (contestant.insert)(first, inserts);
        begun.elapsed()
    });
    let after = (contestant.entries)();
    if before != after || after < MAX_ENTRIES.get() {
        return Err(format!("{} went from {before} to {after} entries", contestant.title).into());
    }
    Ok(time.as_secs_f64() * 1e9 / inserts as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_is_not_full_is_an_error_and_no_quick_insert() {
        let lru = ShardedLru::bounded(MAX_ENTRIES);
        let contestant = of_lru(&lru);
        let error = nanos_of_an_insert(&contestant, 0, 100).unwrap_err().to_string();
        assert!(error.contains("from 0 to 100 entries"), "{error}");
        (contestant.insert)(0, FILLING);
        assert!(nanos_of_an_insert(&contestant, FILLING, 100).unwrap() > 0.0);
    }
}
