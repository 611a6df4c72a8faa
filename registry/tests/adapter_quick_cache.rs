//! quick_cache over the real allocator.
#![cfg(feature = "quick_cache")]

mod adapter_support;

use std::sync::Arc;
use std::time::Duration;

use adapter_support::{Bytes, ENTRIES, ask, ask_too_late, held, purge, value};
use bursar::{Bounds, Budget, Bursar, Entry, Profile, PurgeOutcome, QuickCacheAdapter, Tag};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

fn filled(tag: &'static Tag) -> Arc<Cache<u64, Bytes>> {
    let _tag = tag.enter();
    let cache = Arc::new(Cache::new(10_000));
    (0..ENTRIES).for_each(|key| cache.insert(key, value(key)));
    cache
}

#[test]
fn half_of_a_cache_is_freed_within_the_call_and_claimed_as_it_is_measured() {
    static TAG: Tag = Tag::new("quick_cache/half");
    let cache = filled(&TAG);
    let entry = Entry::from(QuickCacheAdapter::new(&TAG, &cache));
    let purged = purge(&entry, &TAG, held(&TAG) / 2);
    assert!((0.48..0.55).contains(&purged.share()), "{purged:?}");
    purged.assert_is_honest();
}

#[test]
fn everything_of_a_cache_goes_but_its_tables() {
    static TAG: Tag = Tag::new("quick_cache/everything");
    let cache = filled(&TAG);
    let entry = Entry::from(QuickCacheAdapter::new(&TAG, &cache));
    let purged = purge(&entry, &TAG, u64::MAX);
    purged.assert_is_honest();
    // Its slots.
    assert!(held(&TAG) < 80 * ENTRIES && purged.share() > 0.92, "{purged:?}");
    assert!(cache.is_empty());
    assert_eq!(entry.purgeable().purgeable_bytes(), 0);
    assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Empty);
}

#[test]
fn the_capacity_stays_low_until_pressure_has_passed_and_is_whole_then() {
    static TAG: Tag = Tag::new("quick_cache/capacity");
    let cache = filled(&TAG);
    let entry = Entry::from(QuickCacheAdapter::new(&TAG, &cache));
    let whole = cache.capacity();
    purge(&entry, &TAG, held(&TAG) / 2);
    let lowered = cache.capacity();
    assert!(lowered < ENTRIES * 6 / 10, "{lowered}");
    TAG.scope(|| (0..ENTRIES).for_each(|key| cache.insert(key, value(key))));
    assert!(cache.weight() <= lowered, "it does not grow straight back");

    // However often it is asked, room for a sixteenth of what it held stays.
    for _ in 0..3 {
        purge(&entry, &TAG, u64::MAX);
        let least = ENTRIES / 16;
        assert!((least..least + 64).contains(&cache.capacity()), "{}", cache.capacity());
        TAG.scope(|| (0..ENTRIES).for_each(|key| cache.insert(key, value(key))));
    }
    entry.purgeable().pressure_passed();
    assert_eq!(cache.capacity(), whole);
    TAG.scope(|| (0..ENTRIES).for_each(|key| cache.insert(key, value(key))));
    assert!((0..ENTRIES).filter(|key| cache.get(key).is_some()).count() as u64 > ENTRIES * 9 / 10);
}

#[test]
fn a_capacity_that_someone_else_sets_meanwhile_stays() {
    static TAG: Tag = Tag::new("quick_cache/meanwhile");
    let cache = filled(&TAG);
    let entry = Entry::from(QuickCacheAdapter::new(&TAG, &cache));
    purge(&entry, &TAG, held(&TAG) / 2);
    cache.set_capacity(3200);
    entry.purgeable().pressure_passed();
    assert_eq!(cache.capacity(), 3200);
    purge(&entry, &TAG, u64::MAX);
    entry.purgeable().pressure_passed();
    assert_eq!(cache.capacity(), 3200);
}

#[test]
fn its_bound_is_its_capacity_in_what_it_weighs_by() {
    static TAG: Tag = Tag::new("quick_cache/bounds");
    #[derive(Clone)]
    struct Len;
    impl Weighter<u64, Bytes> for Len {
        fn weight(&self, _: &u64, value: &Bytes) -> u64 {
            value.len() as u64
        }
    }
    let set = |entry: &Entry, max_entries, max_bytes| {
        let mut bounds = Bounds::default();
        (bounds.max_entries, bounds.max_bytes) = (max_entries, max_bytes);
        entry.purgeable().set_bounds(&bounds)
    };
    let by_entries = filled(&TAG);
    let entry = Entry::from(QuickCacheAdapter::new(&TAG, &by_entries));
    assert!(set(&entry, Some(640), None) && set(&entry, None, None));
    assert_eq!(by_entries.capacity(), 640);
    assert!(!set(&entry, None, Some(1 << 20)) && !set(&entry, Some(0), None));

    let by_bytes = Arc::new(Cache::with_weighter(1000, 1 << 20, Len));
    let adapter = QuickCacheAdapter::new(&TAG, &by_bytes).weighted_in_bytes();
    let entry = Entry::from(adapter);
    assert!(set(&entry, None, Some(2 << 20)) && !set(&entry, Some(10), None));
    assert_eq!(by_bytes.capacity(), 2 << 20);
    TAG.scope(|| (0..1000).for_each(|key| by_bytes.insert(key, value(key))));
    assert_eq!(entry.purgeable().purgeable_bytes(), by_bytes.weight());
    let purged = purge(&entry, &TAG, 500 << 10);
    assert!((450 << 10..600 << 10).contains(&purged.lost), "{purged:?}");
    purged.assert_is_honest();
}

#[test]
fn a_cache_that_has_no_time_is_busy_and_one_that_is_gone_is_empty() {
    static TAG: Tag = Tag::new("quick_cache/gone");
    let cache = filled(&TAG);
    let entry = Entry::from(QuickCacheAdapter::new(&TAG, &cache));
    assert_eq!(ask_too_late(&entry), PurgeOutcome::Busy);
    drop(cache);
    // What a `Weak` points at.
    assert!(held(&TAG) < 100, "the adapter does not keep it");
    assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Empty);
}

/// With next to no wait after a futile cleanup.
fn start(budget_bytes: u64) -> Bursar {
    let mut profile = Profile::default();
    profile.cooldown = Duration::from_millis(1);
    let budget = Budget::new(budget_bytes).unwrap().with_profile(profile).unwrap();
    Bursar::builder().budget(budget).start().unwrap()
}

#[test]
fn a_growing_cache_is_kept_within_the_budget() {
    static TAG: Tag = Tag::new("quick_cache/growing");
    let cache: Arc<Cache<u64, Bytes>> = TAG.scope(|| Arc::new(Cache::new(1 << 20)));
    let bursar = start(32 << 20);
    let _registration = bursar.register(QuickCacheAdapter::new(&TAG, &cache)).unwrap();
    let mut most_bytes = 0;
    for key in 0.. {
        TAG.scope(|| cache.insert(key, value(key)));
        most_bytes = most_bytes.max(held(&TAG));
        if key % 64 == 0 && key > 200_000 && bursar.stats().cleanups_total >= 1 {
            break;
        }
    }
    assert!(most_bytes < 40 << 20, "{most_bytes} of more than 200 MB that went in");
}

#[test]
fn its_entries_are_counted_and_no_lookups() {
    static TAG: Tag = Tag::new("quick_cache/figures");
    let cache = filled(&TAG);
    let figures = Entry::from(QuickCacheAdapter::new(&TAG, &cache)).purgeable().figures();
    assert_eq!((figures.entries, figures.hits_total), (Some(ENTRIES), None));
}
