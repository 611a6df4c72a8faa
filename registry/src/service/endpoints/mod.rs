//! [`Endpoints`]: health, metrics and statistics as answers to HTTP requests.

mod accept;
mod answer;
#[cfg_attr(
    all(not(feature = "profile"), not(test)),
    expect(dead_code, reason = "without it all answers are there at once")
)]
mod aside;
#[cfg(feature = "profile")]
mod profile;
#[cfg(feature = "profile")]
mod query;
mod route;

use std::convert::Infallible;
#[cfg(feature = "profile")]
use std::sync::{Arc, atomic::AtomicUsize};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use serde::Serialize;

use super::envelope::{Envelope, is_correlation_id};
use super::failure::Failure;
use crate::bursar::{BURSAR, Bursar, Handle};
use crate::pressure::PressureLevel;
use accept::prefers_open_metrics;
use answer::Answer;
pub use aside::EndpointsFuture;
use route::Route;

/// Answers about the process's memory, for whatever speaks HTTP: a `tower` service, and
/// [`respond`](Self::respond) for the others. Clones answer the same.
///
/// | path | answer to `GET` and `HEAD` |
/// |---|---|
/// | `/health` | [`Health`](crate::Health) in JSON, with the status 200 or 503 |
/// | `/metrics` | [`open_metrics`] where `Accept` prefers it, else [`prometheus_text`] |
/// | `/stats` | [`Stats`](crate::Stats) in JSON, in an [`Envelope`] |
/// | `/history` | [`History`](crate::History) likewise |
/// | `/profile` | a heap profile, if it is switched on: see `Endpoints::profile` |
/// | `/` | the live page if it is switched on, else a list of these paths |
///
/// [`open_metrics`]: crate::open_metrics
/// [`prometheus_text`]: crate::prometheus_text
///
/// Paths are relative to where it is mounted; a slash at the end changes nothing. Other paths get
/// 404 and other methods 405, both in an envelope. An envelope repeats the request's
/// `X-Correlation-Id`, or else its `X-Request-Id`.
///
/// **Keep it off the public listener.** Nothing is mounted unless you do it, and what is mounted
/// asks nobody who they are: tags, routes and sizes are for operators. Give it a port or a socket
/// of its own, as `StatsServer` does, or put it behind what guards your other internal paths.
/// Nothing can be changed by it, and no page of another origin may read it. Mount it outside a
/// `MemoryLayer`, which would measure it, and shed it while memory is short.
///
/// An answer is made on the calling thread, with nothing to wait for but short locks of Bursar's
/// own; `/metrics` and `/stats` ask each purgeable for its size. `/health` takes some microseconds,
/// the others some tens and up, `/profile` milliseconds to seconds. What an answer allocates is charged to the tag `bursar`.
///
/// # Examples
///
/// In axum:
///
/// ```no_run
/// use axum::Router;
/// use bursar::{Bursar, Endpoints};
///
/// fn internal_routes(bursar: &Bursar) -> Router {
///     Router::new().nest_service("/memory", Endpoints::new(bursar))
/// }
/// ```
///
/// By hand:
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, Endpoints, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let endpoints = Endpoints::new(&bursar);
///     let response = endpoints.respond(&http::Request::get("/health").body(())?);
///     assert_eq!(response.status(), 200);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct Endpoints {
    handle: Handle,
    unhealthy_from: PressureLevel,
    #[cfg(feature = "dashboard")]
    dashboard: bool,
    #[cfg(feature = "profile")]
    profile: bool,
    /// Profiles that are being made.
    #[cfg(feature = "profile")]
    profiles: Arc<AtomicUsize>,
}

impl Endpoints {
    /// Answers about `bursar`. Once that is stopped, they say how it stood last.
    #[must_use]
    pub fn new(bursar: &Bursar) -> Self {
        Self {
            handle: bursar.handle.clone(),
            unhealthy_from: PressureLevel::Emergency,
            #[cfg(feature = "dashboard")]
            dashboard: false,
            #[cfg(feature = "profile")]
            profile: false,
            #[cfg(feature = "profile")]
            profiles: Arc::default(),
        }
    }

    /// From which level on `/health` answers 503; [`PressureLevel::Emergency`] unless said
    /// otherwise. [`Bursar::health`] says what probes want; two probes are two `Endpoints`.
    #[must_use]
    pub fn unhealthy_from(mut self, level: PressureLevel) -> Self {
        self.unhealthy_from = level;
        self
    }

    /// Whether `/` is the live page; it is not unless said so.
    #[cfg(feature = "dashboard")]
    #[must_use]
    pub fn dashboard(mut self, dashboard: bool) -> Self {
        self.dashboard = dashboard;
        self
    }

    /// Whether `/profile` is a heap profile; it is not unless said so, and not found. Its stacks
    /// tell of the program's inside, and it costs more than all else here.
    ///
    /// In the query, `format` is `pprof` (by default), `flamegraph` or `collapsed`; `tag` is the
    /// one tag that is asked for; `symbols=none` leaves the names of functions to be found by
    /// `pprof`, and `full` is the default; `seconds`, from 1 to 60, asks for what is added in that
    /// time. What it costs, [`HeapProfile::resolve_symbols`] says: with names it may take seconds.
    /// As a service this has a thread of its own for it, four at once at most;
    /// [`respond`](Self::respond) keeps the calling thread. While the
    /// heap is not sampled the answer is 409 with the code `profile_off`; while another profile's
    /// names are looked up, or four are made, 503 with `profile_busy`; for a tag, a parameter or a value that is not
    /// known, 400, with those that are.
    ///
    /// ```sh
    /// go tool pprof http://127.0.0.1:9464/memory/profile
    /// ```
    ///
    /// [`HeapProfile::resolve_symbols`]: crate::HeapProfile::resolve_symbols
    #[cfg(feature = "profile")]
    #[must_use]
    pub fn profile(mut self, profile: bool) -> Self {
        self.profile = profile;
        self
    }

    /// The answer to a request, whose body is not looked at. To `HEAD` it is that of `GET` without
    /// the body.
    pub fn respond<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        let _tag = BURSAR.enter();
        let answer = self.answer(request.method(), request.uri(), request.headers());
        answer.into_response(request.method() == Method::HEAD)
    }

    /// The answer to a request that was sent to a name that is not this server's.
    #[cfg(feature = "serve")]
    pub(super) fn misdirected<B>(request: &Request<B>) -> Response<Full<Bytes>> {
        let _tag = BURSAR.enter();
        let failure = Failure::new("host_not_allowed", "nothing is served under this host")
            .detail("allowed", "localhost, a loopback address, or the name that is listened on");
        let id = correlation_id(request.headers());
        refusal(StatusCode::MISDIRECTED_REQUEST, failure, id)
            .into_response(request.method() == Method::HEAD)
    }

    /// As [`respond`](Self::respond), without keeping the calling thread for long.
    pub(super) fn answer_to<B>(&self, request: &Request<B>) -> EndpointsFuture {
        #[cfg(feature = "profile")]
        if self.profile && Route::of(request.uri().path()) == Some(Route::Profile) {
            return self.profile_aside(request);
        }
        EndpointsFuture::there(self.respond(request))
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Answer {
        let id = correlation_id(headers);
        match Route::of(uri.path()).filter(|route| self.serves(*route)) {
            None => refusal(
                StatusCode::NOT_FOUND,
                Failure::new("not_found", "there is nothing under this path")
                    .detail("allowed", self.paths().collect::<Vec<_>>().join(", ")),
                id,
            ),
            Some(_) if !matches!(*method, Method::GET | Method::HEAD) => refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                Failure::new("method_not_allowed", "this can only be read")
                    .detail("allowed", "GET, HEAD"),
                id,
            ),
            Some(Route::Health) => {
                let health = self.handle.health(self.unhealthy_from);
                let is_healthy = health.is_healthy;
                let status =
                    if is_healthy { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                json(status, &health)
            }
            Some(Route::Metrics) if prefers_open_metrics(headers) => {
                Answer::open_metrics(super::open_metrics(&self.handle.stats()))
            }
            Some(Route::Metrics) => {
                Answer::prometheus_text(super::prometheus_text(&self.handle.stats()))
            }
            Some(Route::Stats) => enveloped(self.handle.stats(), id),
            Some(Route::History) => enveloped(self.handle.history(), id),
            #[cfg(feature = "profile")]
            Some(Route::Profile) => self.profile_answer(uri.query(), id),
            Some(Route::Index) => self.index(),
        }
    }

    fn serves(&self, route: Route) -> bool {
        match route {
            #[cfg(feature = "profile")]
            Route::Profile => self.profile,
            _ => true,
        }
    }

    fn paths(&self) -> impl Iterator<Item = &'static str> {
        Route::ALL.iter().filter(|route| self.serves(**route)).map(|route| route.path())
    }

    fn index(&self) -> Answer {
        #[cfg(feature = "dashboard")]
        if self.dashboard {
            return Answer::page(super::dashboard::PAGE);
        }
        Answer::list(self.paths())
    }
}

impl<B> tower_service::Service<Request<B>> for Endpoints {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = EndpointsFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.answer_to(&request)
    }
}

fn correlation_id(headers: &HeaderMap) -> Option<&str> {
    ["x-correlation-id", "x-request-id"]
        .into_iter()
        .filter_map(|name| headers.get(name)?.to_str().ok())
        .find(|id| is_correlation_id(id))
}

fn enveloped<T: Serialize>(data: T, id: Option<&str>) -> Answer {
    json(StatusCode::OK, &correlated(Envelope::ok(data), id))
}

fn refusal(status: StatusCode, failure: Failure, id: Option<&str>) -> Answer {
    json(status, &correlated(Envelope::<()>::error(failure), id))
}

fn correlated<T>(envelope: Envelope<T>, id: Option<&str>) -> Envelope<T> {
    match id {
        Some(id) => envelope.correlated_with(id),
        None => envelope,
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(json) => Answer::json(status, json),
        // Only a map whose keys are no strings cannot be written, and none is served.
        Err(_) => Answer::json(StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    }
}
