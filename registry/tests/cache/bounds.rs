//! Bounds: what is kept within them, and how good a choice it is.

use std::num::NonZeroUsize;

use bursar::{Bounds, Cache, Tag, TagHandle};
use lru::LruCache;

use crate::{Bytes, Random, as_purgeable, fill};

#[test]
fn a_bounded_cache_keeps_the_latest_used_and_never_more_than_its_bound() {
    static TAG: Tag = Tag::new("cache/bounded");
    let cache: Cache<u64, u64> = Cache::builder(&TAG).max_entries(1).build().unwrap();
    cache.insert(1, 1);
    cache.insert(2, 2);
    assert_eq!((cache.get(&1), cache.get(&2)), (None, Some(2)));
    assert_eq!(cache.stats().evicted_total, 1);

    let cache: Cache<u64, u64> = Cache::builder(&TAG).max_entries(1000).build().unwrap();
    for key in 0..5000 {
        cache.insert(key, key);
        assert!(cache.len() <= 1000);
    }
    assert_eq!((cache.len(), cache.stats().evicted_total), (1000, 4000));
    assert_eq!(cache.get(&4999), Some(4999));
}

#[test]
fn a_bound_that_is_lowered_holds_at_once_and_spares_the_latest_used() {
    static TAG: Tag = Tag::new("cache/lowered");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    fill(&cache, 0..4000, 100);
    cache.set_max_entries(2000).unwrap();
    assert_eq!(cache.len(), 2000);
    let spared = (2400..4000).filter(|key| cache.contains_key(key)).count();
    assert!(spared > 1500, "{spared} of the latest 1600");

    cache.set_max_bytes(50_000).unwrap();
    let stats = cache.stats();
    assert!(stats.weight_bytes + stats.table_bytes <= 50_000, "{stats:?}");
    assert!(stats.entries > 100, "{stats:?}");

    cache.set_max_bytes(None).unwrap();
    cache.set_max_entries(None).unwrap();
    fill(&cache, 10_000..13_000, 100);
    assert!(cache.len() > 3000);
}

#[test]
fn bounds_of_the_configuration_are_set_by_way_of_the_purgeable() {
    static TAG: Tag = Tag::new("cache/configured");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    fill(&cache, 0..100, 100);
    let mut bounds = Bounds::default();
    bounds.max_entries = Some(40);
    assert!(as_purgeable(&cache).set_bounds(&bounds));
    assert_eq!(cache.len(), 40);
    fill(&cache, 100..200, 100);
    assert_eq!(cache.len(), 40, "what the other bound leaves as it was");
}

#[test]
fn a_value_that_alone_is_over_the_bound_is_handed_out_and_not_kept() {
    static TAG: Tag = Tag::new("cache/rejected");
    let cache: Cache<u64, Bytes> = Cache::builder(&TAG).max_bytes(10_000).build().unwrap();
    fill(&cache, 0..10, 100);
    let value = cache.get_or_insert_with(99, || vec![7; 20_000].into());
    assert_eq!(value.len(), 20_000);
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.rejected_total, stats.evicted_total), (10, 1, 0));

    // Nor is an older value of the same key: it would be wrong.
    let replaced = cache.insert_with(5, || vec![7; 20_000].into());
    assert_eq!(replaced.map(|value| value.len()), Some(100));
    assert_eq!(cache.get(&5), None);
    assert_eq!(cache.stats().rejected_total, 2);
}

#[test]
fn the_entry_just_put_in_is_kept_though_it_takes_all_the_others_room() {
    static TAG: Tag = Tag::new("cache/large");
    let cache: Cache<u64, Bytes> = Cache::builder(&TAG).max_bytes(4 << 20).build().unwrap();
    fill(&cache, 0..1000, 3000);
    fill(&cache, 5000..5001, 4_000_000);
    assert!(cache.contains_key(&5000));
    let stats = cache.stats();
    assert!(stats.weight_bytes + stats.table_bytes <= 4 << 20, "{stats:?}");
}

#[test]
fn a_large_value_takes_its_room_from_the_oldest_of_all_shards_not_from_its_own_alone() {
    static TAG: Tag = Tag::new("cache/fair");
    let cache: Cache<u64, Bytes> = Cache::builder(&TAG).max_bytes(4 << 20).build().unwrap();
    fill(&cache, 0..2000, 3000);
    // The latest used: about twelve in each shard, far below half of what one has.
    assert!((1800..2000).all(|key| cache.get(&key).is_some()));
    // Half as much again as a shard has.
    fill(&cache, 5000..5001, 400_000);
    let lost = (1800..2000).filter(|key| !cache.contains_key(key)).count();
    assert_eq!(lost, 0);
}

/// Keys drawn by Zipf's law: the n-th as often as `n.powf(-0.9)` says.
fn zipf_keys(distinct: usize, draws: usize) -> Vec<u64> {
    let mut sum = 0.0;
    let cumulated: Vec<f64> = (1..=distinct)
        .map(|rank| {
            sum += (rank as f64).powf(-0.9);
            sum
        })
        .collect();
    let mut random = Random(7);
    let mut draw = || cumulated.partition_point(|&upto| upto < random.fraction() * sum) as u64;
    (0..draws).map(|_| draw()).collect()
}

#[test]
fn the_hit_ratio_is_within_a_point_of_one_plain_lru_of_the_same_size() {
    for max_entries in [64, 500, 5000] {
        let tag = TagHandle::new(&format!("cache/zipf/{max_entries}")).unwrap();
        let cache: Cache<u64, ()> = Cache::builder(&tag).max_entries(max_entries).build().unwrap();
        let mut plain: LruCache<u64, ()> = LruCache::new(NonZeroUsize::new(max_entries).unwrap());
        let keys = zipf_keys(max_entries * 10, 200_000);
        let mut plain_hits = 0;
        for &key in &keys {
            cache.get_or_insert_with(key, || ());
            plain_hits += u64::from(plain.put(key, ()).is_some());
        }
        let plain_ratio = plain_hits as f64 / keys.len() as f64;
        let ratio = cache.stats().hit_ratio();
        assert!((ratio - plain_ratio).abs() < 0.01, "{max_entries}: {ratio}, plain {plain_ratio}");
        assert!(plain_ratio > 0.3, "{plain_ratio}: it is worth while");
    }
}
