//! [`MemoryFuture`]: an answer that is measured while it is made.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::MemoryBody;
use super::measured::MeasuredRequest;
use super::refusal::Refusal;

pin_project! {
    /// The answer of a [`MemoryService`](crate::MemoryService) to be. Polled and dropped within
    /// the request's scope.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct MemoryFuture<F> {
        // All are `None` once it is ready.
        #[pin]
        inner: Option<F>,
        request: Option<MeasuredRequest>,
        refusal: Option<Refusal>,
    }

    impl<F> PinnedDrop for MemoryFuture<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            if let Some(request) = this.request.as_mut() {
                request.attempt(|| this.inner.set(None), |()| false);
            }
        }
    }
}

impl<F> MemoryFuture<F> {
    pub(super) fn running(inner: F, request: MeasuredRequest) -> Self {
        Self { inner: Some(inner), request: Some(request), refusal: None }
    }

    pub(super) fn refused(refusal: Refusal) -> Self {
        Self { inner: None, request: None, refusal: Some(refusal) }
    }
}

impl<F, B, E> Future for MemoryFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<MemoryBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some(refusal) = this.refusal.take() {
            return Poll::Ready(Ok(refusal.answer()));
        }
        let Some(request) = this.request.as_mut() else { return Poll::Pending };
        let poll = || {
            let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Pending };
            let polled = inner.poll(context);
            if polled.is_ready() {
                this.inner.set(None);
            }
            polled
        };
        let polled = request.attempt(poll, |_| false);
        if polled.is_pending() {
            return Poll::Pending;
        }
        // Without an answer, it fails here.
        let request = this.request.take();
        polled.map_ok(|response| match request {
            Some(request) => answer(response, request),
            None => response.map(|_| MemoryBody::empty()),
        })
    }
}

fn answer<B: Body>(response: Response<B>, mut request: MeasuredRequest) -> Response<MemoryBody<B>> {
    let (mut parts, body) = response.into_parts();
    request.answered(parts.status.as_u16(), &mut parts.headers);
    Response::from_parts(parts, MemoryBody::new(body, request))
}
