//! foyer's in-memory cache over the real allocator.
#![cfg(feature = "foyer")]

mod adapter_support;

use adapter_support::{Bytes, ENTRIES, ask, ask_too_late, held, purge, value};
use bursar::{Bounds, Entry, FoyerAdapter, PurgeOutcome, Tag};
use foyer_memory::{Cache, CacheBuilder};

fn filled(tag: &'static Tag) -> Cache<u64, Bytes> {
    let _tag = tag.enter();
    let cache = CacheBuilder::new(10_000).build();
    for key in 0..ENTRIES {
        cache.insert(key, value(key));
    }
    cache
}

#[test]
fn half_of_a_cache_is_freed_within_the_call_and_claimed_as_it_is_measured() {
    static TAG: Tag = Tag::new("foyer/half");
    let cache = filled(&TAG);
    let entry = Entry::from(FoyerAdapter::new(&TAG, &cache));
    let purged = purge(&entry, &TAG, held(&TAG) / 2);
    assert!((0.49..0.55).contains(&purged.share()), "{purged:?}");
    purged.assert_is_honest();
    // Evenly: of any part of the keys, about half.
    let left = (0..ENTRIES / 4).filter(|key| cache.contains(key)).count() as u64;
    assert!((ENTRIES / 10..ENTRIES * 3 / 20).contains(&left), "{left}");
}

#[test]
fn everything_of_a_cache_goes_but_its_tables() {
    static TAG: Tag = Tag::new("foyer/everything");
    let cache = filled(&TAG);
    let entry = Entry::from(FoyerAdapter::new(&TAG, &cache));
    let purged = purge(&entry, &TAG, u64::MAX);
    purged.assert_is_honest();
    assert!(held(&TAG) < 24 * ENTRIES && purged.share() > 0.98, "{purged:?}");
    assert_eq!(entry.purgeable().purgeable_bytes(), 0);
    assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Empty);
}

#[test]
fn what_someone_holds_is_not_claimed() {
    static TAG: Tag = Tag::new("foyer/held");
    let cache = filled(&TAG);
    let entry = Entry::from(FoyerAdapter::new(&TAG, &cache));
    let taken: Vec<_> = (0..ENTRIES / 2).filter_map(|key| cache.get(&key)).collect();
    assert_eq!(taken.len() as u64, ENTRIES / 2);
    let purged = purge(&entry, &TAG, u64::MAX);
    assert!(purged.claimed <= purged.lost && purged.share() < 0.55, "{purged:?}");
    drop(taken);
    assert!(held(&TAG) < 100 << 10, "it goes when he lets it go");
}

#[test]
fn a_cache_that_has_no_time_is_busy_and_its_bound_is_its_capacity() {
    static TAG: Tag = Tag::new("foyer/bounds");
    let cache = filled(&TAG);
    let entry = Entry::from(FoyerAdapter::new(&TAG, &cache));
    assert_eq!(ask_too_late(&entry), PurgeOutcome::Busy);
    assert_eq!(cache.entries() as u64, ENTRIES);
    let set = |max_entries, max_bytes| {
        let mut bounds = Bounds::default();
        (bounds.max_entries, bounds.max_bytes) = (max_entries, max_bytes);
        entry.purgeable().set_bounds(&bounds)
    };
    assert!(set(Some(800), None) && set(None, None));
    assert!((700..=800).contains(&cache.entries()), "{}", cache.entries());
    assert!(!set(None, Some(1 << 20)) && !set(Some(0), None));
}

#[test]
fn its_entries_are_counted_and_no_lookups() {
    static TAG: Tag = Tag::new("foyer/figures");
    let cache = filled(&TAG);
    let figures = Entry::from(FoyerAdapter::new(&TAG, &cache)).purgeable().figures();
    assert_eq!((figures.entries, figures.hits_total), (Some(ENTRIES), None));
}
