//! What comes back to the system when a cache is dropped beside live blocks of the same sizes.
#![cfg(target_os = "linux")]

use std::hint::black_box;

use bursar_alloc::{Collect, Tag, collect, tag_usage};

use crate::child;

static SHARED: Tag = Tag::new("memory/shared");
static OWN: Tag = Tag::new("memory/own").isolated();
static REST: Tag = Tag::new("memory/rest");

const MIB: u64 = 1 << 20;
const CACHE_BYTES: u64 = 60 * MIB;

/// So many bytes of entries of a cache, of 200 B to 2 KB, and a tenth as many of somebody else's
/// beside them.
fn fill(cache: &'static Tag) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut entries, mut rest) = (Vec::new(), Vec::new());
    for index in 0.. {
        let entry = black_box(cache.scope(|| vec![7u8; 200 + index * 7919 % 1800]));
        entries.push(entry);
        if index % 10 == 0 {
            rest.push(black_box(REST.scope(|| vec![7u8; 200 + index * 104_729 % 1800])));
        }
        if tag_usage(cache).live_bytes >= CACHE_BYTES {
            break;
        }
    }
    (entries, rest)
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    1024 * resident.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap()
}

#[test]
fn an_isolated_cache_that_is_dropped_gives_its_pages_back() {
    const NAME: &str = "memory::an_isolated_cache_that_is_dropped_gives_its_pages_back";
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    let (entries, _rest) = fill(&OWN);
    let before = resident_bytes();
    drop(entries);
    OWN.collect(Collect::Purge);
    let after = resident_bytes();
    assert!(after <= before - CACHE_BYTES, "{before} before, {after} after");
}

#[test]
fn an_isolated_cache_that_loses_its_oldest_half_gives_that_half_back() {
    const NAME: &str = "memory::an_isolated_cache_that_loses_its_oldest_half_gives_that_half_back";
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    let (mut entries, _rest) = fill(&OWN);
    let before = resident_bytes();
    let half = entries.len() / 2;
    entries.drain(..half).for_each(drop);
    OWN.collect(Collect::Purge);
    let after = resident_bytes();
    assert!(after <= before - CACHE_BYTES * 9 / 20, "{before} before, {after} after");
}

/// What isolation is for: without it, the same stays.
#[test]
fn a_shared_cache_that_is_dropped_leaves_most_pages_with_the_rest() {
    const NAME: &str = "memory::a_shared_cache_that_is_dropped_leaves_most_pages_with_the_rest";
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    let (entries, _rest) = fill(&SHARED);
    let before = resident_bytes();
    drop(entries);
    collect(Collect::Purge);
    let after = resident_bytes();
    assert!(after > before - CACHE_BYTES * 3 / 4, "{before} before, {after} after");
}
