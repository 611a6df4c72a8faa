//! Keys and values whose own code calls back, panics, or both.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bursar::{Cache, PurgeOutcome, Tag};

use crate::{as_purgeable, purge};

/// Looks around in the cache, and takes things out of it, when it is dropped.
#[derive(Clone)]
struct Meddler(Cache<u64, Meddler>);

impl Drop for Meddler {
    fn drop(&mut self) {
        let _ = (self.0.stats(), self.0.contains_key(&1));
        let _ = self.0.remove(&2);
    }
}

#[test]
fn destructors_and_loaders_may_call_back_into_the_cache() {
    static TAG: Tag = Tag::new("cache/reentrant");
    let cache: Cache<u64, Meddler> = Cache::builder(&TAG).max_entries(200).build().unwrap();
    let load = |key| {
        cache.get_or_insert_with(key, || {
            let _ = cache.get(&(key + 1));
            Meddler(cache.clone())
        })
    };
    for key in 0..300 {
        drop(load(key));
    }
    drop(cache.remove(&250));
    drop(cache.insert(260, Meddler(cache.clone())));
    cache.set_max_entries(100).unwrap();
    assert!(matches!(purge(&*as_purgeable(&cache), 1000), PurgeOutcome::Freed(_)));
    cache.clear();
    assert!(cache.is_empty());
    drop(load(1));
    assert!(matches!(purge(&*as_purgeable(&cache), u64::MAX), PurgeOutcome::Freed(_)));
    assert_eq!(cache.stats().entries, 0);
}

/// Purges the cache that it is in when it is dropped.
struct Purging(Cache<u64, Arc<Purging>>);

impl Drop for Purging {
    fn drop(&mut self) {
        purge(&*as_purgeable(&self.0), u64::MAX);
    }
}

#[test]
fn a_destructor_may_purge_the_cache_in_the_middle_of_an_insertion() {
    static TAG: Tag = Tag::new("cache/purging-drop");
    let cache: Cache<u64, Arc<Purging>> = Cache::builder(&TAG).max_entries(3).build().unwrap();
    for key in 0..10 {
        cache.insert(key, Arc::new(Purging(cache.clone())));
    }
    cache.clear();
    assert_eq!((cache.len(), cache.stats().table_bytes), (0, 0));
}

/// Panics when it is dropped, if it is told to.
struct Grenade {
    panics: bool,
    _alive: Arc<()>,
}

impl Drop for Grenade {
    fn drop(&mut self) {
        assert!(!self.panics, "a destructor of the test");
    }
}

#[test]
fn destructors_that_panic_keep_no_other_entry_from_being_dropped() {
    static TAG: Tag = Tag::new("cache/grenades");
    let cache: Cache<u64, Arc<Grenade>> = Cache::new(&TAG);
    let alive = Arc::new(());
    let purgeable = as_purgeable(&cache);
    let ways: [&dyn Fn(); 3] = [
        &|| cache.clear(),
        &|| {
            purge(&*purgeable, u64::MAX);
        },
        &|| cache.set_max_entries(1).unwrap(),
    ];
    for way in ways {
        cache.set_max_entries(None).unwrap();
        for key in 0..100 {
            let grenade = Grenade { panics: key % 2 == 0, _alive: Arc::clone(&alive) };
            cache.insert(key, Arc::new(grenade));
        }
        // Each shard's destructors end the call; some calls later, all shards are done.
        let mut panics = 0;
        while catch_unwind(AssertUnwindSafe(way)).is_err() {
            panics += 1;
        }
        assert!(panics > 0);
        assert_eq!(Arc::strong_count(&alive), 1 + cache.len(), "who has left was dropped");
        let _ = catch_unwind(AssertUnwindSafe(|| cache.clear()));
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.weight_bytes, stats.table_bytes), (0, 0, 0));
    }
}

thread_local! {
    /// Calls of `Hash` and `Eq` until one panics.
    static FUSE: Cell<u32> = const { Cell::new(u32::MAX) };
}

fn burn() {
    let left = FUSE.get();
    FUSE.set(left.saturating_sub(1));
    if left == 0 {
        FUSE.set(u32::MAX);
        panic!("a key of the test");
    }
}

#[derive(Clone)]
struct Fused(u32);

impl Hash for Fused {
    fn hash<H: Hasher>(&self, state: &mut H) {
        burn();
        self.0.hash(state);
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        burn();
        self.0 == other.0
    }
}

impl Eq for Fused {}

#[test]
fn keys_that_panic_at_any_moment_leave_a_cache_that_works() {
    static TAG: Tag = Tag::new("cache/fused");
    let cache: Cache<Fused, Arc<[u8]>> = Cache::builder(&TAG).max_entries(60).build().unwrap();
    let purgeable = as_purgeable(&cache);
    let story = || {
        for key in 0..80 {
            cache.get_or_insert_with(Fused(key), || vec![0; 10].into());
        }
        cache.insert(Fused(70), vec![0; 10].into());
        cache.remove(&Fused(71));
        purge(&*purgeable, 4000);
    };
    for fuse in 0..600 {
        FUSE.set(fuse);
        let _ = catch_unwind(AssertUnwindSafe(story));
        FUSE.set(u32::MAX);
        cache.insert(Fused(1000), vec![1; 10].into());
        assert!(cache.get(&Fused(1000)).is_some());
        let stats = cache.stats();
        assert!(stats.entries <= 60 && stats.entries == cache.len(), "{stats:?}");
        assert_eq!(stats.entries, cache.snapshot().len());
        assert!(!matches!(purge(&*purgeable, u64::MAX), PurgeOutcome::Busy));
        let stats = cache.stats();
        assert_eq!((stats.entries, stats.weight_bytes, stats.table_bytes), (0, 0, 0));
    }
}
