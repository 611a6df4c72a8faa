//! What is kept of requests once they are answered: sums for each route, and the heaviest.

use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

use crate::service::request::RequestUsage;

/// What the requests of one route have allocated. Sums since the log was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct RouteStats {
    /// The method and the route's pattern, as `GET /thumbnail/{id}`; `other` for those past the
    /// bound on the number of routes, `unmatched` for those that no route was found for.
    pub route: String,
    /// Requests answered, those refused aside.
    pub requests_total: u64,
    /// Those of them that were answered with a status of 500 or above or not at all, or whose body
    /// failed. One that the client did not wait for is none of them.
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
    /// The status of the answer; `None` if there was none, or its body failed.
    pub status: Option<u16>,
    /// What it allocated, freed, kept and needed.
    pub usage: RequestUsage,
    /// When it ended, on the monitor's clock: since Bursar was started.
    pub at: Duration,
    /// How long it took.
    pub elapsed: Duration,
}

impl RouteStats {
    /// Adds what another log has counted for the same route.
    pub(super) fn add(&mut self, other: &Self) {
        self.requests_total = self.requests_total.saturating_add(other.requests_total);
        self.failed_total = self.failed_total.saturating_add(other.failed_total);
        self.shed_total = self.shed_total.saturating_add(other.shed_total);
        self.allocated_bytes_total =
            self.allocated_bytes_total.saturating_add(other.allocated_bytes_total);
        self.net_bytes_total = self.net_bytes_total.saturating_add(other.net_bytes_total);
        self.peak_bytes_total = self.peak_bytes_total.saturating_add(other.peak_bytes_total);
        self.peak_bytes = self.peak_bytes.max(other.peak_bytes);
        self.elapsed_total = self.elapsed_total.saturating_add(other.elapsed_total);
    }
}

/// Routes that are shown.
const SHOWN: usize = 10;

/// A table of `routes`, a line each, of which the first are shown.
pub(crate) fn write_routes(f: &mut fmt::Formatter<'_>, routes: &[RouteStats]) -> fmt::Result {
    if routes.is_empty() {
        return Ok(());
    }
    let [route, requests, failed, shed] = ["route", "requests", "failed", "shed"];
    let [mean, highest] = ["mean peak", "highest peak"];
    write!(f, "\n{route:<32} {requests:>10} {failed:>8} {shed:>8} {mean:>12} {highest:>12}")?;
    for route in routes.iter().take(SHOWN) {
        let RouteStats { route: name, requests_total, failed_total, shed_total, .. } = route;
        let mean = ByteSize(route.peak_bytes_total / (*requests_total).max(1)).to_string();
        let highest = ByteSize(route.peak_bytes).to_string();
        write!(f, "\n{name:<32} {requests_total:>10} {failed_total:>8} {shed_total:>8}")?;
        write!(f, " {mean:>12} {highest:>12}")?;
    }
    match routes.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, "\nand {more} routes more"),
    }
}
