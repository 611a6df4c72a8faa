//! Tagged futures: the tag is entered at each poll, on whatever thread, and while dropping.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::tag::Tag;

/// Charges what a future allocates to a tag. Implemented for every future.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{Tag, TagExt};
///
/// static UPLOADS: Tag = Tag::new("uploads");
///
/// async fn receive() -> Vec<u8> {
///     vec![0; 1 << 16]
/// }
///
/// let upload = receive().tagged(&UPLOADS);
/// # let mut upload = Box::pin(upload);
/// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// # assert!(upload.as_mut().poll(&mut context).is_ready());
/// ```
pub trait TagExt: Future + Sized {
    /// Enters `tag` whenever this future is polled, and while it is dropped.
    fn tagged(self, tag: &'static Tag) -> Tagged<Self> {
        Tagged { future: Some(self), tag }
    }
}

impl<F: Future> TagExt for F {}

pin_project! {
    /// A future under a tag, made by [`TagExt::tagged`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Tagged<F> {
        // `None` only once the drop below has begun.
        #[pin]
        future: Option<F>,
        tag: &'static Tag,
    }

    impl<F> PinnedDrop for Tagged<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _guard = this.tag.enter();
            this.future.set(None);
        }
    }
}

impl<F: Future> Future for Tagged<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _guard = this.tag.enter();
        match this.future.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        }
    }
}
