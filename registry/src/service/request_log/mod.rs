//! [`RequestLog`]: what the requests of a service have taken, by route, and the heaviest.

mod book;
mod heaviest;
mod label;
mod logged;
mod routes;
mod stats;
mod sums;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tower")]
pub(crate) use book::is_failed;
pub(crate) use book::{Book, RequestLogs};
pub(crate) use label::Label;
#[cfg(feature = "tower")]
pub(crate) use logged::BegunRequest;
pub(crate) use logged::EndedRequest;
pub use logged::LoggedRequest;
#[cfg(feature = "tower")]
pub(crate) use routes::UNMATCHED;
pub(crate) use stats::write_routes;
pub use stats::{HeavyRequest, RouteStats};

use super::parts::Part;
use super::request::{RequestScope, RequestUsage};
use crate::bursar::{BURSAR, Bursar, Handle};

/// The log of a service's requests: sums for each route, the heaviest of the last hour, and how
/// many run now. [`Stats`](crate::Stats) shows them; of several logs the sums.
///
/// For any framework, by hand; for those of `tower` there is `MemoryLayer`. Clones are the same
/// log, and it is shown for as long as one of them lives.
///
/// # Bounds
///
/// A label is cut at 128 bytes, and control characters in it are replaced. So many routes are kept
/// ([`max_routes`](RequestLogBuilder::max_routes)), those beyond are summed under `other`. A label
/// that is new and answered with 404 or 405 is no route: it is counted under `unmatched`, as is an
/// empty one. So made-up paths take no memory. Of each ten minutes the 16 heaviest requests are
/// kept, for an hour. All of it is charged to the tag `bursar`: some 200 bytes a route and 128 for
/// each processor, of which 16 count at most; and 11 KiB of heavy requests.
///
/// # Cost
///
/// Some 15 atomic operations a request, and nothing allocated where its route is known, but for a
/// thread's first. Sums and requests in flight are plain counts, in a part for each processor (16 at
/// most) that a thread adds to and a reader sums: exact where no request ends meanwhile. Looking a
/// route up takes no lock; adding one copies the table of their labels. The heaviest are behind a
/// lock that only those take that belong to them.
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, RequestLog, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn thumbnail(log: &RequestLog) -> Vec<u8> {
///     let request = log.begin("GET /thumbnail/{id}");
///     let answer = {
///         let _guard = request.scope().enter();
///         vec![0u8; 4096]
///     };
///     request.finish(200);
///     answer
/// }
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let log = RequestLog::new(&bursar);
///     thumbnail(&log);
///     let route = &bursar.stats().routes[0];
///     assert_eq!((route.requests_total, route.allocated_bytes_total), (1, 4096));
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone)]
pub struct RequestLog {
    book: Arc<Book>,
}

impl RequestLog {
    /// One that `bursar`'s statistics show, with the bounds of its
    /// [`Config::requests`](crate::Config::requests).
    #[must_use]
    pub fn new(bursar: &Bursar) -> Self {
        Self::builder(bursar).build()
    }

    /// Begins to make one with other bounds.
    pub fn builder(bursar: &Bursar) -> RequestLogBuilder {
        RequestLogBuilder {
            handle: bursar.handle.clone(),
            max_routes: bursar.handle.requests.max_routes,
            heavy_from_bytes: bursar.handle.requests.heavy_from_bytes,
        }
    }

    /// A request that begins, of the route that `label` names: the method and the route's pattern,
    /// as `GET /thumbnail/{id}`, not the path with the client's own parts in it.
    pub fn begin(&self, label: &str) -> LoggedRequest {
        let scope = {
            let _tag = BURSAR.enter();
            RequestScope::new()
        };
        LoggedRequest::begin(&self.book, &Label::new(&[label]), scope)
    }

    /// Counts a request that has ended and was measured by other means: the status of its answer
    /// or `None` if there was none, what its scope has counted, and how long it took.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn demo(log: &bursar::RequestLog, scope: &bursar::RequestScope, began: std::time::Instant) {
    /// log.record("POST /upload", Some(201), &scope.usage(), began.elapsed());
    /// # }
    /// ```
    pub fn record(
        &self,
        label: &str,
        status: Option<u16>,
        usage: &RequestUsage,
        elapsed: Duration,
    ) {
        let route = self.book.find(&Label::new(&[label]));
        let ended = EndedRequest { status, usage: *usage, at: self.book.now(), elapsed };
        self.book.record(route, &ended, Part::of_this_thread());
    }

    /// Counts a request that was refused since memory was short; where its route is not known yet,
    /// under `other`.
    pub fn record_shed(&self, label: &str) {
        self.book.record_shed(&Label::new(&[label]));
    }

    /// Each route that something was counted for, in no order.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteStats> {
        self.book.routes()
    }

    /// The requests of the last hour that needed most at once, the heaviest first.
    #[must_use]
    pub fn heaviest_requests(&self) -> Vec<HeavyRequest> {
        self.book.heaviest()
    }

    /// Requests that are being answered now.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.book.in_flight()
    }

    #[cfg(feature = "tower")]
    pub(crate) fn book(&self) -> &Arc<Book> {
        &self.book
    }
}

/// Bounds of a [`RequestLog`] to be.
#[must_use = "no log is made before `build`"]
pub struct RequestLogBuilder {
    handle: Handle,
    max_routes: usize,
    heavy_from_bytes: u64,
}

impl RequestLogBuilder {
    /// How many routes are counted each by itself, 64 unless set here or by the
    /// [`Config`](crate::Config). With 0, all are `other`.
    pub fn max_routes(self, max_routes: usize) -> Self {
        Self { max_routes, ..self }
    }

    /// The least peak of a request that may be among the heaviest, 1 MiB unless set here or by
    /// the [`Config`](crate::Config).
    pub fn heavy_from_bytes(self, heavy_from_bytes: u64) -> Self {
        Self { heavy_from_bytes, ..self }
    }

    /// Makes the log.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar) {
    /// use bursar::RequestLog;
    ///
    /// let log = RequestLog::builder(bursar).max_routes(16).heavy_from_bytes(64 << 10).build();
    /// # }
    /// ```
    #[must_use]
    pub fn build(self) -> RequestLog {
        let _tag = BURSAR.enter();
        let Self { handle, max_routes, heavy_from_bytes } = self;
        let book = Arc::new(Book::new(handle.clock, max_routes, heavy_from_bytes));
        handle.shared.request_logs().add(&book);
        RequestLog { book }
    }
}

impl fmt::Debug for RequestLogBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestLogBuilder")
            .field("max_routes", &self.max_routes)
            .field("heavy_from_bytes", &self.heavy_from_bytes)
            .finish_non_exhaustive()
    }
}
