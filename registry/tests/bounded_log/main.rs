//! The bounded log over the real allocator.

mod model;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::thread;
use std::time::Instant;

use bursar::{
    AccountingAllocator, BoundedLog, BoundedLogBuilder, Bounds, Entry, Error, PressureLevel,
    PurgeOutcome, PurgeRequest, Purgeable, Registry, System, Tag, tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn builder<T>(tag: &'static Tag) -> BoundedLogBuilder<T> {
    BoundedLog::builder(tag)
}

/// What the monitor's thread calls.
fn as_purgeable<T: Send + 'static>(log: &BoundedLog<T>) -> Arc<dyn Purgeable> {
    Arc::clone(Entry::from(log).purgeable())
}

fn purge(purgeable: &dyn Purgeable, target_bytes: u64) -> PurgeOutcome {
    purgeable.purge(&PurgeRequest::new(target_bytes, PressureLevel::Warning))
}

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn the_latest_entries_are_kept_in_the_order_in_which_they_were_pushed() {
    static TAG: Tag = Tag::new("log/basics");
    let log = builder(&TAG).max_entries(3).build().unwrap();
    assert!(log.is_empty() && log.recent(5).is_empty());
    log.push(1);
    log.extend([2, 3]);
    log.push_with(|| 4);
    assert!(log.recent(0).is_empty());
    assert_eq!(log.recent(2), [3, 4]);
    assert_eq!(log.snapshot(), [2, 3, 4]);
    let stats = log.stats();
    assert_eq!((stats.entries, stats.pushed_total, stats.evicted_total), (3, 4, 1));
    log.clear();
    let stats = log.stats();
    assert_eq!((stats.entries, stats.removed_total, stats.table_bytes), (0, 3, 0));
}

#[test]
fn what_it_weighs_is_what_the_tag_holds_and_goes_back_when_it_is_cleared() {
    static TAG: Tag = Tag::new("log/weights");
    let log = builder(&TAG).max_entries(1000).build().unwrap();
    let empty = tag_usage(&TAG).live_bytes;
    (0..1500).for_each(|_| log.push_with(|| vec![0u8; 100]));
    let stats = log.stats();
    assert_eq!(stats.weight_bytes, 1000 * 100);
    assert_eq!(tag_usage(&TAG).live_bytes - empty, stats.weight_bytes + stats.table_bytes);
    log.clear();
    assert_eq!(tag_usage(&TAG).live_bytes, empty);
    drop(log);
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}

#[test]
fn the_tags_bytes_stay_within_max_bytes_and_one_entry_however_small_entries_are() {
    static TAGS: [Tag; 4] = [
        Tag::new("log/bytes-none"),
        Tag::new("log/bytes-small"),
        Tag::new("log/bytes-mixed"),
        Tag::new("log/bytes-large"),
    ];
    let lens: [fn(usize) -> usize; 4] = [
        |_| 0,
        |_| 24,
        // Long light stretches, then heavy ones: the ring has to give places up for them.
        |turn| if turn % 2000 < 1500 { 1 } else { 5000 },
        |turn| 1000 + turn % 3000,
    ];
    for (tag, len) in TAGS.iter().zip(lens) {
        const MAX_BYTES: u64 = 64 << 10;
        let log = builder(tag).max_bytes(MAX_BYTES).build().unwrap();
        let empty = tag_usage(tag).live_bytes;
        for turn in 0..10_000 {
            let len = len(turn);
            log.push_with(|| vec![0u8; len]);
            let held = tag_usage(tag).live_bytes - empty;
            assert!(held <= MAX_BYTES + len as u64, "{held} bytes at turn {turn}");
        }
        let held = tag_usage(tag).live_bytes - empty;
        assert!(held >= MAX_BYTES * 3 / 4, "{} makes little use of it: {held}", tag.name());
    }
}

#[test]
fn an_entry_weighs_what_the_weigher_says_when_it_is_handed_in() {
    static TAG: Tag = Tag::new("log/weigher");
    let log = builder(&TAG)
        .max_bytes(10_000)
        .weigher(|entry: &String| entry.capacity() as u64)
        .build()
        .unwrap();
    log.extend((0..20).map(|_| "x".repeat(1000)));
    let stats = log.stats();
    assert_eq!((stats.entries, stats.weight_bytes), (9, 9000));
    assert_eq!(stats.evicted_total, 11);
}

#[test]
fn an_entry_that_is_heavier_than_the_bound_is_rejected_and_pushes_nothing_out() {
    static TAG: Tag = Tag::new("log/rejected");
    let log = builder(&TAG).max_bytes(1000).build().unwrap();
    log.push_with(|| vec![0u8; 100]);
    let held = tag_usage(&TAG).live_bytes;
    log.push_with(|| vec![0u8; 1000]);
    let stats = log.stats();
    assert_eq!((stats.entries, stats.rejected_total, stats.evicted_total), (1, 1, 0));
    assert_eq!((stats.pushed_total, stats.dropped_total()), (2, 1));
    assert_eq!(tag_usage(&TAG).live_bytes, held);
}

#[test]
fn a_purge_drops_the_oldest_by_the_bytes_asked_and_shrinks_the_ring() {
    static TAG: Tag = Tag::new("log/purge");
    let log = builder(&TAG).max_entries(2000).build().unwrap();
    for turn in 0..2000u64 {
        log.push_with(|| vec![turn; 10]);
    }
    let before = tag_usage(&TAG).live_bytes;
    let purgeable = as_purgeable(&log);
    assert!(purgeable.purgeable_bytes().abs_diff(before) < 1000);
    let PurgeOutcome::Freed(claimed) = purge(&*purgeable, before / 2) else {
        panic!("there was something to free")
    };
    let freed = before - tag_usage(&TAG).live_bytes;
    assert_eq!(claimed, freed);
    assert!((before / 2..before / 2 + 200).contains(&freed), "{freed} of {before}");
    let (stats, left) = (log.stats(), log.snapshot());
    assert_eq!(stats.purged_total as usize + left.len(), 2000);
    assert_eq!(left[0][0], stats.purged_total, "the oldest went");
    assert_eq!(left[left.len() - 1][0], 1999);
}

#[test]
fn a_purge_of_entries_without_weight_gives_their_places_back() {
    static TAG: Tag = Tag::new("log/places");
    let log = builder(&TAG).max_entries(100_000).build().unwrap();
    log.extend(0..100_000u64);
    let before = tag_usage(&TAG).live_bytes;
    assert!(matches!(purge(&*as_purgeable(&log), before / 2), PurgeOutcome::Freed(_)));
    let after = tag_usage(&TAG).live_bytes;
    assert!(after <= before / 2 + 1000, "{after} of {before}");
    assert_eq!(log.recent(1), [99_999]);
    log.push(100_000);
    assert!(tag_usage(&TAG).live_bytes <= before * 4 / 5, "one push does not take it all again");
}

#[test]
fn a_purge_of_everything_leaves_nothing_under_the_tag_but_the_log_itself() {
    static TAG: Tag = Tag::new("log/everything");
    let log = builder(&TAG).max_entries(5000).build().unwrap();
    let empty = tag_usage(&TAG).live_bytes;
    (0..5000).for_each(|_| log.push_with(|| vec![0u8; 50]));
    let freed = tag_usage(&TAG).live_bytes - empty;
    let purgeable = as_purgeable(&log);
    assert_eq!(purge(&*purgeable, u64::MAX), PurgeOutcome::Freed(freed));
    assert_eq!(tag_usage(&TAG).live_bytes, empty);
    assert_eq!((log.len(), log.stats().purged_total), (0, 5000));
    assert_eq!(purge(&*purgeable, u64::MAX), PurgeOutcome::Empty);
    drop(log);
    assert_eq!(purgeable.purgeable_bytes(), 0, "a log that is gone has nothing to free");
}

#[test]
fn a_purge_is_busy_past_its_deadline_and_while_an_entry_is_being_cloned() {
    static TAG: Tag = Tag::new("log/busy");

    struct Slow(Arc<Barrier>);
    impl Clone for Slow {
        fn clone(&self) -> Self {
            self.0.wait();
            self.0.wait();
            Self(Arc::clone(&self.0))
        }
    }
    let log = builder(&TAG).max_entries(10).build().unwrap();
    let barrier = Arc::new(Barrier::new(2));
    log.push(Slow(Arc::clone(&barrier)));
    let purgeable = as_purgeable(&log);
    let mut late = PurgeRequest::new(u64::MAX, PressureLevel::Warning);
    late.deadline = Some(Instant::now());
    assert_eq!(purgeable.purge(&late), PurgeOutcome::Busy);
    thread::scope(|scope| {
        let cloning = scope.spawn(|| log.snapshot().len());
        barrier.wait();
        assert_eq!(purge(&*purgeable, u64::MAX), PurgeOutcome::Busy);
        assert_eq!(purgeable.purgeable_bytes(), 0);
        barrier.wait();
        assert_eq!(cloning.join().unwrap(), 1);
    });
    assert!(matches!(purge(&*purgeable, u64::MAX), PurgeOutcome::Freed(_)));
}

#[test]
fn bounds_from_the_configuration_hold_at_once() {
    static TAG: Tag = Tag::new("log/bounds");
    let log = builder(&TAG).max_entries(1000).build().unwrap();
    (0..1000).for_each(|_| log.push_with(|| vec![0u8; 100]));
    let mut bounds = Bounds::default();
    bounds.max_entries = Some(500);
    assert!(as_purgeable(&log).set_bounds(&bounds));
    assert_eq!((log.len(), log.stats().evicted_total), (500, 500));
    bounds.max_bytes = Some(20_000);
    assert!(as_purgeable(&log).set_bounds(&bounds));
    let stats = log.stats();
    assert!(stats.weight_bytes + stats.table_bytes <= 20_000 && log.len() > 50, "{stats:?}");
    bounds.max_entries = Some(0);
    bounds.max_bytes = Some(0);
    assert!(as_purgeable(&log).set_bounds(&bounds));
    assert_eq!((log.len(), log.stats().table_bytes), (0, 0));
    let registry = Registry::default();
    assert_eq!(registry.register(&log).unwrap().name(), "log/bounds");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    static TAG: Tag = Tag::new("log/refused");
    let builder = || builder::<u8>(&TAG);
    for (refused, says) in [
        (builder(), "max_entries none is not allowed; allowed is this or max_bytes, or both"),
        (builder().max_entries(0), "max_entries 0 is not allowed; allowed is above zero"),
        (builder().max_bytes(0), "max_bytes 0 is not allowed; allowed is above zero"),
    ] {
        assert_eq!(refused.build().unwrap_err().to_string(), says);
    }
    let error = builder().max_entries(1).name("no spaces").build().unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error}");
}

#[test]
fn builds_weighers_and_clones_that_panic_leave_the_log_as_it_was() {
    static TAG: Tag = Tag::new("log/panics");

    struct Fragile(u8);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            assert_ne!(self.0, 2, "cannot be cloned");
            Self(self.0)
        }
    }
    let log = builder(&TAG)
        .max_entries(10)
        .weigher(|entry: &Fragile| u64::from(entry.0).checked_sub(1).expect("weightless"))
        .build()
        .unwrap();
    log.push(Fragile(1));
    assert!(panics(|| log.push(Fragile(0))));
    assert!(panics(|| log.push_with(|| panic!("no entry today"))));
    assert!(panics(|| log.extend([Fragile(2), Fragile(0), Fragile(3)])));
    assert!(panics(|| log.snapshot()));
    log.push(Fragile(4));
    assert_eq!((log.len(), log.stats().pushed_total), (3, 3));
    assert_eq!(log.recent(1)[0].0, 4);
}

#[test]
fn destructors_that_panic_are_counted_and_end_neither_a_call_nor_the_process() {
    static TAG: Tag = Tag::new("log/bombs");

    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the destructor");
        }
    }
    let log = builder(&TAG).max_entries(4).build().unwrap();
    log.extend((0..6).map(|_| Bomb));
    assert_eq!(log.stats().panics_total, 2);
    purge(&*as_purgeable(&log), u64::MAX);
    assert_eq!((log.len(), log.stats().panics_total), (0, 6));
    log.extend((0..3).map(|_| Bomb));
    log.clear();
    assert_eq!(log.stats().panics_total, 9);
    log.extend((0..3).map(|_| Bomb));
    assert!(panics(move || {
        let _last = log;
        panic!("and the log is dropped by it");
    }));
}

#[test]
fn builds_and_destructors_of_entries_may_use_the_log() {
    static TAG: Tag = Tag::new("log/reentrant");
    static LOG: OnceLock<BoundedLog<Meddler>> = OnceLock::new();
    static MEDDLED: AtomicUsize = AtomicUsize::new(0);

    struct Meddler;
    impl Drop for Meddler {
        fn drop(&mut self) {
            if let Some(log) = LOG.get() {
                MEDDLED.fetch_add(1 + log.len(), Ordering::Relaxed);
            }
        }
    }
    let log = LOG.get_or_init(|| builder(&TAG).max_entries(3).build().unwrap());
    for _ in 0..10 {
        log.push_with(|| {
            log.push(Meddler);
            Meddler
        });
    }
    assert!(MEDDLED.swap(0, Ordering::Relaxed) > 0);
    purge(&*as_purgeable(log), 1);
    assert!(MEDDLED.swap(0, Ordering::Relaxed) > 0);
    log.clear();
    assert!(MEDDLED.swap(0, Ordering::Relaxed) > 0);
}

#[test]
fn every_entry_is_held_or_counted_when_threads_and_purges_race() {
    static TAG: Tag = Tag::new("log/threads");
    const THREADS: usize = 4;
    const PUSHES: usize = 2000;
    let log = builder(&TAG).max_entries(300).max_bytes(20_000).build().unwrap();
    let empty = tag_usage(&TAG).live_bytes;
    let start = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                (0..PUSHES).for_each(|turn| log.push_with(|| vec![0u8; turn % 300]));
            });
        }
        start.wait();
        let purgeable = as_purgeable(&log);
        for round in 0..100 {
            purge(&*purgeable, if round % 10 == 0 { u64::MAX } else { 1000 });
        }
    });
    let stats = log.stats();
    assert_eq!(stats.pushed_total, (THREADS * PUSHES) as u64);
    assert_eq!(stats.pushed_total, stats.entries as u64 + stats.dropped_total());
    assert_eq!(tag_usage(&TAG).live_bytes - empty, stats.weight_bytes + stats.table_bytes);
}
