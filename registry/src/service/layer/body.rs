//! [`MemoryBody`]: an answer's body that is measured while it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::measured::MeasuredRequest;

pin_project! {
    /// The body of an answer that went through a [`MemoryLayer`](crate::MemoryLayer): the inner
    /// one, polled and dropped within the request's scope. Empty where the request was refused.
    ///
    /// The inner body is dropped, and the request counted, as soon as it says that it is at its
    /// end.
    #[derive(Debug)]
    pub struct MemoryBody<B> {
        // Both are there until the end, and neither is from there on.
        #[pin]
        inner: Option<B>,
        request: Option<MeasuredRequest>,
    }

    impl<B> PinnedDrop for MemoryBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(request) = this.request.as_mut() {
                request.attempt(|| this.inner.set(None), |()| false);
            }
        }
    }
}

impl<B: Body> MemoryBody<B> {
    pub(super) fn empty() -> Self {
        Self { inner: None, request: None }
    }

    pub(super) fn new(inner: B, mut request: MeasuredRequest) -> Self {
        if inner.is_end_stream() {
            request.attempt(|| drop(inner), |()| false);
            return Self::empty();
        }
        Self { inner: Some(inner), request: Some(request) }
    }
}

impl<B: Body> Body for MemoryBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(request) = this.request.as_mut() else { return Poll::Ready(None) };
        let poll = || {
            let inner = this.inner.as_mut().as_pin_mut();
            let polled = inner.map_or(Poll::Ready(None), |inner| inner.poll_frame(context));
            let is_at_end = match &polled {
                Poll::Pending => false,
                Poll::Ready(Some(Ok(_))) => {
                    this.inner.as_ref().as_pin_ref().is_none_or(|inner| inner.is_end_stream())
                }
                Poll::Ready(Some(Err(_)) | None) => true,
            };
            if is_at_end {
                this.inner.set(None);
            }
            (polled, is_at_end)
        };
        let is_failure = |(polled, _): &_| matches!(polled, Poll::Ready(Some(Err(_))));
        let (polled, is_at_end) = request.attempt(poll, is_failure);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(trailers) = frame.trailers_ref()
        {
            request.take_grpc_status(trailers);
        }
        if is_at_end {
            *this.request = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
