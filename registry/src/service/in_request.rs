//! Futures and streams of a request: its scope is entered at each poll, on whatever thread, and
//! while dropping.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::request::RequestScope;

/// Counts what a future or a stream allocates and frees for a request. Implemented for every type,
/// and of use where that is a future or, with the feature `stream`, a stream.
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, RequestExt, RequestScope, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// async fn render() -> Vec<u8> {
///     vec![0; 4096]
/// }
///
/// fn main() {
///     let scope = RequestScope::new();
///     let answer = render().in_request(&scope);
/// #   let mut answer = Box::pin(answer);
/// #   let mut context = std::task::Context::from_waker(std::task::Waker::noop());
/// #   let page = answer.as_mut().poll(&mut context);
/// #   assert!(page.is_ready());
///     // Once it has run:
///     assert_eq!(scope.usage().allocated_bytes, 4096);
/// }
/// ```
pub trait RequestExt: Sized {
    /// Enters `scope` whenever this future or stream is polled, and while it is dropped.
    ///
    /// The box it may be put in is not in the request's figures, unless that is made and dropped
    /// in the scope as well.
    fn in_request(self, scope: &RequestScope) -> InRequest<Self> {
        InRequest { inner: Some(self), scope: scope.clone() }
    }
}

impl<T> RequestExt for T {}

pin_project! {
    /// A future or a stream of a request, made by [`RequestExt::in_request`].
    #[derive(Debug)]
    #[must_use = "futures and streams do nothing unless polled"]
    pub struct InRequest<T> {
        // `None` only once the drop below has begun.
        #[pin]
        inner: Option<T>,
        scope: RequestScope,
    }

    impl<T> PinnedDrop for InRequest<T> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.scope.run(|| this.inner.set(None));
        }
    }
}

impl<T> InRequest<T> {
    /// The scope that is entered.
    pub fn scope(&self) -> &RequestScope {
        &self.scope
    }
}

impl<F: Future> Future for InRequest<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.scope.run(|| match this.inner.as_pin_mut() {
            Some(future) => future.poll(context),
            None => Poll::Pending,
        })
    }
}

#[cfg(feature = "stream")]
impl<S: futures_core::Stream> futures_core::Stream for InRequest<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        this.scope.run(|| match this.inner.as_pin_mut() {
            Some(stream) => stream.poll_next(context),
            None => Poll::Ready(None),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), |stream| stream.size_hint())
    }
}
