//! What building a value left allocated under a tag: its weight, without a weigher.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bursar_alloc::{TagHandle, thread_usage};
use pin_project_lite::pin_project;

/// What `f` kept under `tag` on this thread, negative where it freed more; `None` where that cannot
/// be known (without the accounting allocator, or on a thread with no counters of its own).
fn measured<T>(tag: &TagHandle, f: impl FnOnce() -> T) -> (T, Option<i64>) {
    let before = thread_usage(tag);
    let value = f();
    let after = thread_usage(tag);
    (value, after.zip(before).map(|(after, before)| after.since(&before).kept_bytes()))
}

/// What `f` kept under `tag` on this thread: negative where it freed more, 0 where nobody knows.
pub(super) fn kept<T>(tag: &TagHandle, f: impl FnOnce() -> T) -> (T, i64) {
    let (value, kept) = measured(tag, f);
    (value, kept.unwrap_or(0))
}

/// What `f` gave back to `tag` on this thread, if that can be known.
pub(super) fn freed<T>(tag: &TagHandle, f: impl FnOnce() -> T) -> (T, Option<u64>) {
    let (value, kept) = measured(tag, f);
    (value, kept.map(|kept| u64::try_from(kept.saturating_neg()).unwrap_or(0)))
}

/// Runs `build` with `tag` entered, and weighs what it built.
pub(super) fn weigh<T>(tag: &TagHandle, build: impl FnOnce() -> T) -> (T, u64) {
    let _tag = tag.enter();
    let (value, kept) = kept_by_build(tag, build);
    (value, weight(kept))
}

/// As [`kept`], less what was [`attribute`]d to others meanwhile.
fn kept_by_build<T>(tag: &TagHandle, build: impl FnOnce() -> T) -> (T, i64) {
    let under_way = UnderWay::begin(tag);
    let (value, kept) = kept(tag, build);
    (value, kept.wrapping_sub(under_way.end()))
}

/// Says that `bytes` more of `tag`'s on this thread (fewer, if negative) belong to what is weighed
/// already: a build within which that happens does not weigh them again.
pub(super) fn attribute(tag: &TagHandle, bytes: i64) {
    with_builds(|builds| {
        let under_way = builds.iter_mut().map_while(Option::as_mut);
        for build in under_way.filter(|build| build.tag == *tag) {
            build.attributed_bytes = build.attributed_bytes.wrapping_add(bytes);
        }
    });
}

/// Whether this thread is inside of a build that is being weighed.
pub(super) fn is_building() -> bool {
    with_builds(|builds| builds[0].is_some()).unwrap_or(false)
}

/// Builds within builds that are told apart; what is deeper has its bytes weighed in those
/// around it too.
const MAX_DEPTH: usize = 16;

thread_local! {
    // The outermost first, and none behind a gap: those within another end before it. Not a `Vec`,
    // whose memory would be part of what is weighed.
    static BUILDS: RefCell<[Option<Build>; MAX_DEPTH]> =
        const { RefCell::new([const { None }; MAX_DEPTH]) };
}

/// A build that runs on this thread.
struct Build {
    tag: TagHandle,
    attributed_bytes: i64,
}

/// `None` once the thread's locals are gone.
fn with_builds<T>(f: impl FnOnce(&mut [Option<Build>; MAX_DEPTH]) -> T) -> Option<T> {
    BUILDS.try_with(|builds| builds.try_borrow_mut().ok().map(|mut builds| f(&mut builds))).ok()?
}

/// A build from its beginning to its end, an unwinding one's included. Those within it end first.
struct UnderWay {
    place: Option<usize>,
}

impl UnderWay {
    fn begin(tag: &TagHandle) -> Self {
        let place = with_builds(|builds| {
            let place = builds.iter().position(Option::is_none)?;
            builds[place] = Some(Build { tag: tag.clone(), attributed_bytes: 0 });
            Some(place)
        });
        Self { place: place.flatten() }
    }

    /// What was attributed meanwhile.
    fn end(mut self) -> i64 {
        self.leave().map_or(0, |build| build.attributed_bytes)
    }

    fn leave(&mut self) -> Option<Build> {
        let place = self.place.take()?;
        with_builds(|builds| builds[place].take())?
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        drop(self.leave());
    }
}

/// Who frees more than he allocates has built nothing of weight.
fn weight(kept: i64) -> u64 {
    u64::try_from(kept).unwrap_or(0)
}

pin_project! {
    /// As [`weigh`], for a future: what its polls kept, on whatever threads they ran, summed.
    #[must_use = "futures do nothing unless polled"]
    pub(super) struct Weighed<F> {
        // `None` only once the drop below has begun.
        #[pin]
        build: Option<F>,
        tag: TagHandle,
        kept: i64,
    }

    impl<F> PinnedDrop for Weighed<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _tag = this.tag.enter();
            this.build.set(None);
        }
    }
}

impl<F: Future> Weighed<F> {
    pub(super) fn new(tag: TagHandle, build: F) -> Self {
        Self { build: Some(build), tag, kept: 0 }
    }
}

impl<F: Future> Future for Weighed<F> {
    /// The value, and its weight: what the finished future itself still holds is not in it.
    type Output = (F::Output, u64);

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let _tag = this.tag.enter();
        let build = this.build.as_mut();
        let (polled, kept_now) = kept_by_build(this.tag, || match build.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        });
        *this.kept = this.kept.wrapping_add(kept_now);
        let value = ready!(polled);
        // What the future kept for itself goes with it.
        let ((), freed) = kept_by_build(this.tag, || this.build.set(None));
        Poll::Ready((value, weight(this.kept.wrapping_add(freed))))
    }
}

#[cfg(test)]
mod tests {
    use bursar_alloc::Tag;

    use super::*;

    /// Yields once, on its way from thread to thread.
    struct Yield(bool);

    impl Future for Yield {
        type Output = ();

        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
        }
    }

    #[test]
    fn a_value_weighs_what_building_it_left_under_the_tag() {
        static TAG: Tag = Tag::new("weigh/closure");
        let (value, bytes) = weigh(&TagHandle::from(&TAG), || {
            drop(std::hint::black_box(vec![0u8; 1000]));
            vec![0u8; 300]
        });
        assert_eq!((value.len(), bytes), (300, 300));
    }

    #[test]
    fn a_build_that_frees_more_than_it_allocates_weighs_nothing() {
        static TAG: Tag = Tag::new("weigh/negative");
        let tag = TagHandle::from(&TAG);
        let given = tag.scope(|| vec![0u8; 1000]);
        assert_eq!(weigh(&tag, || drop(given)).1, 0);
    }

    #[test]
    fn what_is_attributed_within_a_build_is_not_weighed_again() {
        static TAG: Tag = Tag::new("weigh/attributed");
        static OTHER: Tag = Tag::new("weigh/other");
        let (tag, other) = (TagHandle::from(&TAG), TagHandle::from(&OTHER));
        let (outer, outer_bytes) = weigh(&tag, || {
            let ((inner, inner_bytes), _) = weigh(&other, || weigh(&tag, || vec![0u8; 200]));
            attribute(&tag, inner_bytes as i64);
            attribute(&other, 5000);
            (inner, vec![0u8; 30])
        });
        assert_eq!((outer.0.len(), outer_bytes), (200, 30));
    }

    #[test]
    fn a_thread_knows_whether_it_is_inside_of_a_build_after_a_panic_too() {
        static TAG: Tag = Tag::new("weigh/inside");
        let tag = TagHandle::from(&TAG);
        assert!(!is_building());
        assert!(weigh(&tag, || weigh(&tag, is_building).0 && is_building()).0);
        let panics = || weigh(&tag, || panic!("a build of the test"));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(panics)).is_err());
        assert!(!is_building());

        fn nested(tag: &TagHandle, depth: usize) -> u64 {
            weigh(tag, || if depth == 0 { 0 } else { nested(tag, depth - 1) }).1
        }
        assert_eq!(nested(&tag, 3 * MAX_DEPTH), 0, "too deep to be told apart, and no harm done");
    }

    #[test]
    fn a_future_weighs_what_all_its_polls_kept_whatever_threads_they_ran_on() {
        static TAG: Tag = Tag::new("weigh/future");
        let build = async {
            let first = vec![0u8; 100];
            let dropped_elsewhere = vec![0u8; 5000];
            Yield(false).await;
            drop(dropped_elsewhere);
            (first, vec![0u8; 20])
        };
        let mut weighed = Box::pin(Weighed::new(TagHandle::from(&TAG), build));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(weighed.as_mut().poll(&mut context).is_pending());
        let poll_elsewhere = move || {
            let mut context = Context::from_waker(std::task::Waker::noop());
            weighed.as_mut().poll(&mut context)
        };
        let Poll::Ready((value, bytes)) = std::thread::spawn(poll_elsewhere).join().unwrap() else {
            panic!("it yields once")
        };
        assert_eq!((value.0.len(), bytes), (100, 120));
    }
}
