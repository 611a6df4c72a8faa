//! The pool over the real allocator.

mod user_code;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use bursar::{
    AccountingAllocator, Bounds, Bursar, Entry, Error, Pool, PressureLevel, PurgeOutcome,
    PurgeRequest, Purgeable, Registry, Stage, System, Tag, TagHandle, tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

const BUFFER_BYTES: usize = 10_000;

fn buffers(tag: &'static Tag) -> Pool<Vec<u8>> {
    Pool::builder(tag, || Vec::with_capacity(BUFFER_BYTES))
        .reset(Vec::clear)
        .weigher(|buffer| buffer.capacity() as u64)
        .max_object_bytes(2 * BUFFER_BYTES as u64)
        .build()
        .unwrap()
}

/// Has `count` objects idle.
fn fill<T>(pool: &Pool<T>, count: usize) {
    let in_use: Vec<_> = (0..count).map(|_| pool.acquire()).collect();
    drop(in_use);
}

/// What the monitor's thread calls.
fn as_purgeable<T: Send + 'static>(pool: &Pool<T>) -> Arc<dyn Purgeable> {
    Arc::clone(Entry::from(pool).purgeable())
}

fn purge(purgeable: &dyn Purgeable, target_bytes: u64) -> PurgeOutcome {
    purgeable.purge(&PurgeRequest::new(target_bytes, PressureLevel::Warning))
}

fn panics<T>(f: impl FnOnce() -> T) -> bool {
    catch_unwind(AssertUnwindSafe(f)).is_err()
}

#[test]
fn an_object_that_was_returned_is_reset_and_handed_out_again() {
    static TAG: Tag = Tag::new("pool/basics");
    let pool = buffers(&TAG);
    let mut buffer = pool.acquire();
    buffer.extend(b"left over");
    let address = buffer.as_ptr();
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.idle, stats.weight_bytes), (1, 0, 0));
    drop(buffer);
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.idle, stats.weight_bytes), (0, 1, BUFFER_BYTES as u64));

    let again = pool.acquire();
    assert_eq!((again.as_ptr(), again.len()), (address, 0));
    let stats = pool.stats();
    assert_eq!((stats.created_total, stats.reused_total, stats.returned_total), (1, 1, 1));
    assert!((stats.reuse_ratio() - 0.5).abs() < 1e-9);
}

#[test]
fn an_object_without_a_weigher_weighs_what_building_it_left_under_the_tag() {
    static TAG: Tag = Tag::new("pool/weights");
    let pool = Pool::new(&TAG, || vec![0u8; 5000]);
    let mut object = pool.acquire();
    object.reserve_exact(20_000);
    drop(object);
    assert_eq!(pool.stats().weight_bytes, 5000, "its growth is with the tag");
    assert!(tag_usage(&TAG).live_bytes >= 25_000);
}

#[test]
fn a_detached_object_does_not_come_back() {
    static TAG: Tag = Tag::new("pool/detached");
    let pool = buffers(&TAG);
    let buffer: Vec<u8> = pool.acquire().detach();
    let stats = pool.stats();
    assert_eq!((stats.in_use, stats.detached_total, stats.returned_total), (0, 1, 0));
    assert_eq!(buffer.capacity(), BUFFER_BYTES);
}

#[test]
fn what_is_too_many_or_too_heavy_is_dropped_when_it_comes_back_and_counted_by_cause() {
    static TAG: Tag = Tag::new("pool/discarded");
    let pool = Pool::builder(&TAG, || Vec::<u8>::with_capacity(100))
        .weigher(|buffer| buffer.capacity() as u64)
        .max_object_bytes(1000)
        .max_entries(2)
        .build()
        .unwrap();
    fill(&pool, 5);
    assert_eq!((pool.stats().idle, pool.stats().discarded_full_total), (2, 3));

    let mut grown = pool.acquire();
    grown.reserve_exact(1001);
    drop(grown);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.discarded_oversized_total, stats.weight_bytes), (1, 1, 100));
    assert_eq!(stats.discarded_total(), 4);
}

#[test]
fn idle_objects_weigh_at_most_what_they_may_together() {
    static TAG: Tag = Tag::new("pool/max-bytes");
    let pool = Pool::builder(&TAG, || vec![0u8; 1000]).max_bytes(3500).build().unwrap();
    fill(&pool, 5);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.weight_bytes, stats.discarded_full_total), (3, 3000, 2));
}

#[test]
fn a_purge_drops_those_idle_for_longest_by_the_bytes_asked_and_the_tag_shows_it() {
    static TAG: Tag = Tag::new("pool/purge");
    let pool = buffers(&TAG);
    let held: Vec<_> = (0..10).map(|_| pool.acquire()).collect();
    let latest: Vec<_> = held.iter().skip(3).map(|buffer| buffer.as_ptr() as usize).collect();
    held.into_iter().for_each(drop);

    let purgeable = as_purgeable(&pool);
    assert!(purgeable.purgeable_bytes() >= 10 * BUFFER_BYTES as u64);
    let before = tag_usage(&TAG).live_bytes;
    let target = 3 * BUFFER_BYTES as u64;
    assert_eq!(purge(&*purgeable, target), PurgeOutcome::Freed(target));
    assert_eq!(before - tag_usage(&TAG).live_bytes, target);
    assert_eq!(pool.stats().purged_total, 3);
    let left: Vec<_> = (0..7).map(|_| pool.acquire()).collect();
    assert_eq!(left.iter().map(|buffer| buffer.as_ptr() as usize).collect::<Vec<_>>(), latest);
}

#[test]
fn a_purge_of_everything_gives_the_queue_back_too() {
    static TAG: Tag = Tag::new("pool/everything");
    let pool = buffers(&TAG);
    // A thread's first look into any pool allocates once, for the thread's life.
    drop(buffers(&TAG).acquire());
    let empty = tag_usage(&TAG).live_bytes;
    fill(&pool, 64);
    let full = tag_usage(&TAG).live_bytes;
    let purgeable = as_purgeable(&pool);
    let promised = purgeable.purgeable_bytes();
    let PurgeOutcome::Freed(claimed) = purge(&*purgeable, u64::MAX) else {
        panic!("there was something to free")
    };
    assert_eq!(tag_usage(&TAG).live_bytes, empty);
    let freed = full - empty;
    assert!(claimed.abs_diff(freed) <= freed / 50, "claimed {claimed}, freed {freed}");
    assert!(promised.abs_diff(freed) <= freed / 50, "promised {promised}, freed {freed}");
    assert_eq!(purge(&*purgeable, u64::MAX), PurgeOutcome::Empty);
    assert_eq!(purge(&*purgeable, 1), PurgeOutcome::Empty);

    fill(&pool, 1);
    assert_eq!(pool.stats().idle, 1, "it is used on");
    drop(pool);
    assert_eq!(purgeable.purgeable_bytes(), 0, "a pool that is gone has nothing to free");
}

#[test]
fn a_pool_that_is_dropped_leaves_nothing_under_its_tag() {
    static TAG: Tag = Tag::new("pool/dropped");
    static OTHER: Tag = Tag::new("pool/dropped-other");
    // A thread's first look into any pool allocates once, for the thread's life.
    drop(buffers(&OTHER).acquire());
    let pool = buffers(&TAG);
    fill(&pool, 5);
    let last = pool.acquire();
    drop(pool);
    assert!(tag_usage(&TAG).live_bytes >= 5 * BUFFER_BYTES as u64, "an object keeps it alive");
    drop(last);
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}

#[test]
fn a_purge_past_its_deadline_drops_nothing() {
    static TAG: Tag = Tag::new("pool/deadline");
    let pool = buffers(&TAG);
    fill(&pool, 5);
    let mut request = PurgeRequest::new(u64::MAX, PressureLevel::Warning);
    request.deadline = Some(Instant::now());
    assert_eq!(as_purgeable(&pool).purge(&request), PurgeOutcome::Busy);
    assert_eq!(pool.stats().idle, 5);
    request.deadline = Instant::now().checked_add(Duration::from_secs(3600));
    assert!(matches!(as_purgeable(&pool).purge(&request), PurgeOutcome::Freed(_)));
    assert_eq!(pool.stats().idle, 0);
}

#[test]
fn a_bound_that_is_changed_holds_at_once_and_keeps_those_that_fit() {
    static TAG: Tag = Tag::new("pool/bounds");
    let pool = buffers(&TAG);
    fill(&pool, 10);
    pool.set_max_entries(4).unwrap();
    assert_eq!((pool.stats().idle, pool.stats().discarded_full_total), (4, 6));
    pool.set_max_entries(100).unwrap();
    assert_eq!(pool.stats().idle, 4);
    fill(&pool, 80);
    assert_eq!(pool.stats().idle, 80);

    let mut bounds = Bounds::default();
    bounds.max_bytes = Some(20 * BUFFER_BYTES as u64);
    assert!(as_purgeable(&pool).set_bounds(&bounds));
    assert_eq!(pool.stats().weight_bytes, 20 * BUFFER_BYTES as u64);
    bounds.max_entries = Some(0);
    assert!(as_purgeable(&pool).set_bounds(&bounds));
    assert_eq!(pool.stats().idle, 1, "a bound of none is taken as one");
    assert!(pool.set_max_entries(0).is_err());
    assert_eq!(pool.stats().weight_bytes, BUFFER_BYTES as u64);
}

#[test]
fn an_object_is_used_by_one_at_a_time_and_the_counts_add_up_when_threads_purges_and_bounds_race() {
    static TAG: Tag = Tag::new("pool/threads");
    const THREADS: usize = 4;
    const ROUNDS: usize = 500;
    let dropped = Arc::new(AtomicUsize::new(0));

    struct Counted(
        AtomicBool,
        Arc<AtomicUsize>,
        #[expect(dead_code, reason = "for its weight")] Vec<u8>,
    );
    impl Drop for Counted {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }
    let factory = {
        let dropped = Arc::clone(&dropped);
        move || Counted(AtomicBool::new(false), Arc::clone(&dropped), vec![0; 100])
    };
    let pool = Pool::builder(&TAG, factory).max_entries(3).build().unwrap();
    let purgeable = as_purgeable(&pool);
    let start = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                for _ in 0..ROUNDS {
                    let (one, other) = (pool.acquire(), pool.acquire());
                    assert!(!one.0.swap(true, Ordering::Relaxed), "somebody else uses it");
                    assert!(!other.0.swap(true, Ordering::Relaxed), "somebody else uses it");
                    one.0.store(false, Ordering::Relaxed);
                    other.0.store(false, Ordering::Relaxed);
                }
            });
        }
        start.wait();
        for round in 0..ROUNDS {
            pool.set_max_entries(1 + round % 5).unwrap();
            purge(&*purgeable, if round % 2 == 0 { u64::MAX } else { 100 });
        }
    });
    let stats = pool.stats();
    assert_eq!(stats.created_total + stats.reused_total, (2 * THREADS * ROUNDS) as u64);
    assert_eq!(stats.returned_total, (2 * THREADS * ROUNDS) as u64);
    assert_eq!(stats.in_use, 0);
    let dropped = dropped.load(Ordering::Relaxed) as u64;
    assert_eq!(stats.created_total, stats.idle as u64 + dropped, "none is lost");
    assert_eq!(dropped, stats.discarded_total() + stats.purged_total);
    assert_eq!(stats.weight_bytes, 100 * stats.idle as u64);
}

#[test]
fn settings_that_make_no_sense_are_refused_with_what_is_allowed() {
    static TAG: Tag = Tag::new("pool/refused");
    let builder = || Pool::builder(&TAG, || 0u8);
    for too in [0, usize::MAX] {
        let error = builder().max_entries(too).build().unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("max_entries {too} is not allowed; allowed is 1 to 1048576")
        );
    }
    let error = builder().max_bytes(0).build().unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "max_bytes", .. }), "{error}");
    let error = builder().weigher(|_| 0).max_object_bytes(0).build().unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "max_object_bytes", .. }), "{error}");
    let error = builder().max_object_bytes(10).build().unwrap_err();
    assert!(matches!(error, Error::Contradiction { other_name: "weigher", .. }), "{error}");
    let error = builder().name("no spaces").build().unwrap_err();
    assert!(matches!(error, Error::InvalidName { .. }), "{error}");
}

#[test]
fn the_release_stage_of_a_cleanup_drains_the_pool() {
    static TAG: Tag = Tag::new("pool/cleanup");
    let bursar = Bursar::builder().budget("16MiB").threadless(true).start().unwrap();
    let pool = Pool::new(&TAG, || vec![0u8; 1 << 20]);
    let _registration = bursar.register(&pool).unwrap();
    fill(&pool, 32);
    let report = bursar.reclaim(PressureLevel::Critical).unwrap();
    let released = report.stages.iter().find(|stage| stage.stage == Stage::Release).unwrap();
    assert!(released.freed_bytes >= 16 << 20, "{report}");
    assert!(pool.stats().purged_total >= 16);
}

#[test]
fn two_pools_of_one_tag_made_at_run_time_are_registered_by_their_names() {
    let tag = TagHandle::new("pool/run-time").unwrap();
    let registry = Registry::default();
    let one = Pool::new(&tag, || 1);
    let other = Pool::builder(&tag, || 2).name("other").build().unwrap();
    let (one, other) = (registry.register(&one).unwrap(), registry.register(&other).unwrap());
    assert_eq!((one.name(), other.name()), ("pool/run-time", "other"));
}

#[test]
fn objects_that_only_one_thread_may_use_at_a_time_go_from_thread_to_thread() {
    static TAG: Tag = Tag::new("pool/not-sync");
    let pool = Pool::new(&TAG, || Cell::new(0));
    thread::scope(|scope| scope.spawn(|| pool.acquire().set(7)).join().unwrap());
    assert_eq!(pool.acquire().get(), 7);
}

#[test]
fn a_factory_that_takes_its_time_keeps_nobody_else_waiting() {
    static TAG: Tag = Tag::new("pool/no-lock");
    let is_first = AtomicBool::new(true);
    let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let pool = Pool::new(&TAG, {
        let (entered, leave) = (Arc::clone(&entered), Arc::clone(&leave));
        move || {
            if is_first.swap(false, Ordering::Relaxed) {
                entered.wait();
                leave.wait();
            }
        }
    });
    thread::scope(|scope| {
        scope.spawn(|| drop(pool.acquire()));
        entered.wait();
        drop(pool.acquire());
        assert_eq!((pool.stats().created_total, pool.stats().idle), (1, 1));
        leave.wait();
    });
    assert_eq!(pool.stats().created_total, 2);
}
