//! Tags that follow futures and streams.

use std::cell::RefCell;
use std::hint::black_box;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bursar_alloc::{Tag, TagExt, TagHandle, tag_usage};

/// Allocates ten bytes at each poll and keeps them; ready at the third. Allocates a byte when it
/// is dropped, into its thread's sink.
struct Hoarder(Vec<Vec<u8>>);

impl Future for Hoarder {
    type Output = Vec<Vec<u8>>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.push(Vec::with_capacity(10));
        if self.0.len() < 3 { Poll::Pending } else { Poll::Ready(std::mem::take(&mut self.0)) }
    }
}

impl Drop for Hoarder {
    fn drop(&mut self) {
        DROPPED_INTO.with_borrow_mut(|sink| sink.push(Vec::with_capacity(1)));
    }
}

thread_local! {
    static DROPPED_INTO: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

fn sink_table_bytes() -> u64 {
    DROPPED_INTO.with_borrow(|sink| (sink.capacity() * size_of::<Vec<u8>>()) as u64)
}

fn live_bytes(tag: &'static Tag) -> u64 {
    tag_usage(tag).live_bytes
}

#[test]
fn a_tagged_future_charges_its_tag_at_each_poll_on_whatever_thread() {
    static TAG: Tag = Tag::new("futures/polls");
    let mut future = Box::pin(Hoarder(Vec::with_capacity(3)).tagged(&TAG));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    let kept = std::thread::spawn(move || {
        let mut context = Context::from_waker(Waker::noop());
        assert!(future.as_mut().poll(&mut context).is_pending());
        let outside = black_box(Vec::<u8>::with_capacity(1234));
        let Poll::Ready(kept) = future.as_mut().poll(&mut context) else { panic!("three polls") };
        drop(outside);
        // The drop's byte stays in this thread's sink, and goes with the thread.
        drop(future);
        assert_eq!(live_bytes(&TAG), 30 + 1 + sink_table_bytes());
        kept
    })
    .join()
    .unwrap();
    assert_eq!(live_bytes(&TAG), 30);
    drop(kept);
    assert_eq!(live_bytes(&TAG), 0);
}

#[test]
fn a_cancelled_future_is_dropped_under_its_tag_on_another_thread_too() {
    static TAG: Tag = Tag::new("futures/cancelled");
    let mut future = Box::pin(Hoarder(Vec::with_capacity(3)).tagged(&TAG));
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    std::thread::spawn(move || {
        drop(future);
        assert_eq!(live_bytes(&TAG), 1 + sink_table_bytes(), "what its drop has allocated");
    })
    .join()
    .unwrap();
    assert_eq!(live_bytes(&TAG), 0);
}

#[test]
fn an_async_block_is_charged_across_its_awaits_and_its_callers_tag_is_left_alone() {
    static TASK: Tag = Tag::new("futures/task");
    static CALLER: Tag = Tag::new("futures/caller");
    let _guard = CALLER.enter();
    let mut yielded = false;
    let task = async {
        let first = black_box(Vec::<u8>::with_capacity(100));
        std::future::poll_fn(|_| {
            if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        (first, black_box(Vec::<u8>::with_capacity(200)))
    };
    let mut task = std::pin::pin!(task.tagged(&TASK));
    let mut context = Context::from_waker(Waker::noop());
    assert!(task.as_mut().poll(&mut context).is_pending());
    let between = black_box(Vec::<u8>::with_capacity(7));
    let Poll::Ready(kept) = task.as_mut().poll(&mut context) else { panic!("yields once") };
    assert_eq!((live_bytes(&TASK), live_bytes(&CALLER)), (300, 7));
    drop((between, kept));
}

#[test]
fn a_panic_in_a_poll_leaves_the_tag() {
    static TAG: Tag = Tag::new("futures/panic");
    let mut future = Box::pin(async { std::panic::resume_unwind(Box::new(0)) }.tagged(&TAG));
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Poll<()> = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }));
    assert!(polled.is_err());
    drop((polled, future));
    let before = tag_usage(&TAG).allocated_bytes_total;
    drop(std::hint::black_box(Box::new([0u8; 100])));
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, before);
}

#[test]
fn a_tagged_future_keeps_a_tag_made_at_run_time_in_use() {
    let future = Box::pin(Hoarder(Vec::new()).tagged(TagHandle::new("futures/made").unwrap()));
    assert_eq!(future.tag().name(), "futures/made");
    let is_listed = || bursar_alloc::usage().tags.iter().any(|tag| tag.name == "futures/made");
    assert!(is_listed());
    std::thread::spawn(move || drop(future)).join().unwrap();
    assert!(!is_listed());
}

#[cfg(feature = "stream")]
#[test]
fn a_tagged_stream_charges_its_tag_for_each_item() {
    use futures_core::Stream;

    struct Numbers(u8);
    impl Stream for Numbers {
        type Item = Vec<u8>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Vec<u8>>> {
            self.0 -= 1;
            Poll::Ready((self.0 > 0).then(|| Vec::with_capacity(10)))
        }

        fn size_hint(&self) -> (usize, Option<usize>) {
            (usize::from(self.0) - 1, Some(usize::from(self.0) - 1))
        }
    }
    static TAG: Tag = Tag::new("futures/stream");
    let mut stream = Box::pin(Numbers(3).tagged(&TAG));
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(stream.size_hint(), (2, Some(2)));
    let mut items = Vec::with_capacity(2);
    while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut context) {
        items.push(item);
    }
    assert_eq!((items.len(), live_bytes(&TAG)), (2, 20));
    drop(items);
    assert_eq!(live_bytes(&TAG), 0);
}
