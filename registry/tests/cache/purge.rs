//! Memory that is asked for.

use std::time::{Duration, Instant};

use bursar::{Cache, Entry, PressureLevel, PurgeOutcome, PurgeRequest, Tag, tag_usage};

use crate::{Bytes, as_purgeable, fill, purge};

#[test]
fn a_purge_evicts_the_oldest_by_about_the_bytes_asked_and_they_come_back_to_the_tag() {
    static TAG: Tag = Tag::new("cache/purge");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    fill(&cache, 0..2000, 1024);
    // Used lately: to be spared.
    assert!((0..200).all(|key| cache.get(&key).is_some()));

    let before = tag_usage(&TAG).live_bytes;
    let target = before / 2;
    let PurgeOutcome::Freed(claimed) = purge(&*as_purgeable(&cache), target) else {
        panic!("there was something to free")
    };
    let freed = before - tag_usage(&TAG).live_bytes;
    assert_eq!(claimed, freed, "what it says is what the tag has lost");
    assert!(freed >= target, "freed {freed} of {target}");
    assert!(freed <= target + 32 * 2048, "freed {freed} of {target}");
    assert!((0..200).all(|key| cache.get(&key).is_some()), "the latest used are still there");
}

#[test]
fn half_of_a_hundred_thousand_entries_is_half_of_the_tags_bytes_tables_included() {
    static TAG: Tag = Tag::new("cache/half");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    fill(&cache, 0..100_000, 1024);
    let purgeable = as_purgeable(&cache);
    let before = tag_usage(&TAG).live_bytes;
    purge(&*purgeable, purgeable.purgeable_bytes() / 2);
    let after = tag_usage(&TAG).live_bytes;
    assert!(after <= before / 100 * 51, "{before} bytes before, {after} after");
    assert_eq!(cache.stats().unattributed_bytes, 0);
}

#[test]
fn tables_give_their_memory_back_with_the_entries() {
    static TAG: Tag = Tag::new("cache/tables");
    let cache: Cache<u64, u64> = Cache::new(&TAG);
    for key in 0..50_000 {
        cache.insert(key, key);
    }
    let full = cache.stats().table_bytes;
    purge(&*as_purgeable(&cache), full * 9 / 10);
    let stats = cache.stats();
    assert!(stats.table_bytes <= full / 10, "{} of {full} bytes left", stats.table_bytes);
    assert!(stats.entries > 1000, "and no more than were asked for: {}", stats.entries);
}

#[test]
fn a_purge_of_everything_gives_the_tables_back_too() {
    static TAG: Tag = Tag::new("cache/everything");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let empty = tag_usage(&TAG).live_bytes;
    fill(&cache, 0..5000, 64);
    let purgeable = as_purgeable(&cache);
    let held = tag_usage(&TAG).live_bytes - empty;
    assert_eq!(purgeable.purgeable_bytes(), held);
    assert_eq!(purge(&*purgeable, u64::MAX), PurgeOutcome::Freed(held));
    // `purgeable` itself is not under the tag.
    assert_eq!(tag_usage(&TAG).live_bytes, empty);
    assert_eq!((cache.stats().purged_total, cache.stats().evicted_total), (5000, 0));
    assert_eq!(purge(&*purgeable, u64::MAX), PurgeOutcome::Empty);
    assert_eq!(purge(&*purgeable, 1), PurgeOutcome::Empty);

    drop(cache);
    assert_eq!(purgeable.purgeable_bytes(), 0, "a cache that is gone has nothing to free");
}

#[test]
fn small_purges_take_from_all_shards_in_turn() {
    static TAG: Tag = Tag::new("cache/turns");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    fill(&cache, 0..1600, 1024);
    let purgeable = as_purgeable(&cache);
    for _ in 0..800 {
        purge(&*purgeable, 1);
    }
    assert_eq!(cache.stats().purged_total, 800);
    let old = (0..400).filter(|key| cache.contains_key(key)).count();
    assert!(old < 40, "{old} of the 400 oldest are left");
}

#[test]
fn a_purge_past_its_deadline_takes_no_more_and_one_in_time_takes_what_it_is_asked_for() {
    static TAG: Tag = Tag::new("cache/deadline");
    let cache: Cache<u64, Vec<u8>> = Cache::new(&TAG);
    for key in 0..100 {
        cache.get_or_insert_with(key, || vec![0; 4096]);
    }
    let entry = Entry::from(&cache);
    for target_bytes in [40 * 4096, u64::MAX] {
        let mut request = PurgeRequest::new(target_bytes, PressureLevel::Warning);
        request.deadline = Some(Instant::now());
        assert_eq!(entry.purgeable().purge(&request), PurgeOutcome::Busy);
        assert_eq!(cache.stats().entries, 100);
    }
    let mut request = PurgeRequest::new(40 * 4096, PressureLevel::Warning);
    request.deadline = Instant::now().checked_add(Duration::from_secs(3600));
    assert!(matches!(entry.purgeable().purge(&request), PurgeOutcome::Freed(_)));
    assert!(cache.stats().entries <= 60);
}

#[test]
fn a_purge_in_the_middle_of_a_load_leaves_the_value_to_come_in_after() {
    static TAG: Tag = Tag::new("cache/purged-load");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    fill(&cache, 0..50, 1000);
    let purgeable = as_purgeable(&cache);
    cache.get_or_insert_with(99, || {
        assert!(matches!(purge(&*purgeable, u64::MAX), PurgeOutcome::Freed(_)));
        vec![0; 1000].into()
    });
    assert_eq!((cache.len(), cache.contains_key(&99)), (1, true));
    assert_eq!(cache.stats().unattributed_bytes, 0);
}

#[test]
fn purges_and_insertions_at_the_same_time_lose_no_byte() {
    static TAG: Tag = Tag::new("cache/at-once");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let purgeable = as_purgeable(&cache);
    std::thread::scope(|scope| {
        let inserting: Vec<_> = (0..2)
            .map(|thread| {
                let cache = &cache;
                scope.spawn(move || fill(cache, thread * 10_000..(thread + 1) * 10_000, 100))
            })
            .collect();
        let mut targets = [1, 1000, 100_000, u64::MAX].into_iter().cycle();
        while !inserting.iter().all(|thread| thread.is_finished()) {
            purge(&*purgeable, targets.next().unwrap());
        }
    });
    let stats = cache.stats();
    assert_eq!(stats.unattributed_bytes, 0);
    assert_eq!(stats.inserted_total, stats.entries as u64 + stats.purged_total);
}
