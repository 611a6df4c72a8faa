//! The weak cache over the real allocator.

mod model;

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::Instant;

use bursar::{
    AccountingAllocator, Bounds, Entry, Error, PressureLevel, PurgeOutcome, PurgeRequest,
    Purgeable, Registry, System, Tag, WeakCache, tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

type Value = [u8; 1000];

/// What the monitor's thread calls.
fn as_purgeable<K, V>(cache: &WeakCache<K, V>) -> Arc<dyn Purgeable>
where
    K: Hash + Eq + Send + 'static,
    V: Send + Sync + 'static,
{
    Arc::clone(Entry::from(cache).purgeable())
}

fn purge(purgeable: &dyn Purgeable, target_bytes: u64) -> PurgeOutcome {
    purgeable.purge(&PurgeRequest::new(target_bytes, PressureLevel::Warning))
}

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

/// Has entries for `keys` whose values are gone.
fn leave_dead(cache: &WeakCache<u64, Value>, keys: std::ops::Range<u64>) {
    let held: Vec<_> = keys.map(|key| cache.get_or_insert_with(key, || [0; 1000])).collect();
    drop(held);
}

#[test]
fn a_value_is_found_for_as_long_as_somebody_holds_it() {
    static TAG: Tag = Tag::new("weak-cache/basics");
    let cache: WeakCache<String, u32> = WeakCache::new(&TAG);
    assert!(cache.get("a").is_none());
    let held = cache.get_or_insert_with("a".to_owned(), || 1);
    let again = cache.get_or_insert_with("a".to_owned(), || unreachable!());
    assert!(Arc::ptr_eq(&held, &again));
    drop((held, again));
    assert!(cache.get("a").is_none());
    let stats = cache.stats();
    assert_eq!((stats.hits_total, stats.misses_total), (1, 3));
    assert_eq!((stats.dead_total, stats.entries), (1, 0));
    assert!((stats.hit_ratio() - 0.25).abs() < 1e-9);
}

#[test]
fn a_value_made_elsewhere_is_put_in_taken_out_and_listed() {
    static TAG: Tag = Tag::new("weak-cache/by-hand");
    let cache: WeakCache<&str, u32> = WeakCache::builder(&TAG).max_entries(10).build().unwrap();
    let (one, two) = (Arc::new(1), Arc::new(2));
    cache.insert("a", &one);
    cache.insert("a", &two);
    cache.insert("b", &one);
    drop(cache.get_or_insert_with("gone", || 3));
    assert_eq!(cache.snapshot(), [("b", Arc::clone(&one)), ("a", Arc::clone(&two))]);
    assert_eq!(cache.remove("a"), Some(two));
    assert_eq!(cache.remove("a"), None);
    assert_eq!(cache.remove("gone"), None);
    cache.clear();
    assert!(cache.is_empty());
    let stats = cache.stats();
    assert_eq!((stats.inserted_total, stats.removed_total), (3, 3));
    assert_eq!(*one, 1, "values stay with those who hold them");
}

#[test]
fn a_build_that_fails_or_panics_leaves_nothing_behind() {
    static TAG: Tag = Tag::new("weak-cache/failing");
    let cache: WeakCache<u64, Value> = WeakCache::new(&TAG);
    let empty = tag_usage(&TAG).live_bytes;
    assert_eq!(cache.try_get_or_insert_with(1, || Err("no luck")), Err("no luck"));
    // Without the panic hook, which may allocate.
    assert!(panics(|| cache.get_or_insert_with(1, || resume_unwind(Box::new("nor here")))));
    assert_eq!((cache.len(), tag_usage(&TAG).live_bytes), (0, empty));
    assert!(cache.try_get_or_insert_with(1, || Ok::<_, ()>([0; 1000])).is_ok());
}

#[test]
fn of_two_that_miss_at_once_the_first_to_finish_is_put_in_and_both_get_it() {
    static TAG: Tag = Tag::new("weak-cache/race");
    let cache: WeakCache<u64, u64> = WeakCache::new(&TAG);
    let builds = AtomicU64::new(0);
    let both_build = Barrier::new(2);
    let look_up = || {
        cache.get_or_insert_with(7, || {
            both_build.wait();
            builds.fetch_add(1, Ordering::Relaxed)
        })
    };
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(look_up);
        let other = look_up();
        (one.join().unwrap(), other)
    });
    assert_eq!(builds.into_inner(), 2);
    assert!(Arc::ptr_eq(&one, &other));
    assert!(Arc::ptr_eq(&one, &cache.get(&7).unwrap()));
}

#[test]
fn a_purge_gives_back_the_shells_of_dead_values_and_the_table_but_keeps_live_entries() {
    static TAG: Tag = Tag::new("weak-cache/purge");
    let cache: WeakCache<u64, Value> = WeakCache::new(&TAG);
    let empty = tag_usage(&TAG).live_bytes;
    let live = cache.get_or_insert_with(5000, || [0; 1000]);
    leave_dead(&cache, 0..1000);
    let purgeable = as_purgeable(&cache);
    let before = tag_usage(&TAG).live_bytes;
    let promised = purgeable.purgeable_bytes();
    let PurgeOutcome::Freed(claimed) = purge(&*purgeable, u64::MAX) else {
        panic!("there was something to free")
    };
    let freed = before - tag_usage(&TAG).live_bytes;
    assert_eq!(claimed, freed);
    assert!(freed >= 1000 * 1000, "{freed}");
    assert!(promised.abs_diff(freed) <= freed / 10, "promised {promised}, freed {freed}");
    assert!(Arc::ptr_eq(&live, &cache.get(&5000).unwrap()));
    assert_eq!((cache.len(), cache.stats().swept_total), (1, 1000));
    assert_eq!(purge(&*purgeable, u64::MAX), PurgeOutcome::Empty);

    drop(live);
    assert_eq!(cache.sweep(), 1);
    assert_eq!(tag_usage(&TAG).live_bytes, empty);
}

#[test]
fn a_purge_sweeps_no_more_shards_than_it_needs_and_none_past_its_deadline() {
    static TAG: Tag = Tag::new("weak-cache/target");
    let cache: WeakCache<u64, Value> = WeakCache::new(&TAG);
    leave_dead(&cache, 0..1000);
    let purgeable = as_purgeable(&cache);
    let mut request = PurgeRequest::new(u64::MAX, PressureLevel::Warning);
    request.deadline = Some(Instant::now());
    assert_eq!(purgeable.purge(&request), PurgeOutcome::Busy);
    assert_eq!(cache.len(), 1000);
    assert!(matches!(purge(&*purgeable, 1), PurgeOutcome::Freed(_)));
    assert!((1..1000).contains(&cache.len()), "{}", cache.len());
}

#[test]
fn dead_entries_are_swept_by_themselves_as_others_are_put_in() {
    static TAG: Tag = Tag::new("weak-cache/by-itself");
    let cache: WeakCache<u64, Value> = WeakCache::builder(&TAG).max_entries(100).build().unwrap();
    let roomy: WeakCache<u64, Value> =
        WeakCache::builder(&TAG).max_entries(1_000_000).build().unwrap();
    let held: Vec<_> = (0..50).map(|key| cache.get_or_insert_with(key, || [0; 1000])).collect();
    for key in 1000..20_000 {
        drop(cache.get_or_insert_with(key, || [0; 1000]));
        drop(roomy.get_or_insert_with(key, || [0; 1000]));
    }
    assert_eq!(cache.stats().evicted_total, 0, "no live one had to go");
    assert!((0..50).all(|key| cache.get(&key).is_some()));
    assert!(roomy.len() <= 16 * 32, "{}", roomy.len());
    drop(held);
}

#[test]
fn a_full_cache_of_live_values_forgets_the_one_that_was_used_longest_ago() {
    static TAG: Tag = Tag::new("weak-cache/bounded");
    let cache: WeakCache<u64, u64> = WeakCache::builder(&TAG).max_entries(3).build().unwrap();
    let held: Vec<_> = (0..3).map(|key| cache.get_or_insert_with(key, || key)).collect();
    assert!(cache.get(&0).is_some());
    let fourth = cache.get_or_insert_with(3, || 3);
    assert!(cache.get(&1).is_none());
    assert!([0, 2, 3].iter().all(|key| cache.get(key).is_some()));
    assert_eq!((cache.len(), cache.stats().evicted_total), (3, 1));

    cache.set_max_entries(1).unwrap();
    assert_eq!(cache.snapshot(), [(3, Arc::clone(&fourth))]);
    assert_eq!(cache.stats().evicted_total, 3);
    drop((held, fourth));
}

#[test]
fn bounds_from_the_configuration_hold_and_one_it_does_not_have_is_refused() {
    static TAG: Tag = Tag::new("weak-cache/bounds");
    let cache: WeakCache<u64, Value> = WeakCache::new(&TAG);
    let held: Vec<_> = (0..5000).map(|key| cache.get_or_insert_with(key, || [0; 1000])).collect();
    let mut bounds = Bounds::default();
    bounds.max_entries = Some(160);
    assert!(as_purgeable(&cache).set_bounds(&bounds));
    assert_eq!(cache.len(), 160);
    bounds.max_bytes = Some(1 << 20);
    assert!(!as_purgeable(&cache).set_bounds(&bounds));
    drop(held);
    let registry = Registry::default();
    assert_eq!(registry.register(&cache).unwrap().name(), "weak-cache/bounds");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    static TAG: Tag = Tag::new("weak-cache/refused");
    let builder = || WeakCache::<u64, u64>::builder(&TAG);
    let error = builder().max_entries(0).build().unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "max_entries", .. }), "{error}");
    let error = builder().name("").build().unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error}");
    assert!(builder().build().unwrap().set_max_entries(0).is_err());
}

#[test]
fn builds_and_destructors_of_keys_and_values_may_use_the_cache() {
    static TAG: Tag = Tag::new("weak-cache/reentrant");
    static CACHE: OnceLock<WeakCache<Meddler, Meddler>> = OnceLock::new();
    static MEDDLED: AtomicUsize = AtomicUsize::new(0);

    #[derive(PartialEq, Eq, Hash, Clone)]
    struct Meddler(u64);
    impl Drop for Meddler {
        fn drop(&mut self) {
            if let Some(cache) = CACHE.get() {
                MEDDLED.fetch_add(cache.len() + cache.sweep(), Ordering::Relaxed);
            }
        }
    }
    let cache = CACHE.get_or_init(|| WeakCache::builder(&TAG).max_entries(20).build().unwrap());
    for key in 0..100 {
        drop(cache.get_or_insert_with(Meddler(key), || {
            let _ = cache.get_or_insert_with(Meddler(key + 1000), || Meddler(key));
            Meddler(key)
        }));
    }
    let held: Vec<_> =
        (0..30).map(|key| cache.get_or_insert_with(Meddler(key), || Meddler(key))).collect();
    cache.insert(Meddler(1), &held[0]);
    cache.set_max_entries(5).unwrap();
    drop(cache.remove(&Meddler(29)));
    drop(cache.snapshot());
    drop(held);
    purge(&*as_purgeable(cache), u64::MAX);
    cache.clear();
    assert!(cache.is_empty());
    assert!(MEDDLED.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_key_whose_hash_or_destructor_panics_leaves_the_cache_usable() {
    static TAG: Tag = Tag::new("weak-cache/panicking-keys");

    #[derive(PartialEq, Eq)]
    struct Key(u64);
    impl Hash for Key {
        fn hash<H: Hasher>(&self, state: &mut H) {
            assert_ne!(self.0, 13, "unhashable");
            self.0.hash(state);
        }
    }
    impl Drop for Key {
        fn drop(&mut self) {
            assert!(!(100..200).contains(&self.0) || thread::panicking(), "undroppable");
        }
    }
    let cache: WeakCache<Key, u64> = WeakCache::builder(&TAG).max_entries(50).build().unwrap();
    let held = cache.get_or_insert_with(Key(1), || 1);
    assert!(panics(|| cache.get_or_insert_with(Key(13), || 13)));
    for key in 100..110 {
        drop(cache.get_or_insert_with(Key(key), || key));
    }
    assert_eq!(cache.sweep(), 10, "one panic after the other ends nothing");
    assert_eq!(cache.get(&Key(1)), Some(Arc::clone(&held)));
}

#[test]
fn the_counts_add_up_when_threads_and_purges_race() {
    static TAG: Tag = Tag::new("weak-cache/threads");
    const THREADS: u64 = 4;
    const ROUNDS: u64 = 2000;
    let cache: WeakCache<u64, u64> = WeakCache::builder(&TAG).max_entries(512).build().unwrap();
    let purgeable = as_purgeable(&cache);
    let start = Barrier::new(THREADS as usize + 1);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (cache, start) = (&cache, &start);
            scope.spawn(move || {
                start.wait();
                let mut held = Vec::new();
                for round in 0..ROUNDS {
                    let key = (round * (thread + 7)) % 1000;
                    let value = cache.get_or_insert_with(key, || key);
                    assert_eq!(*value, key);
                    held.push(value);
                    held.truncate(100);
                    if round % 10 == 0 {
                        drop(cache.remove(&key));
                    }
                }
            });
        }
        start.wait();
        for _ in 0..200 {
            purge(&*purgeable, u64::MAX);
        }
    });
    let stats = cache.stats();
    let gone = stats.removed_total + stats.dead_total + stats.swept_total + stats.evicted_total;
    assert_eq!(stats.inserted_total, stats.entries as u64 + gone);
    assert_eq!(stats.hits_total + stats.misses_total, THREADS * ROUNDS);
    assert!(stats.entries <= 512);
    cache.sweep();
    assert!(cache.is_empty(), "nobody holds anything");
}
