//! [`Telemetry`]: what is told to the ecosystem's facades as it happens: `metrics` and `tracing`;
//! and what there is to tell.
//!
//! Recorders and subscribers are the user's code. They are called by the thread that has the
//! monitor's turn, with no lock held that a reader takes, under the tag `bursar`: they may
//! allocate, lock, and read statistics. A panic of theirs is contained, and counted in
//! [`Stats::telemetry_panics_total`].

#[cfg(any(feature = "metrics", feature = "openmetrics"))]
pub(crate) mod catalog;
#[cfg(feature = "tracing")]
mod events;
#[cfg(feature = "metrics")]
mod facade;
#[cfg(any(feature = "metrics", feature = "openmetrics"))]
pub(crate) mod metric;

use std::time::Duration;

use crate::bursar::BURSAR;
use crate::contain::contain;
use crate::history::LevelChange;
use crate::report::CleanupReport;
use crate::stats::Stats;
use crate::status::Shared;

/// What one monitor has told so far.
#[derive(Debug, Default)]
pub(crate) struct Telemetry {
    #[cfg(feature = "metrics")]
    facade: facade::Facade,
}

impl Telemetry {
    /// A reading was taken at `now`.
    #[cfg_attr(not(feature = "metrics"), expect(unused_variables, reason = "nobody is told"))]
    pub(crate) fn sampled(
        &mut self,
        now: Duration,
        shared: &Shared,
        stats: impl FnOnce() -> Stats,
    ) {
        #[cfg(feature = "metrics")]
        if self.facade.is_due(now) {
            tell(shared, || self.facade.sampled(&stats()));
        }
    }

    /// The level has changed.
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "nobody is told"))]
    pub(crate) fn level_changed(&self, change: &LevelChange, shared: &Shared) {
        #[cfg(feature = "tracing")]
        tell(shared, || events::level_changed(change));
    }

    /// A cleanup was made, or would have been.
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "nobody is told"))]
    pub(crate) fn cleaned_up(
        &self,
        report: &CleanupReport,
        is_futile: Option<bool>,
        stall_after: Duration,
        shared: &Shared,
    ) {
        #[cfg(feature = "metrics")]
        tell(shared, || facade::cleaned_up(report));
        #[cfg(feature = "tracing")]
        tell(shared, || events::cleaned_up(report, is_futile, stall_after));
    }
}

/// Has user code told something, and contains its panic.
#[cfg_attr(
    not(any(feature = "metrics", feature = "tracing")),
    expect(dead_code, reason = "nobody is told")
)]
fn tell(shared: &Shared, f: impl FnOnce()) {
    let _tag = BURSAR.enter();
    if contain(f).is_none() {
        shared.lock().telemetry_panics_total += 1;
    }
}
