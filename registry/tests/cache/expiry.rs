//! Entries with a time to live.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bursar::{Cache, Clock, ManualClock, PurgeOutcome, Tag};

use crate::{as_purgeable, purge};

const MINUTE: Duration = Duration::from_secs(60);

fn expiring(tag: &'static Tag) -> (Cache<u64, u64>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::default());
    let builder = Cache::builder(tag).time_to_live(MINUTE).clock(Arc::clone(&clock) as _);
    (builder.build().unwrap(), clock)
}

#[test]
fn an_expired_entry_is_a_miss_and_dropped_by_the_look_up() {
    static TAG: Tag = Tag::new("cache/expiry");
    let (cache, clock) = expiring(&TAG);
    cache.insert(1, 1);
    clock.advance(MINUTE - Duration::from_nanos(1));
    assert_eq!(cache.get(&1), Some(1));
    clock.advance(Duration::from_nanos(1));
    assert_eq!((cache.peek(&1), cache.contains_key(&1), cache.snapshot()), (None, false, vec![]));
    assert_eq!(cache.len(), 1, "nobody has looked it up yet");
    assert_eq!(cache.get(&1), None);
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.expired_total), (0, 1));
    assert_eq!((stats.hits_total, stats.misses_total), (1, 1));
}

#[test]
fn what_has_expired_is_neither_replaced_nor_removed() {
    static TAG: Tag = Tag::new("cache/expired-before");
    let (cache, clock) = expiring(&TAG);
    cache.insert(1, 1);
    cache.insert(2, 2);
    clock.advance(MINUTE);
    assert_eq!(cache.insert(1, 10), None);
    assert_eq!(cache.remove(&2), None);
    let stats = cache.stats();
    assert_eq!((stats.expired_total, stats.replaced_total, stats.removed_total), (2, 0, 0));
    assert_eq!(cache.get(&1), Some(10));
}

#[test]
fn a_purge_drops_what_has_expired_before_it_touches_what_lives() {
    static TAG: Tag = Tag::new("cache/expired-first");
    let (cache, clock) = expiring(&TAG);
    for key in 0..100 {
        cache.insert(key, key);
    }
    clock.advance(MINUTE / 2);
    for key in 100..200 {
        cache.insert(key, key);
    }
    // The old ones are the latest used, and expire first all the same.
    assert!((0..100).all(|key| cache.get(&key).is_some()));
    clock.advance(MINUTE / 2);
    let PurgeOutcome::Freed(_) = purge(&*as_purgeable(&cache), 1) else {
        panic!("half of it has expired")
    };
    let stats = cache.stats();
    assert_eq!((stats.entries, stats.expired_total, stats.purged_total), (100, 100, 0));
    assert!((100..200).all(|key| cache.contains_key(&key)));

    assert!(matches!(purge(&*as_purgeable(&cache), 1), PurgeOutcome::Freed(_)));
    assert_eq!(cache.stats().purged_total, 1, "now that nothing has expired, the oldest goes");
}

#[test]
fn removing_what_has_expired_keeps_the_order_of_the_others() {
    static TAG: Tag = Tag::new("cache/swept");
    let clock = Arc::new(ManualClock::default());
    let cache: Cache<u64, u64> = Cache::builder(&TAG)
        .max_entries(4)
        .time_to_live(MINUTE)
        .clock(Arc::clone(&clock) as _)
        .build()
        .unwrap();
    cache.insert(1, 1);
    clock.advance(MINUTE / 2);
    cache.insert(2, 2);
    cache.insert(3, 3);
    cache.insert(4, 4);
    assert_eq!(cache.get(&2), Some(2));
    clock.advance(MINUTE / 2);
    assert_eq!(cache.remove_expired(), 1);
    assert_eq!(cache.snapshot(), [(2, 2), (4, 4), (3, 3)]);
    assert_eq!((cache.remove_expired(), cache.stats().expired_total), (0, 1));
    clock.advance(MINUTE);
    assert_eq!((cache.remove_expired(), cache.stats().unattributed_bytes), (3, 0));
}

#[derive(Debug, Default)]
struct CountedClock(AtomicU64);

impl Clock for CountedClock {
    fn now(&self) -> Duration {
        self.0.fetch_add(1, Ordering::Relaxed);
        Duration::ZERO
    }
}

#[test]
fn without_a_time_to_live_the_clock_is_never_read() {
    static TAG: Tag = Tag::new("cache/clock");
    let clock = Arc::new(CountedClock::default());
    let cache: Cache<u64, u64> =
        Cache::builder(&TAG).clock(Arc::clone(&clock) as _).build().unwrap();
    cache.insert(1, 1);
    let _ = (cache.get(&1), cache.remove(&1), cache.snapshot(), cache.remove_expired());
    purge(&*as_purgeable(&cache), 1);
    assert_eq!(clock.0.load(Ordering::Relaxed), 0);
}

#[test]
fn a_time_to_live_past_the_clocks_end_is_none() {
    static TAG: Tag = Tag::new("cache/lasting");
    let clock = Arc::new(ManualClock::default());
    let cache: Cache<u64, u64> = Cache::builder(&TAG)
        .time_to_live(Duration::MAX)
        .clock(Arc::clone(&clock) as _)
        .build()
        .unwrap();
    clock.advance(MINUTE);
    cache.insert(1, 1);
    clock.advance(Duration::from_secs(1 << 33));
    assert_eq!(cache.get(&1), Some(1));
}
