//! [`MemoryService`]: a service whose requests are measured.

use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::MemoryBody;
use super::future::MemoryFuture;
use super::route::RouteRequest;
use super::settings::Settings;
use super::shared::Shared;

/// A service whose requests are measured, made by a [`MemoryLayer`](crate::MemoryLayer).
///
/// It is ready when the inner one is. A request that is refused leaves the inner one ready, for
/// the next, with all that it holds to be so, such as a permit of a limit inside: call a clone, as
/// servers do, which is dropped then.
#[derive(Debug, Clone)]
pub struct MemoryService<S> {
    inner: S,
    settings: Arc<Shared<Settings>>,
}

impl<S> MemoryService<S> {
    pub(super) fn new(inner: S, settings: Arc<Shared<Settings>>) -> Self {
        Self { inner, settings }
    }

    /// The inner service. What is called on it directly is not measured.
    pub fn get_ref(&self) -> &S {
        &self.inner
    }

    /// As [`get_ref`](Self::get_ref), to be changed.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }
}

impl<S, B, RB> Service<Request<B>> for MemoryService<S>
where
    S: Service<Request<B>, Response = Response<RB>>,
    RB: Body,
{
    type Response = Response<MemoryBody<RB>>;
    type Error = S::Error;
    type Future = MemoryFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut measured = match Settings::admit(&self.settings, RouteRequest::of(&request)) {
            Ok(measured) => measured,
            Err(refusal) => return MemoryFuture::refused(refusal),
        };
        let exposed = self.settings.exposes_scope.then(|| measured.scope().clone());
        let call = || {
            if let Some(scope) = exposed {
                request.extensions_mut().insert(scope);
            }
            self.inner.call(request)
        };
        let future = measured.attempt(call, |_| false);
        MemoryFuture::running(future, measured)
    }
}
