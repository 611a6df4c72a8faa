//! What a [`MemoryLayer`] does from time to time.

use std::sync::Arc;
use std::time::Duration;

use super::summary::Summary;
use super::upkeep::{EveryRequests, EveryTime};
use super::{MemoryLayer, RequestSummary};

/// From time to time, counted as requests end: where none come, nothing is done. Off by default,
/// and with 0.
///
/// Cleanups are asked of the monitor, which makes them on its own thread; no request waits for one.
impl MemoryLayer {
    /// Has the allocator's free pages given back after each so many requests: see
    /// [`Bursar::request_collect`](crate::Bursar::request_collect). Costs no data.
    pub fn collect_every_requests(self, requests: u64) -> Self {
        let every = EveryRequests::new(requests).map(Arc::new);
        self.with(|settings| settings.upkeep.collect.requests = every)
    }

    /// Likewise after such a time.
    pub fn collect_every(self, time: Duration) -> Self {
        let every = EveryTime::new(time, self.settings.handle.clock.now()).map(Arc::new);
        self.with(|settings| settings.upkeep.collect.time = every)
    }

    /// Has the ladder run up to [`PressureLevel::Warning`](crate::PressureLevel::Warning) after
    /// each so many requests, whatever usage is: see
    /// [`Bursar::request_reclaim`](crate::Bursar::request_reclaim).
    pub fn reclaim_every_requests(self, requests: u64) -> Self {
        let every = EveryRequests::new(requests).map(Arc::new);
        self.with(|settings| settings.upkeep.reclaim.requests = every)
    }

    /// Likewise after such a time.
    pub fn reclaim_every(self, time: Duration) -> Self {
        let every = EveryTime::new(time, self.settings.handle.clock.now()).map(Arc::new);
        self.with(|settings| settings.upkeep.reclaim.time = every)
    }

    /// Tells `tell` after each so many requests, those refused included, what they have taken.
    /// Given several times, each goes by its own number.
    ///
    /// It is called where the last of them ends, with no lock held, so it should be short. A panic
    /// in it is contained and counted: [`panics_total`](Self::panics_total).
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar) -> bursar::MemoryLayer {
    /// use bursar::MemoryLayer;
    ///
    /// MemoryLayer::new(bursar).summary_every_requests(10_000, |summary| {
    ///     println!("{} failed, {} shed", summary.failed, summary.shed);
    /// })
    /// # }
    /// ```
    pub fn summary_every_requests(
        self,
        requests: u64,
        tell: impl Fn(&RequestSummary) + Send + Sync + 'static,
    ) -> Self {
        let summary = Summary::new(requests, tell).map(Arc::new);
        self.with(|settings| settings.summaries.extend(summary))
    }

    /// A line in the log after each so many requests: a [`RequestSummary`] as an event of
    /// `tracing`, at the level info and with the target `bursar`.
    #[cfg(feature = "tracing")]
    pub fn log_every_requests(self, requests: u64) -> Self {
        self.summary_every_requests(requests, |summary| {
            tracing::info!(
                target: "bursar",
                requests = summary.requests,
                failed = summary.failed,
                shed = summary.shed,
                allocated_bytes = summary.allocated_bytes,
                mean_peak_bytes = summary.mean_peak_bytes,
                peak_bytes = summary.peak_bytes,
                level = %summary.level,
                "requests"
            );
        })
    }

    /// How often what was given to [`summary_every_requests`](Self::summary_every_requests) has
    /// panicked.
    #[must_use]
    pub fn panics_total(&self) -> u64 {
        self.settings.panics_total()
    }
}
