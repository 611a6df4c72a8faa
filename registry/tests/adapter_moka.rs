//! moka's caches over the real allocator.
#![cfg(feature = "moka")]

mod adapter_support;
mod turn;

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use adapter_support::{Bytes, ENTRIES, ask, ask_too_late, held, purge, value};
use bursar::{
    Bounds, Budget, Bursar, Entry, MokaAdapter, MokaFutureAdapter, PressureLevel, Profile,
    PurgeOutcome, Tag,
};
use moka::notification::ListenerFuture;
use turn::take_turn;

/// What one thread frees of a moka cache, any thread may have to wait for: the tests take turns.
fn filled(tag: &'static Tag) -> moka::sync::Cache<u64, Bytes> {
    let _tag = tag.enter();
    let cache = moka::sync::Cache::new(100_000);
    (0..ENTRIES).for_each(|key| cache.insert(key, value(key)));
    cache.run_pending_tasks();
    cache
}

/// Futures of moka that have nothing to wait for.
fn now<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it waits for something"),
    }
}

fn filled_future(tag: &'static Tag) -> moka::future::Cache<u64, Bytes> {
    let _tag = tag.enter();
    let cache = moka::future::Cache::new(100_000);
    (0..ENTRIES).for_each(|key| now(cache.insert(key, value(key))));
    now(cache.run_pending_tasks());
    cache
}

#[test]
fn half_of_a_cache_is_freed_within_the_call_and_claimed_as_it_is_measured() {
    static TAG: Tag = Tag::new("moka/half");
    let _turn = take_turn();
    let cache = filled(&TAG);
    let entry = Entry::from(MokaAdapter::new(&TAG, &cache));
    let purged = purge(&entry, &TAG, held(&TAG) / 2);
    assert!((0.49..0.55).contains(&purged.share()), "{purged:?}");
    purged.assert_is_honest();
    cache.run_pending_tasks();
    assert!((ENTRIES * 45 / 100..ENTRIES * 55 / 100).contains(&cache.entry_count()));
}

#[test]
fn everything_of_a_cache_goes_but_its_tables() {
    static TAG: Tag = Tag::new("moka/everything");
    let _turn = take_turn();
    let cache = filled(&TAG);
    let entry = Entry::from(MokaAdapter::new(&TAG, &cache));
    let purged = purge(&entry, &TAG, u64::MAX);
    purged.assert_is_honest();
    // 100 kB of key table, and 30 that an empty cache has, too.
    assert!(held(&TAG) < 150_000 && purged.share() > 0.97, "{purged:?}");
    assert_eq!(entry.purgeable().purgeable_bytes(), 0);
    assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Empty);
    assert_eq!(ask(&entry, 1), PurgeOutcome::Empty);
}

#[test]
fn a_weigher_of_bytes_is_taken_at_its_word_and_entries_of_all_sizes_go() {
    static TAG: Tag = Tag::new("moka/weighted");
    let _turn = take_turn();
    let _tag = TAG.enter();
    let weigher = |_: &u64, value: &Bytes| value.len() as u32;
    let cache = moka::sync::Cache::builder().max_capacity(64 << 20).weigher(weigher).build();
    (0..2000).for_each(|key| cache.insert(key, vec![1; (key as usize % 32) << 7].into()));
    cache.run_pending_tasks();
    let entry = Entry::from(MokaAdapter::new(&TAG, &cache).weighted_in_bytes());
    assert_eq!(entry.purgeable().purgeable_bytes(), cache.weighted_size());
    let purged = purge(&entry, &TAG, cache.weighted_size() / 2);
    assert!((0.40..0.60).contains(&purged.share()), "{purged:?}");
    assert!(purged.claimed <= purged.lost, "{purged:?}");
}

#[test]
fn a_cache_that_has_no_time_or_no_bounds_says_so() {
    static TAG: Tag = Tag::new("moka/refusals");
    let _turn = take_turn();
    let cache = filled(&TAG);
    let entry = Entry::from(MokaAdapter::new(&TAG, &cache));
    assert_eq!(ask_too_late(&entry), PurgeOutcome::Busy);
    assert_eq!(cache.iter().count() as u64, ENTRIES);
    let mut bounds = Bounds::default();
    bounds.max_entries = Some(10);
    assert!(!entry.purgeable().set_bounds(&bounds), "its capacity is for life");
}

/// A key that stands still when it is compared, if it is the one.
#[derive(PartialOrd, Ord)]
struct Slow(u64);

static COMPARED: Mutex<Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>> = Mutex::new(None);

impl std::hash::Hash for Slow {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl PartialEq for Slow {
    fn eq(&self, other: &Self) -> bool {
        if thread::current().name() == Some("stalled") {
            let stall = COMPARED.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some((standing, go_on)) = stall {
                standing.send(()).unwrap();
                go_on.recv().unwrap();
            }
        }
        self.0 == other.0
    }
}

impl Eq for Slow {}

#[test]
fn what_a_stalled_look_up_may_see_is_neither_freed_nor_claimed_until_it_goes_on() {
    static TAG: Tag = Tag::new("moka/stalled");
    let _turn = take_turn();
    let cache: moka::sync::Cache<Slow, Bytes> = TAG.scope(|| moka::sync::Cache::new(100_000));
    TAG.scope(|| (0..1000).for_each(|key| cache.insert(Slow(key), value(key))));
    let entry = Entry::from(MokaAdapter::new(&TAG, &cache));

    let ((standing, stands), (go_on, goes_on)) = (mpsc::channel(), mpsc::channel());
    *COMPARED.lock().unwrap() = Some((standing, goes_on));
    let reader = cache.clone();
    let look_up = move || reader.get(&Slow(7)).is_some();
    let reader = thread::Builder::new().name("stalled".to_owned()).spawn(look_up).unwrap();
    stands.recv().unwrap();

    let held_before = held(&TAG);
    let outcome = ask(&entry, u64::MAX);
    let lost = held_before.saturating_sub(held(&TAG));
    assert!(matches!(outcome, PurgeOutcome::Freed(claimed) if claimed <= lost), "{outcome:?}");
    assert!(lost < held_before / 2, "most of it is kept for the look-up: {lost} of {held_before}");
    go_on.send(()).unwrap();
    reader.join().unwrap();
    (0..1000).for_each(|_| cache.run_pending_tasks());
    assert!(held(&TAG) < held_before / 10, "any maintenance frees it: {}", held(&TAG));
}

/// With next to no wait after a futile cleanup.
fn start(budget_bytes: u64) -> Bursar {
    let mut profile = Profile::default();
    profile.cooldown = Duration::from_millis(1);
    let budget = Budget::new(budget_bytes).unwrap().with_profile(profile).unwrap();
    Bursar::builder().budget(budget).start().unwrap()
}

#[test]
fn a_growing_cache_is_kept_within_the_budget() {
    static TAG: Tag = Tag::new("moka/growing");
    let _turn = take_turn();
    let cache: moka::sync::Cache<u64, Bytes> = TAG.scope(|| moka::sync::Cache::new(u64::MAX));
    let bursar = start(32 << 20);
    let registration = bursar.register(MokaAdapter::new(&TAG, &cache)).unwrap();
    assert_eq!(registration.name(), "moka/growing");

    let cleanups = || bursar.stats().cleanups_total;
    let mut most_bytes = 0;
    for key in 0.. {
        TAG.scope(|| cache.insert(key, value(key)));
        most_bytes = most_bytes.max(held(&TAG));
        // As a service sheds load: this loop is not to outrun the purge.
        let seen = cleanups();
        while bursar.level() >= PressureLevel::Critical && cleanups() == seen {
            thread::yield_now();
        }
        if seen >= 3 {
            break;
        }
    }
    assert!(most_bytes < 36 << 20, "{most_bytes}");
    let stats = bursar.stats();
    let purgeable = stats.purgeables.iter().find(|p| p.name == "moka/growing").unwrap();
    assert!(purgeable.freed_bytes_total > 1 << 20, "{stats}");
}

#[test]
fn half_of_a_future_cache_and_then_all_of_it_is_freed_without_a_runtime() {
    static TAG: Tag = Tag::new("moka-future/half");
    let _turn = take_turn();
    let cache = filled_future(&TAG);
    let entry = Entry::from(MokaFutureAdapter::new(&TAG, &cache));
    let purged = purge(&entry, &TAG, held(&TAG) / 2);
    assert!((0.49..0.55).contains(&purged.share()), "{purged:?}");
    purged.assert_is_honest();
    purge(&entry, &TAG, u64::MAX).assert_is_honest();
    assert!(held(&TAG) < 150_000, "{}", held(&TAG));
    assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Empty);
}

#[test]
fn a_future_cache_whose_listener_waits_is_busy_and_is_purged_once_it_does_not() {
    static TAG: Tag = Tag::new("moka-future/busy");
    static IS_READY: AtomicBool = AtomicBool::new(false);
    let _turn = take_turn();
    let listener = |_, _, _| -> ListenerFuture {
        Box::pin(poll_fn(|_| match IS_READY.load(Ordering::Relaxed) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }))
    };
    let _tag = TAG.enter();
    let cache =
        moka::future::Cache::builder().max_capacity(1000).async_eviction_listener(listener).build();
    (0..100).for_each(|key| now(cache.insert(key, value(key))));
    now(cache.run_pending_tasks());
    let entry = Entry::from(MokaFutureAdapter::new(&TAG, &cache));
    assert_eq!(ask(&entry, u64::MAX), PurgeOutcome::Busy);
    IS_READY.store(true, Ordering::Relaxed);
    let purged = purge(&entry, &TAG, u64::MAX);
    assert!(purged.lost > 90 * 1024, "{purged:?}");
}

#[test]
fn the_entries_of_both_caches_are_counted_and_no_lookups() {
    static TAG: Tag = Tag::new("moka/figures");
    let _turn = take_turn();
    let of = |entry: Entry| {
        let figures = entry.purgeable().figures();
        (figures.entries, figures.hits_total)
    };
    let expected = (Some(ENTRIES), None);
    assert_eq!(of(MokaAdapter::new(&TAG, &filled(&TAG)).into()), expected);
    assert_eq!(of(MokaFutureAdapter::new(&TAG, &filled_future(&TAG)).into()), expected);
}
