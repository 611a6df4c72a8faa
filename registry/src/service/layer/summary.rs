//! [`RequestSummary`]: what the requests since the last one have taken.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::upkeep::EveryRequests;
use crate::pressure::PressureLevel;
use crate::service::request::RequestUsage;

/// What a service's requests have taken since the last summary. Handed to who asked for it by
/// [`MemoryLayer::summary_every_requests`](crate::MemoryLayer::summary_every_requests).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RequestSummary {
    /// Requests answered, those refused aside.
    pub requests: u64,
    /// Those of them that were answered with a status of 500 or above, or not at all, or whose
    /// answer broke off.
    pub failed: u64,
    /// Requests refused since memory was short.
    pub shed: u64,
    /// Bytes that they allocated.
    pub allocated_bytes: u64,
    /// What one of them needed at once, on average.
    pub mean_peak_bytes: u64,
    /// What the heaviest of them needed at once.
    pub peak_bytes: u64,
    /// The level in force now.
    pub level: PressureLevel,
}

/// A summary under way, and who gets it.
pub(super) struct Summary {
    every: EveryRequests,
    counts: Counts,
    tell: Box<dyn Fn(&RequestSummary) + Send + Sync>,
}

/// Plain counts, taken back to zero with each summary: a request that ends meanwhile is in that
/// one or in the next, or some of its figures in each.
#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    failed: AtomicU64,
    shed: AtomicU64,
    allocated_bytes: AtomicU64,
    peak_bytes_total: AtomicU64,
    peak_bytes: AtomicU64,
}

impl Summary {
    /// `None` for never.
    pub(super) fn new(
        every: u64,
        tell: impl Fn(&RequestSummary) + Send + Sync + 'static,
    ) -> Option<Self> {
        let every = EveryRequests::new(every)?;
        Some(Self { every, counts: Counts::default(), tell: Box::new(tell) })
    }

    /// Counts a request that has ended; a summary if one is due now.
    pub(super) fn add(
        &self,
        is_failed: bool,
        usage: &RequestUsage,
        level: impl Fn() -> PressureLevel,
    ) -> Option<RequestSummary> {
        let counts = &self.counts;
        counts.requests.fetch_add(1, Ordering::Relaxed);
        counts.failed.fetch_add(u64::from(is_failed), Ordering::Relaxed);
        counts.allocated_bytes.fetch_add(usage.allocated_bytes, Ordering::Relaxed);
        counts.peak_bytes_total.fetch_add(usage.peak_bytes, Ordering::Relaxed);
        counts.peak_bytes.fetch_max(usage.peak_bytes, Ordering::Relaxed);
        self.every.is_due().then(|| counts.take(level()))
    }

    /// Counts a request that was refused; a summary if one is due now.
    pub(super) fn add_shed(&self, level: impl Fn() -> PressureLevel) -> Option<RequestSummary> {
        self.counts.shed.fetch_add(1, Ordering::Relaxed);
        self.every.is_due().then(|| self.counts.take(level()))
    }

    /// Hands it to who asked for it. That may panic.
    pub(super) fn tell(&self, summary: &RequestSummary) {
        (self.tell)(summary);
    }
}

impl Counts {
    fn take(&self, level: PressureLevel) -> RequestSummary {
        let [requests, failed, shed, allocated_bytes, peak_bytes_total, peak_bytes] = [
            &self.requests,
            &self.failed,
            &self.shed,
            &self.allocated_bytes,
            &self.peak_bytes_total,
            &self.peak_bytes,
        ]
        .map(|count| count.swap(0, Ordering::Relaxed));
        let mean_peak_bytes = peak_bytes_total / requests.max(1);
        RequestSummary {
            requests,
            failed,
            shed,
            allocated_bytes,
            mean_peak_bytes,
            peak_bytes,
            level,
        }
    }
}

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary").field("counts", &self.counts).finish_non_exhaustive()
    }
}
