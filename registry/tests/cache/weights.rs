//! What entries weigh, and what of it the tag has.

use bursar::{Cache, Tag, TagHandle, tag_usage};

use crate::{Bytes, COUNTERS, as_purgeable, fill, purge};

#[test]
fn an_entry_weighs_what_building_it_left_allocated_under_the_tag() {
    static TAG: Tag = Tag::new("cache/weights");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let empty = tag_usage(&TAG).live_bytes;
    // What the loader allocates and frees again, the vector, does not count.
    fill(&cache, 0..1000, 4096);
    let stats = cache.stats();
    assert_eq!(stats.weight_bytes, 1000 * (4096 + COUNTERS));
    let held = tag_usage(&TAG).live_bytes - empty;
    assert_eq!(stats.weight_bytes + stats.table_bytes, held);

    cache.clear();
    let stats = cache.stats();
    assert_eq!((stats.weight_bytes, stats.table_bytes), (0, 0));
    assert_eq!(tag_usage(&TAG).live_bytes, empty);
}

#[test]
fn whatever_comes_and_goes_the_cache_knows_every_byte_of_its_tag() {
    static TAG: Tag = Tag::new("cache/every-byte");
    let cache: Cache<u64, Bytes> = Cache::builder(&TAG).max_entries(3000).build().unwrap();
    assert_eq!(cache.stats().unattributed_bytes, 0);
    fill(&cache, 0..10_000, 60);
    assert_eq!(cache.stats().unattributed_bytes, 0, "after evictions");
    for key in 8000..9000 {
        cache.remove(&key);
    }
    fill(&cache, 0..500, 900);
    assert_eq!(cache.stats().unattributed_bytes, 0, "after removals");
    cache.set_max_entries(10).unwrap();
    assert_eq!(cache.stats().unattributed_bytes, 0, "after the tables have shrunk");
}

#[test]
fn what_the_cache_cannot_know_shows_as_unattributed() {
    static TAG: Tag = Tag::new("cache/unattributed");
    static ELSEWHERE: Tag = Tag::new("cache/elsewhere");
    let weighed = |_: &u64, value: &Vec<u8>| value.capacity() as u64;
    let cache: Cache<u64, Vec<u8>> = Cache::builder(&TAG).weigher(weighed).build().unwrap();
    cache.insert(1, ELSEWHERE.scope(|| vec![0; 1000]));
    assert_eq!((cache.stats().weight_bytes, cache.stats().unattributed_bytes), (1000, 1000));
    cache.insert(1, TAG.scope(|| vec![0; 1000]));
    assert_eq!(cache.stats().unattributed_bytes, 0);
    let _of_others = TAG.scope(|| vec![0u8; 300]);
    assert_eq!(cache.stats().unattributed_bytes, -300);
}

#[test]
fn a_value_put_in_without_a_weigher_weighs_nothing_but_its_node_is_counted() {
    static TAG: Tag = Tag::new("cache/unweighed");
    let cache: Cache<u64, Vec<u8>> = Cache::new(&TAG);
    cache.insert(1, vec![0; 1000]);
    let stats = cache.stats();
    assert_eq!((stats.weight_bytes, stats.unattributed_bytes), (0, 0));
    assert!(stats.table_bytes > 0);
}

#[test]
fn an_entry_that_is_loaded_within_anothers_load_is_weighed_once() {
    static TAG: Tag = Tag::new("cache/nested");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    cache.get_or_insert_with(1, || {
        fill(&cache, 2..200, 504);
        vec![0; 104].into()
    });
    let stats = cache.stats();
    assert_eq!(stats.weight_bytes, 198 * (504 + COUNTERS) + 104 + COUNTERS);
    assert_eq!(stats.unattributed_bytes, 0);
    cache.remove(&1);
    assert_eq!(cache.stats().weight_bytes, 198 * (504 + COUNTERS));
}

#[test]
fn entries_that_a_load_evicts_do_not_lighten_its_own() {
    static TAG: Tag = Tag::new("cache/evicting-load");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    fill(&cache, 2..100, 5000);
    cache.get_or_insert_with(1, || {
        purge(&*as_purgeable(&cache), u64::MAX);
        vec![0; 104].into()
    });
    assert_eq!(cache.stats().weight_bytes, 104 + COUNTERS);
    assert_eq!(cache.stats().unattributed_bytes, 0);
}

#[test]
fn the_tags_bytes_stay_within_the_bound_an_entry_and_a_hundredth_for_entries_of_any_size() {
    const MAX_BYTES: u64 = 1 << 20;
    for (len, entries) in [(50, 30_000), (1000, 4000), (40_000, 200), (150_000, 60)] {
        let tag = TagHandle::new(&format!("cache/bound/{len}")).unwrap();
        let cache: Cache<u64, Box<[u8]>> =
            Cache::builder(&tag).max_bytes(MAX_BYTES).build().unwrap();
        let allowed = MAX_BYTES + len as u64 + MAX_BYTES / 100;
        for key in 0..entries {
            cache.get_or_insert_with(key, || vec![0; len].into());
            let live = tag_usage(&tag).live_bytes;
            assert!(live <= allowed, "{live} bytes at entry {key} of {len} bytes");
        }
        let live = tag_usage(&tag).live_bytes;
        assert!(live > MAX_BYTES / 2, "{live} bytes: the room is used, with entries of {len}");
        assert!(cache.contains_key(&(entries - 1)), "the latest is there");
        assert_eq!(cache.stats().unattributed_bytes, 0);
    }
}

#[test]
fn threads_that_fill_a_bounded_cache_at_once_leave_it_within_its_bound() {
    static TAG: Tag = Tag::new("cache/crowd");
    const MAX_BYTES: u64 = 1 << 20;
    let cache: Cache<u64, Bytes> = Cache::builder(&TAG).max_bytes(MAX_BYTES).build().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let cache = &cache;
            scope.spawn(move || fill(cache, thread * 5000..(thread + 1) * 5000, 200));
        }
    });
    let stats = cache.stats();
    assert!(stats.weight_bytes + stats.table_bytes <= MAX_BYTES, "{stats:?}");
    assert_eq!(stats.unattributed_bytes, 0);
    assert_eq!(stats.inserted_total, stats.entries as u64 + stats.evicted_total);
}
