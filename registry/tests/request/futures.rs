//! Futures of requests, polled by hand.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use bursar::{RequestExt, RequestScope};

use super::{LARGE_BYTES, block, bytes};

fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Pending once. Allocates nothing.
async fn next_poll() {
    let mut is_pending = true;
    std::future::poll_fn(|_| {
        if std::mem::take(&mut is_pending) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

/// Has `first` bytes across an `.await`, and answers with a block of `second`.
async fn work(first: usize, second: usize) -> Vec<u8> {
    let held = block(first);
    next_poll().await;
    drop(held);
    block(second)
}

#[test]
fn a_future_is_measured_across_its_awaits_on_whatever_thread() {
    let scope = RequestScope::new();
    let mut future = Box::pin(work(LARGE_BYTES, 2000).in_request(&scope));
    assert!(poll(&mut future).is_pending());
    assert_eq!(scope.usage().net_bytes, LARGE_BYTES as i64);
    drop(block(123));
    let answer = thread::spawn(move || {
        drop(block(456));
        let Poll::Ready(answer) = poll(&mut future) else { panic!("two polls") };
        answer
    });
    let answer = answer.join().unwrap();
    let usage = scope.usage();
    assert_eq!(bytes(&usage), (LARGE_BYTES as u64 + 2000, LARGE_BYTES as u64, 2000));
    assert_eq!(usage.peak_bytes, LARGE_BYTES as u64);
    assert_eq!(usage.sections, 3, "two polls and the drop");
    drop(answer);
}

#[test]
fn a_future_that_is_dropped_half_way_has_its_frees_counted_on_another_thread_too() {
    let scope = RequestScope::new();
    let mut future = Box::pin(work(5000, 1).in_request(&scope));
    assert!(poll(&mut future).is_pending());
    thread::spawn(move || drop(future)).join().unwrap();
    assert_eq!(bytes(&scope.usage()), (5000, 5000, 0));
    drop(Box::pin(work(5000, 1).in_request(&scope)));
    assert_eq!(scope.usage().allocated_bytes, 5000, "never polled, it did nothing");
}

#[test]
fn a_panic_in_a_poll_leaves_the_scope_and_the_future_can_be_dropped_in_it() {
    let scope = RequestScope::new();
    let mut future = Box::pin(
        async {
            let _held = block(LARGE_BYTES);
            next_poll().await;
            std::panic::resume_unwind(Box::new(()));
        }
        .in_request(&scope),
    );
    assert!(poll(&mut future).is_pending());
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut future).is_ready())).is_err());
    assert!(scope.usage().freed_bytes >= LARGE_BYTES as u64, "on the way");
    let sections = scope.usage().sections;
    drop(block(777));
    drop(future);
    assert_eq!(scope.usage().sections, sections + 1);
}

#[test]
fn a_child_future_that_is_polled_inside_its_request_counts_once_and_beside_it_as_well() {
    let scope = RequestScope::new();
    let child = work(100, 10).in_request(&scope);
    let mut parent = Box::pin(
        async {
            let answer = child.await;
            (answer, block(1))
        }
        .in_request(&scope),
    );
    assert!(poll(&mut parent).is_pending());
    let mut sibling = Box::pin(work(2000, 200).in_request(parent.scope()));
    assert!(poll(&mut sibling).is_pending());
    let (answers, other) = (poll(&mut parent), poll(&mut sibling));
    assert!(answers.is_ready() && other.is_ready());
    assert_eq!(bytes(&scope.usage()), (100 + 10 + 1 + 2000 + 200, 2100, 211));
    drop((answers, other));
}

#[test]
fn thousands_of_requests_at_once_have_their_own_figures_each() {
    const REQUESTS: usize = 4000;
    let first_bytes = |index: usize| 100 + index;
    let second_bytes = |index: usize| 10 * index + 1;
    let (send, receive) = mpsc::channel();
    let later = thread::spawn(move || {
        let mut futures: Vec<_> = receive.iter().collect();
        let answers: Vec<_> = futures.iter_mut().rev().map(poll).collect();
        assert!(answers.iter().all(Poll::is_ready));
        answers
    });
    let scopes: Vec<_> = (0..REQUESTS).map(|_| RequestScope::new()).collect();
    for (index, scope) in scopes.iter().enumerate() {
        let request = work(first_bytes(index), second_bytes(index)).in_request(scope);
        let mut request = Box::pin(request);
        assert!(poll(&mut request).is_pending());
        send.send(request).unwrap();
    }
    drop(send);
    let answers = later.join().unwrap();
    for (index, scope) in scopes.iter().enumerate() {
        let (first, second) = (first_bytes(index) as u64, second_bytes(index) as u64);
        let usage = scope.usage();
        assert_eq!(bytes(&usage), (first + second, first, second as i64), "request {index}");
        assert!((first.max(second)..=first + second).contains(&usage.peak_bytes));
    }
    drop(answers);
}

#[test]
fn a_guard_and_a_future_keep_the_figures_without_the_scope() {
    let scope = RequestScope::new();
    let mut future = Box::pin(work(10, 20).in_request(&scope));
    let guard = scope.enter();
    drop(scope);
    let kept = block(3000);
    drop(guard);
    assert!(poll(&mut future).is_pending());
    assert_eq!(future.scope().usage().net_bytes, 3010);
    drop(kept);
}

#[cfg(feature = "stream")]
#[test]
fn a_stream_is_measured_at_each_item_and_while_it_is_dropped() {
    struct Pages(Vec<u8>);

    impl futures_core::Stream for Pages {
        type Item = Vec<u8>;

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
            Poll::Ready(Some(block(self.0.capacity())))
        }
    }

    use futures_core::Stream;

    let scope = RequestScope::new();
    let mut pages = Box::pin(Pages(block(50)).in_request(&scope));
    let mut context = Context::from_waker(Waker::noop());
    let first = pages.as_mut().poll_next(&mut context);
    let second = pages.as_mut().poll_next(&mut context);
    assert_eq!(pages.size_hint(), (0, None));
    drop(pages);
    assert_eq!(bytes(&scope.usage()), (100, 50, 50));
    drop((first, second));
}
