//! The cache over the real allocator.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bursar::{
    AccountingAllocator, Cache, Entry, Error, PressureLevel, PurgeOutcome, PurgeRequest, Purgeable,
    System, Tag, tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

type Bytes = Arc<[u8]>;

fn fill(cache: &Cache<u64, Bytes>, keys: std::ops::Range<u64>, len: usize) {
    for key in keys {
        cache.get_or_insert_with(key, || vec![key as u8; len].into());
    }
}

/// What the monitor's thread calls.
fn as_purgeable(cache: &Cache<u64, Bytes>) -> Arc<dyn Purgeable> {
    Arc::clone(Entry::from(cache).purgeable())
}

fn purge(purgeable: &dyn Purgeable, target_bytes: u64) -> PurgeOutcome {
    purgeable.purge(&PurgeRequest::new(target_bytes, PressureLevel::Warning))
}

#[test]
fn values_are_found_until_removed_and_look_ups_are_counted() {
    static TAG: Tag = Tag::new("cache/basics");
    let cache: Cache<&str, u32> = Cache::new(&TAG);
    assert_eq!(cache.get(&"a"), None);
    assert_eq!(cache.insert("a", 1), None);
    assert_eq!(cache.insert("a", 2), Some(1));
    assert_eq!(cache.get(&"a"), Some(2));
    assert_eq!(cache.get_or_insert_with("a", || unreachable!()), 2);
    assert_eq!(cache.remove(&"a"), Some(2));
    assert_eq!(cache.remove(&"a"), None);
    let stats = cache.stats();
    assert_eq!((stats.hits_total, stats.misses_total, stats.entries), (2, 1, 0));
    assert_eq!(stats.weight_bytes, 0);
    assert!((stats.hit_ratio() - 2.0 / 3.0).abs() < 1e-9);
}

#[test]
fn an_entry_weighs_what_building_it_left_allocated_under_the_tag() {
    static TAG: Tag = Tag::new("cache/weights");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let empty = tag_usage(&TAG).live_bytes;
    fill(&cache, 0..1000, 4096);
    let held = tag_usage(&TAG).live_bytes - empty;
    let weighed = cache.stats().weight_bytes;
    // What is not weighed are the tables; what the loader allocated and freed does not count.
    let tables = held - weighed;
    assert!(weighed >= 1000 * 4096, "{weighed}");
    assert!(tables < held / 50, "held {held}, weighed {weighed}");

    cache.clear();
    assert_eq!(cache.stats().weight_bytes, 0);
    assert_eq!(tag_usage(&TAG).live_bytes, empty);
}

#[test]
fn a_purge_evicts_the_oldest_by_about_the_bytes_asked_and_they_come_back_to_the_tag() {
    static TAG: Tag = Tag::new("cache/purge");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    fill(&cache, 0..2000, 1024);
    // Used lately: to be spared.
    assert!((0..200).all(|key| cache.get(&key).is_some()));

    let before = tag_usage(&TAG).live_bytes;
    let target = before / 2;
    let purgeable = as_purgeable(&cache);
    let PurgeOutcome::Freed(claimed) = purge(&*purgeable, target) else {
        panic!("there was something to free")
    };
    let freed = before - tag_usage(&TAG).live_bytes;
    assert!(freed >= target * 99 / 100, "freed {freed} of {target}");
    assert!(freed <= target + 32 * 2048, "freed {freed} of {target}");
    assert!(claimed.abs_diff(freed) <= freed / 50, "claimed {claimed}, freed {freed}");
    assert!((0..200).all(|key| cache.get(&key).is_some()), "the latest used are still there");
}

#[test]
fn a_purge_of_everything_gives_the_tables_back_too() {
    static TAG: Tag = Tag::new("cache/everything");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let empty = tag_usage(&TAG).live_bytes;
    fill(&cache, 0..5000, 64);
    let purgeable = as_purgeable(&cache);
    assert!(matches!(purge(&*purgeable, u64::MAX), PurgeOutcome::Freed(_)));
    // `purgeable` itself is not under the tag.
    assert_eq!(tag_usage(&TAG).live_bytes, empty);
    assert_eq!(cache.stats().evicted_total, 5000);
    assert_eq!(purge(&*purgeable, u64::MAX), PurgeOutcome::Empty);
    assert_eq!(purge(&*purgeable, 1), PurgeOutcome::Empty);

    drop(cache);
    assert_eq!(purgeable.purgeable_bytes(), 0, "a cache that is gone has nothing to free");
}

#[test]
fn a_bounded_cache_keeps_the_latest_used() {
    static TAG: Tag = Tag::new("cache/bounded");
    let cache: Cache<u64, u64> = Cache::builder(&TAG).max_entries(1).build().unwrap();
    cache.insert(1, 1);
    cache.insert(2, 2);
    assert_eq!((cache.get(&1), cache.get(&2)), (None, Some(2)));
    assert_eq!(cache.stats().evicted_total, 1);

    let cache: Cache<u64, u64> = Cache::builder(&TAG).max_entries(1000).build().unwrap();
    for key in 0..5000 {
        cache.insert(key, key);
    }
    let entries = cache.stats().entries;
    assert!((900..=1008).contains(&entries), "{entries}");
    assert_eq!(cache.get(&4999), Some(4999));
}

#[test]
fn an_expired_entry_is_a_miss_and_dropped_by_the_look_up() {
    static TAG: Tag = Tag::new("cache/expiry");
    let cache: Cache<u64, u64> =
        Cache::builder(&TAG).time_to_live(Duration::from_nanos(1)).build().unwrap();
    cache.insert(1, 1);
    // The clock has moved on by then; nothing here depends on how far.
    while cache.get(&1).is_some() {}
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.expired_total, stats.weight_bytes), (0, 1, 0));

    let lasting: Cache<u64, u64> =
        Cache::builder(&TAG).time_to_live(Duration::MAX).build().unwrap();
    lasting.insert(1, 1);
    assert_eq!(lasting.get(&1), Some(1));
}

#[test]
fn bounds_of_nothing_are_refused() {
    static TAG: Tag = Tag::new("cache/refused");
    let builder = || Cache::<u64, u64>::builder(&TAG);
    let error = builder().max_entries(0).build().unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "max_entries", .. }), "{error}");
    let error = builder().time_to_live(Duration::ZERO).build().unwrap_err();
    assert!(error.to_string().contains("time_to_live 0s"), "{error}");
}

#[test]
fn destructors_and_loaders_may_call_back_into_the_cache() {
    static TAG: Tag = Tag::new("cache/reentrant");

    #[derive(Clone)]
    struct Meddler(Arc<Cache<u64, Meddler>>);
    impl Drop for Meddler {
        fn drop(&mut self) {
            assert!(self.0.stats().entries <= 100);
        }
    }
    let cache: Arc<Cache<u64, Meddler>> = Arc::new(Cache::new(&TAG));
    for key in 0..100 {
        drop(cache.get_or_insert_with(key, || {
            let _ = cache.get(&(key + 1));
            Meddler(Arc::clone(&cache))
        }));
    }
    drop(cache.remove(&5));
    drop(cache.insert(6, Meddler(Arc::clone(&cache))));
    cache.clear();
    assert_eq!(cache.stats().entries, 0);
}

#[test]
fn a_purge_past_its_deadline_takes_no_more_and_one_in_time_takes_what_it_is_asked_for() {
    static TAG: Tag = Tag::new("cache/deadline");
    let cache: Cache<u64, Vec<u8>> = Cache::new(&TAG);
    for key in 0..100 {
        cache.get_or_insert_with(key, || vec![0; 4096]);
    }
    let entry = Entry::from(&cache);
    let mut request = PurgeRequest::new(40 * 4096, PressureLevel::Warning);
    request.deadline = Some(Instant::now());
    assert_eq!(entry.purgeable().purge(&request), PurgeOutcome::Busy);
    assert_eq!(cache.stats().entries, 100);
    request.deadline = Instant::now().checked_add(Duration::from_secs(3600));
    assert!(matches!(entry.purgeable().purge(&request), PurgeOutcome::Freed(_)));
    assert!(cache.stats().entries <= 60);
}
