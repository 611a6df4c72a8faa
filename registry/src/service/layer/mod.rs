//! [`MemoryLayer`]: what each request takes, for whatever speaks `tower`.

mod admission;
mod body;
mod future;
mod grpc;
mod measured;
mod periodic;
mod refusal;
mod route;
mod scopes;
mod service;
mod settings;
mod shared;
mod summary;
mod upkeep;

use std::sync::Arc;

use tower_layer::Layer;

pub use body::MemoryBody;
pub use future::MemoryFuture;
pub use route::RouteRequest;
pub use service::MemoryService;
pub use summary::RequestSummary;

use crate::bursar::{BURSAR, Bursar};
use crate::config::RequestSettings;
use crate::service::{RequestLog, Shedding};
use settings::Settings;
use shared::Shared;

/// Measures the requests of a service: what each allocates, frees, keeps and needs at once, from
/// its call to the end of its answer's body. A `tower` layer, for axum, hyper and tonic.
///
/// By itself it only measures, and counts in a [`RequestLog`]: [`Stats`](crate::Stats) has the
/// figures by route, and the heaviest requests. All else is to be asked for, here or by the
/// [`Config`](crate::Config): load shedding, purging between requests, headers, summaries.
///
/// A request is measured while its service is called, at each poll of its future and of its
/// answer's body, and while they are dropped, on whatever threads; see
/// [`RequestScope`](crate::RequestScope), also for what the figures mean. What it spawns is in them
/// where that is given the scope: [`expose_scope`](Self::expose_scope). It ends with the answer's
/// body; one that is upgraded, as to a websocket, with the answer that says so. It has failed if the
/// answer's status is 500 or above, if the future fails, panics or is dropped before it is ready,
/// and if the body fails or panics. A body that is dropped before its end is no failure: it is not
/// read where nobody asked for it, as for `HEAD`. A gRPC call has failed if its own status is one of
/// `UNKNOWN`, `DEADLINE_EXCEEDED`, `INTERNAL`, `UNAVAILABLE` and `DATA_LOSS`, and is of no route if
/// it is `UNIMPLEMENTED`; the log has what corresponds in HTTP.
///
/// Use one layer, around the router or the service; where two are around the same, both count.
/// Clones, and the services that are made of it, share log, settings and counts.
///
/// # Cost
///
/// A request enters its scope some four times, 130 to 2,700 instructions each (see
/// [`RequestScope`](crate::RequestScope#cost)), its log and the layer make some 20 atomic
/// operations, and the clock is read twice. Threads that run at once write to lines of memory of
/// their own: sums, requests in flight, idle scopes and references to the settings are kept in as
/// many parts as there are processors, 16 at most, and a thread uses one of them. Upkeep and
/// summaries each so many requests, and deferral, count in one place.
///
/// Nothing is allocated once as many scopes are there as requests run at once (256 are kept), the
/// route is known and the thread has answered a request; where an answer's body is put into a box,
/// as axum does, it is one of its own. A layer takes some 4 KiB, and 0.4 KiB a part.
///
/// # Panics
///
/// The closures given to [`route`](Self::route), [`exempt`](Self::exempt) and
/// [`reserve`](Self::reserve) run where the service is called: what panics in them panics there.
///
/// # Examples
///
/// With axum, by the patterns of its routes:
///
/// ```
/// use axum::Router;
/// use axum::extract::MatchedPath;
/// use axum::routing::get;
/// use bursar::{AccountingAllocator, Bursar, MemoryLayer, Shedding, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let layer = MemoryLayer::new(&bursar)
///         .route(|request| request.extensions().get::<MatchedPath>().map(MatchedPath::as_str))
///         .shedding(Shedding::default());
///     let app: Router = Router::new()
///         .route("/thumbnail/{id}", get(|| async { vec![0u8; 4096] }))
///         .layer(layer);
/// #   drop(app);
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until it is put around a service"]
pub struct MemoryLayer {
    settings: Arc<Shared<Settings>>,
}

impl MemoryLayer {
    /// One that measures, with a [`RequestLog`] of its own, and does what
    /// [`Config::requests`](crate::Config::requests) says: nothing more, unless that was set, as by
    /// `BURSAR_*` variables. The methods below have the last word.
    pub fn new(bursar: &Bursar) -> Self {
        let handle = bursar.handle.clone();
        let requests = Arc::clone(&handle.requests);
        let settings = Settings::new(handle, RequestLog::new(bursar));
        Self::of(settings).configured(&requests)
    }

    fn of(settings: Settings) -> Self {
        let _tag = BURSAR.enter();
        Self { settings: Arc::new(Shared::new(settings)) }
    }

    fn configured(self, requests: &RequestSettings) -> Self {
        let layer = self
            .defer_purging(requests.defer_purging)
            .headers(requests.headers)
            .collect_every_requests(requests.collect_every_requests as u64)
            .collect_every(requests.collect_every)
            .reclaim_every_requests(requests.reclaim_every_requests as u64)
            .reclaim_every(requests.reclaim_every);
        #[cfg(feature = "tracing")]
        let layer = layer.log_every_requests(requests.log_every_requests as u64);
        match requests.shed_from {
            Some(level) => layer.shedding(Shedding::default().from(level)),
            None => layer,
        }
    }

    /// Changes the settings, of this layer and not of its clones.
    fn with(self, change: impl FnOnce(&mut Settings)) -> Self {
        let _tag = BURSAR.enter();
        let mut settings = Settings::clone(&self.settings);
        change(&mut settings);
        Self::of(settings)
    }

    /// Counts in `log` in place of one of its own: for other bounds, or to have several services
    /// in one.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar) -> bursar::MemoryLayer {
    /// use bursar::{MemoryLayer, RequestLog};
    ///
    /// let log = RequestLog::builder(bursar).max_routes(256).build();
    /// MemoryLayer::new(bursar).log(&log)
    /// # }
    /// ```
    pub fn log(self, log: &RequestLog) -> Self {
        self.with(|settings| settings.log = log.clone())
    }

    /// Which route a request is of; `None` for those that there is none for. The label under which
    /// it is counted is the method and that, as `GET /thumbnail/{id}`; methods that are not HTTP's
    /// own are `_OTHER`. Without this, the route is the first segment of the path: where made-up
    /// paths are answered with anything but 404 and 405, as behind a login or by a proxy, strangers
    /// can use the routes up, and the service's own are counted under `other`.
    ///
    /// It is to be a pattern, of which there are few, and not have the client's own parts in it:
    /// see [`RequestLog`] for the bounds. Called for each request, so it should not allocate.
    ///
    /// # Examples
    ///
    /// With axum the matched pattern, which [`MemoryLayer`]'s own example shows; with tonic, whose
    /// paths are all of a service and its method, the whole path:
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar) -> bursar::MemoryLayer {
    /// use bursar::MemoryLayer;
    ///
    /// MemoryLayer::new(bursar).route(|request| Some(request.uri().path()))
    /// # }
    /// ```
    pub fn route(
        self,
        route: impl for<'a> Fn(RouteRequest<'a>) -> Option<&'a str> + Send + Sync + 'static,
    ) -> Self {
        self.with(|settings| settings.route = Arc::new(route))
    }

    /// Whether each request's [`RequestScope`](crate::RequestScope) is put into its extensions, for
    /// handlers to give to what they spawn. Off by default: it allocates.
    ///
    /// What is spawned and still runs when the request has ended is in its figures up to then.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::Extension;
    /// use bursar::{RequestExt, RequestScope};
    ///
    /// async fn handler(Extension(scope): Extension<RequestScope>) -> Vec<u8> {
    ///     let part = tokio::spawn(async { vec![0u8; 4096] }.in_request(&scope));
    ///     part.await.unwrap_or_default()
    /// }
    /// ```
    pub fn expose_scope(self, expose_scope: bool) -> Self {
        self.with(|settings| settings.exposes_scope = expose_scope)
    }

    /// Whether answers say, in millions of bytes: in `X-Memory-Usage-MB` what is live in the whole
    /// process, in `X-Memory-Delta-MB` what the request has allocated less freed so far. Off by
    /// default: it is for debugging, and tells strangers of the service.
    pub fn headers(self, headers: bool) -> Self {
        self.with(|settings| settings.has_headers = headers)
    }

    /// Whether purging that can wait is put off while requests run, and made between them: see
    /// [`Bursar::defer_purging`]. Off by default, and of no use where some request is always under
    /// way, such as an endless stream of events: each cleanup then waits for the longest it may.
    pub fn defer_purging(self, defer_purging: bool) -> Self {
        self.with(|settings| settings.defers_purging = defer_purging)
    }
}

impl<S> Layer<S> for MemoryLayer {
    type Service = MemoryService<S>;

    fn layer(&self, inner: S) -> MemoryService<S> {
        MemoryService::new(inner, Arc::clone(&self.settings))
    }
}
