//! One loader a key, by futures, polled by hand.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use bursar::{Cache, Tag};

use crate::{Bytes, COUNTERS};

/// Knows how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn poll_by<F: Future>(woken: &Arc<Woken>, future: Pin<&mut F>) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(woken));
    future.poll(&mut Context::from_waker(&waker))
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Is pending once.
#[derive(Default)]
struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// Loads `len` bytes at its second poll.
async fn slowly(len: usize) -> Bytes {
    let first = vec![1; len / 2];
    Pause::default().await;
    [first, vec![2; len - len / 2]].concat().into()
}

#[test]
fn futures_that_miss_one_key_get_the_value_of_one_load() {
    static TAG: Tag = Tag::new("cache/async");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let mut leader = pin!(cache.get_or_insert_async(1, || slowly(104)));
    let mut follower = pin!(cache.get_or_insert_async(1, || async { unreachable!() }));
    let woken = Arc::new(Woken::default());
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(follower.as_mut()).is_pending());
    // Of two wakers, the later counts.
    assert!(poll_by(&woken, follower.as_mut()).is_pending());

    assert!(poll(leader.as_mut()).is_ready());
    assert_eq!(woken.times(), 1);
    let Poll::Ready(value) = poll(follower) else { panic!("the load has ended") };
    assert_eq!(value.len(), 104);
    let stats = cache.stats();
    assert_eq!((stats.loads_total, stats.misses_total), (1, 2));
    assert_eq!(stats.weight_bytes, 104 + COUNTERS);
    assert_eq!(stats.unattributed_bytes, 0);
}

#[test]
fn who_waits_gets_the_value_though_it_is_not_kept() {
    static TAG: Tag = Tag::new("cache/async-rejected");
    let cache: Cache<u64, Bytes> = Cache::builder(&TAG).max_bytes(1000).build().unwrap();
    let mut leader = pin!(cache.get_or_insert_async(1, || slowly(5000)));
    let mut follower = pin!(cache.get_or_insert_async(1, || async { unreachable!() }));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(follower.as_mut()).is_pending());
    assert!(poll(leader.as_mut()).is_ready());
    assert!(cache.is_empty());
    assert!(matches!(poll(follower), Poll::Ready(value) if value.len() == 5000));
}

#[test]
fn a_load_that_is_dropped_by_a_timeout_lets_all_who_wait_load_by_themselves_at_once() {
    static TAG: Tag = Tag::new("cache/async-dropped");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let mut leader = Box::pin(cache.get_or_insert_async(1, || slowly(10)));
    let mut followers =
        [20, 30].map(|len| Box::pin(cache.get_or_insert_async(1, move || slowly(len))));
    let woken = Arc::new(Woken::default());
    assert!(poll(leader.as_mut()).is_pending());
    for follower in &mut followers {
        assert!(poll_by(&woken, follower.as_mut()).is_pending());
    }
    drop(leader);
    assert_eq!(woken.times(), 2);
    assert_eq!(cache.stats().load_failures_total, 1);
    // Neither waits for the other: both are in their own load, and end by their second poll.
    assert!(followers.iter_mut().all(|follower| poll(follower.as_mut()).is_pending()));
    assert!(followers.iter_mut().all(|follower| poll(follower.as_mut()).is_ready()));
    assert_eq!(cache.stats().loads_total, 2);
    assert_eq!(cache.stats().unattributed_bytes, 0);
}

#[test]
fn a_load_that_fails_lets_those_go_who_wait_and_its_error_is_its_callers_alone() {
    static TAG: Tag = Tag::new("cache/async-failing");
    let cache: Cache<u64, u64> = Cache::new(&TAG);
    let failing = || async {
        Pause::default().await;
        Err("no backend")
    };
    let mut leader = pin!(cache.try_get_or_insert_async(1, failing));
    let mut follower = pin!(cache.try_get_or_insert_async(1, || async { Ok::<_, &str>(7) }));
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll(follower.as_mut()).is_pending());
    assert_eq!(poll(leader), Poll::Ready(Err("no backend")));
    assert_eq!(poll(follower), Poll::Ready(Ok(7)));
}

#[test]
fn nobody_waits_for_a_load_that_began_before_the_key_was_removed() {
    static TAG: Tag = Tag::new("cache/async-outdated");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let mut before = pin!(cache.get_or_insert_async(1, || slowly(10)));
    assert!(poll(before.as_mut()).is_pending());
    assert!(cache.remove(&1).is_none());
    let mut after = pin!(cache.get_or_insert_async(1, || slowly(20)));
    assert!(poll(after.as_mut()).is_pending());
    assert!(poll(after).is_ready());
    assert!(matches!(poll(before), Poll::Ready(value) if value.len() == 10));
    assert_eq!(cache.get(&1).map(|value| value.len()), Some(20));
}

#[test]
fn who_stops_waiting_is_not_woken() {
    static TAG: Tag = Tag::new("cache/async-stopped");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let mut leader = pin!(cache.get_or_insert_async(1, || slowly(10)));
    let mut follower = Box::pin(cache.get_or_insert_async(1, || async { unreachable!() }));
    let woken = Arc::new(Woken::default());
    assert!(poll(leader.as_mut()).is_pending());
    assert!(poll_by(&woken, follower.as_mut()).is_pending());
    drop(follower);
    assert!(poll(leader).is_ready());
    assert_eq!((woken.times(), Arc::strong_count(&woken)), (0, 1));
}

#[test]
fn a_thread_does_not_wait_for_a_load_that_only_it_may_be_there_to_poll() {
    static TAG: Tag = Tag::new("cache/async-and-sync");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let mut leader = pin!(cache.get_or_insert_async(1, || slowly(10)));
    assert!(poll(leader.as_mut()).is_pending());
    assert_eq!(cache.get_or_insert_with(1, || vec![0; 20].into()).len(), 20);
    assert!(matches!(poll(leader), Poll::Ready(value) if value.len() == 10));
}

#[test]
fn a_future_waits_for_a_threads_load_without_blocking_its_own_thread() {
    static TAG: Tag = Tag::new("cache/sync-and-async");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let (loading, is_loading) = std::sync::mpsc::channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let leader = scope.spawn(|| {
            let load = move || {
                loading.send(()).unwrap();
                may_go_on.recv().unwrap();
                vec![3; 10].into()
            };
            cache.get_or_insert_with(1, load)
        });
        is_loading.recv().unwrap();
        let mut follower = pin!(cache.get_or_insert_async(1, || async { unreachable!() }));
        assert!(poll(follower.as_mut()).is_pending());
        go_on.send(()).unwrap();
        let value = leader.join().unwrap();
        assert_eq!(poll(follower), Poll::Ready(value));
    });
    assert_eq!(cache.stats().loads_total, 1);
}

#[test]
fn a_load_that_wants_its_own_key_or_one_that_is_being_loaded_makes_it_itself() {
    static TAG: Tag = Tag::new("cache/async-recursion");
    let cache: Cache<u64, u64> = Cache::new(&TAG);
    let value = |key, others: u64| {
        let cache = &cache;
        cache.get_or_insert_async(key, move || async move {
            Pause::default().await;
            key + cache.get_or_insert_async(others, || async move { others }).await
        })
    };
    let mut own = pin!(value(1, 1));
    assert!(poll(own.as_mut()).is_pending());
    assert_eq!(poll(own), Poll::Ready(2));

    let (mut first, mut second) = (pin!(value(10, 20)), pin!(value(20, 10)));
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(poll(first), Poll::Ready(30));
    assert!(poll(second).is_ready());
}

#[test]
fn a_look_up_is_send_if_what_it_loads_is() {
    static TAG: Tag = Tag::new("cache/async-send");
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    let cache: Cache<String, Bytes> = Cache::new(&TAG);
    let look_up = is_send(cache.get_or_insert_async("a".to_owned(), || slowly(64)));
    let mut look_up = Box::pin(look_up);
    assert!(poll(look_up.as_mut()).is_pending());
    std::thread::scope(|scope| {
        let ended = scope.spawn(move || poll(look_up.as_mut()).is_ready());
        assert!(ended.join().unwrap());
    });
    // What both threads kept, less what they freed.
    assert_eq!(cache.stats().weight_bytes, 64 + COUNTERS);
    assert_eq!(cache.stats().unattributed_bytes, 0);
}
