//! An LRU cache behind a mutex, over the real allocator.
#![cfg(feature = "lru")]

mod adapter_support;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::thread;

use adapter_support::{Bytes, ENTRIES, ask, ask_too_late, held, purge, value};
use bursar::{Bounds, Entry, LruAdapter, PurgeOutcome, Tag};
use lru::LruCache;

type Shared = Arc<Mutex<LruCache<u64, Bytes>>>;

fn filled(tag: &'static Tag) -> Shared {
    let _tag = tag.enter();
    let mut cache = LruCache::unbounded();
    for key in 0..ENTRIES {
        cache.put(key, value(key));
    }
    Arc::new(Mutex::new(cache))
}

#[test]
fn half_of_a_cache_is_freed_within_the_call_the_oldest_first() {
    static TAG: Tag = Tag::new("lru/half");
    let cache = filled(&TAG);
    let entry = Entry::from(LruAdapter::new(&TAG, &cache));
    cache.lock().unwrap().promote(&0);
    let purged = purge(&entry, &TAG, held(&TAG) / 2);
    assert!((0.49..0.51).contains(&purged.share()), "{purged:?}");
    purged.assert_is_honest();
    let cache = cache.lock().unwrap();
    assert!(cache.contains(&0) && cache.contains(&(ENTRIES - 1)) && !cache.contains(&1));
}

#[test]
fn everything_of_a_cache_goes_with_its_table_and_its_capacity_stays() {
    static TAG: Tag = Tag::new("lru/everything");
    for capacity in [1, 5000, usize::MAX] {
        let cache = filled(&TAG);
        cache.lock().unwrap().resize(NonZeroUsize::new(capacity).unwrap());
        let entry = Entry::from(LruAdapter::new(&TAG, &cache));
        purge(&entry, &TAG, u64::MAX).assert_is_honest();
        // The list's two ends and the mutex, no more.
        assert!(held(&TAG) < 512, "{}", held(&TAG));
        assert_eq!(cache.lock().unwrap().cap().get(), capacity);
        assert_eq!(entry.purgeable().purgeable_bytes(), 0);
        assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Empty);
    }
}

#[test]
fn a_locked_cache_is_busy_and_one_that_is_gone_is_empty() {
    static TAG: Tag = Tag::new("lru/busy");
    let cache = filled(&TAG);
    let entry = Entry::from(LruAdapter::new(&TAG, &cache));
    let locked = cache.lock().unwrap();
    assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Busy);
    assert!(entry.purgeable().purgeable_bytes() > 0, "it is not known to be empty");
    drop(locked);
    assert_eq!(ask_too_late(&entry), PurgeOutcome::Busy);
    drop(cache);
    assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Empty);
    assert_eq!(entry.purgeable().purgeable_bytes(), 0);
}

#[test]
fn a_cache_whose_lock_is_poisoned_is_purged_all_the_same() {
    static TAG: Tag = Tag::new("lru/poisoned");
    let cache = filled(&TAG);
    let entry = Entry::from(LruAdapter::new(&TAG, &cache));
    let poisoning = Arc::clone(&cache);
    let panicked = thread::spawn(move || {
        let _locked = poisoning.lock();
        panic!("with the lock held");
    });
    assert!(panicked.join().is_err() && cache.is_poisoned());
    purge(&entry, &TAG, u64::MAX).assert_is_honest();
}

#[test]
fn destructors_may_use_the_cache() {
    static TAG: Tag = Tag::new("lru/reentrant");
    struct Meddler(Arc<Mutex<LruCache<u64, Meddler>>>);
    impl Drop for Meddler {
        fn drop(&mut self) {
            assert!(self.0.try_lock().is_ok_and(|cache| cache.len() < 1000));
        }
    }
    let cache: Arc<Mutex<LruCache<u64, Meddler>>> = Arc::new(Mutex::new(LruCache::unbounded()));
    let _tag = TAG.enter();
    for key in 0..1000 {
        let meddler = Meddler(Arc::clone(&cache));
        cache.lock().unwrap().put(key, meddler);
    }
    let entry = Entry::from(LruAdapter::new(&TAG, &cache));
    let mut bounds = Bounds::default();
    bounds.max_entries = Some(900);
    assert!(entry.purgeable().set_bounds(&bounds));
    assert!(matches!(ask(&entry, u64::MAX), PurgeOutcome::Freed(_)));
    assert!(cache.lock().unwrap().is_empty());
}

#[test]
fn its_bound_is_a_number_of_entries() {
    static TAG: Tag = Tag::new("lru/bounds");
    let cache = filled(&TAG);
    let entry = Entry::from(LruAdapter::new(&TAG, &cache));
    let set = |max_entries, max_bytes| {
        let mut bounds = Bounds::default();
        (bounds.max_entries, bounds.max_bytes) = (max_entries, max_bytes);
        entry.purgeable().set_bounds(&bounds)
    };
    assert!(set(Some(100), None) && set(None, None));
    let locked = cache.lock().unwrap();
    assert_eq!((locked.len(), locked.cap().get()), (100, 100));
    assert!(locked.contains(&(ENTRIES - 1)));
    drop(locked);
    assert!(!set(None, Some(1 << 20)) && !set(Some(0), None) && !set(Some(50), Some(1)));
    assert_eq!(cache.lock().unwrap().len(), 100);
}

#[test]
fn its_entries_are_counted_and_no_lookups() {
    static TAG: Tag = Tag::new("lru/figures");
    let cache = filled(&TAG);
    let figures = Entry::from(LruAdapter::new(&TAG, &cache)).purgeable().figures();
    assert_eq!((figures.entries, figures.hits_total), (Some(ENTRIES), None));
}
