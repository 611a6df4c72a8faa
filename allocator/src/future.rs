//! Tagged futures and streams: the tag is entered at each poll, on whatever thread, and while
//! dropping.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::tag_handle::TagHandle;

/// Charges what a future or a stream allocates to a tag. Implemented for every type, and of use
/// where that is a future or, with the feature `stream`, a stream.
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
pub trait TagExt: Sized {
    /// Enters `tag` whenever this future or stream is polled, and while it is dropped.
    ///
    /// What it is made of itself, and the box it may be put in, is charged to whatever tag was
    /// entered where it was made.
    fn tagged(self, tag: impl Into<TagHandle>) -> Tagged<Self> {
        Tagged { inner: Some(self), tag: tag.into() }
    }
}

impl<T> TagExt for T {}

pin_project! {
    /// A future or a stream under a tag, made by [`TagExt::tagged`].
    #[derive(Debug)]
    #[must_use = "futures and streams do nothing unless polled"]
    pub struct Tagged<T> {
        // `None` only once the drop below has begun.
        #[pin]
        inner: Option<T>,
        tag: TagHandle,
    }

    impl<T> PinnedDrop for Tagged<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _guard = this.tag.enter();
            this.inner.set(None);
        }
    }
}

impl<T> Tagged<T> {
    /// The tag that is entered.
    pub fn tag(&self) -> &TagHandle {
        &self.tag
    }
}

impl<F: Future> Future for Tagged<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let _guard = this.tag.enter();
        match this.inner.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        }
    }
}

#[cfg(feature = "stream")]
impl<S: futures_core::Stream> futures_core::Stream for Tagged<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        let _guard = this.tag.enter();
        match this.inner.as_pin_mut() {
            Some(stream) => stream.poll_next(context),
            None => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), |stream| stream.size_hint())
    }
}
