//! What is told by `tracing`, under the target `bursar`.

use std::time::Duration;

use tracing::{error, info, warn};

use crate::history::LevelChange;
use crate::report::{CleanupReport, PurgeReport, PurgeStatus};

/// A warning where the level rose, else an info.
pub(super) fn level_changed(change: &LevelChange) {
    let LevelChange { from, to, usage_ratio, diagnosis, .. } = *change;
    let has_risen = to > from;
    let (from, to, diagnosis) = (from.as_str(), to.as_str(), diagnosis.as_str());
    if has_risen {
        warn!(target: "bursar", from, to, usage_ratio, diagnosis, "memory pressure has risen");
    } else {
        info!(target: "bursar", from, to, usage_ratio, diagnosis, "memory pressure has fallen");
    }
}

/// An info; before it, a warning or an error for each callback that did not do as it should.
pub(super) fn cleaned_up(report: &CleanupReport, is_futile: Option<bool>, stall_after: Duration) {
    for purge in report.stages.iter().flat_map(|stage| &stage.purges) {
        purged(purge, stall_after);
    }
    let CleanupReport { freed_bytes, collected_bytes, target_bytes, observed_only, .. } = *report;
    info!(
        target: "bursar",
        level = report.level.as_str(),
        diagnosis = report.diagnosis.as_str(),
        tag = report.tag.as_deref(),
        target_bytes,
        freed_bytes,
        collected_bytes,
        elapsed_seconds = report.elapsed.as_secs_f64(),
        is_futile,
        observed_only,
        "memory was cleaned up",
    );
}

/// One that does not return at all is told of by nobody here: the monitor is in it. Readers see
/// it as [`Stats::stall`](crate::Stats::stall).
fn purged(purge: &PurgeReport, stall_after: Duration) {
    let (purgeable, elapsed_seconds) = (purge.name.as_str(), purge.elapsed.as_secs_f64());
    if purge.status == PurgeStatus::Panicked {
        warn!(target: "bursar", purgeable, elapsed_seconds, "a purge callback panicked");
    }
    if purge.elapsed >= stall_after {
        error!(target: "bursar", purgeable, elapsed_seconds, "a purge callback had stalled");
    }
}
