//! What is kept of requests once they are answered: sums for each route, and the heaviest.

use std::time::Duration;

use super::request::RequestUsage;

/// What the requests of one route have allocated. Sums since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RouteStats {
    /// The method and the route's pattern, as `GET /thumbnail/{id}`; `other` for those past the
    /// bound on the number of routes.
    pub route: String,
    /// Requests answered, those refused aside.
    pub requests_total: u64,
    /// Those of them that were answered with a status of 500 or above, or not at all.
    pub failed_total: u64,
    /// Requests refused since memory was short.
    pub shed_total: u64,
    /// Bytes allocated, growth by `realloc` included.
    pub allocated_bytes_total: u64,
    /// Allocated less freed, see [`RequestUsage::net_bytes`].
    pub net_bytes_total: i64,
    /// The peaks of all requests together: divided by `requests_total`, what one needs at once.
    pub peak_bytes_total: u64,
    /// The highest peak of one request.
    pub peak_bytes: u64,
    /// The time from each request's begin to its end together.
    pub elapsed_total: Duration,
}

/// A request that needed much at once.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct HeavyRequest {
    /// As in [`RouteStats::route`].
    pub route: String,
    /// The status of the answer; `None` if there was none.
    pub status: Option<u16>,
    /// What it allocated, freed, kept and needed.
    pub usage: RequestUsage,
    /// When it ended, on the monitor's clock: since Bursar was started.
    pub at: Duration,
    /// How long it took.
    pub elapsed: Duration,
}
