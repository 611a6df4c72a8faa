//! [`Status`]: what a monitor has found and done, for readers on other threads.

use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use crate::asks::Asks;
use crate::budget::Budget;
use crate::child_lock::ChildLock;
use crate::cooldown::Cooldown;
use crate::history::History;
use crate::pressure::{Finding, Pressure, PressureLevel, Sample};
use crate::report::CleanupReport;
use crate::room::Room;
use crate::service::RequestLogs;
use crate::signal::PressureSignal;
use crate::source::{LimitReport, Unavailable};

#[derive(Debug, Default)]
pub(crate) struct Status {
    /// The one in force; there is one as soon as there is a monitor.
    pub(crate) budget: Option<Budget>,
    pub(crate) sample: Sample,
    pub(crate) limits: Arc<LimitReport>,
    pub(crate) unavailable: Arc<Unavailable>,
    pub(crate) finding: Option<Finding>,
    pub(crate) pressure: Pressure,
    pub(crate) cleanups_total: u64,
    pub(crate) futile_cleanups_total: u64,
    /// Cleanups that were put off since the ones before had had their share of a core.
    pub(crate) deferred_cleanups_total: u64,
    /// Times that cleanups were put off for a `PurgeDeferral`.
    pub(crate) purge_deferrals_total: u64,
    pub(crate) freed_bytes_total: u64,
    pub(crate) collected_bytes_total: u64,
    /// Panics of those who are told of all this, contained.
    pub(crate) telemetry_panics_total: u64,
    /// Why nothing is done although usage is high, if that is so.
    pub(crate) cooldown: Option<Cooldown>,
    /// The callback that runs now.
    pub(crate) running: Option<Running>,
    /// Why the last report could not be written, if that is so.
    pub(crate) last_report_error: Option<String>,
    pub(crate) history: History,
}

/// A callback under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) name: String,
    pub(crate) since: Duration,
}

/// A callback that has not returned for longer than the profile's `stall_after`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stall {
    /// The purgeable whose callback it is.
    pub name: String,
    /// How long it has been running.
    pub running_for: Duration,
}

impl Status {
    pub(crate) fn begin_callback(&mut self, name: &str, now: Duration) {
        self.running = Some(Running { name: name.to_owned(), since: now });
    }

    /// The callback that hangs, if one does.
    pub(crate) fn stall(&self, now: Duration, stall_after: Duration) -> Option<Stall> {
        let running = self.running.as_ref()?;
        let running_for = now.saturating_sub(running.since);
        (running_for >= stall_after).then(|| Stall { name: running.name.clone(), running_for })
    }

    /// Keeps a report, and adds what it says to the totals.
    pub(crate) fn publish(&mut self, report: CleanupReport) {
        self.cleanups_total += 1;
        self.freed_bytes_total += report.freed_bytes;
        self.collected_bytes_total += report.collected_bytes.unwrap_or(0);
        self.history.add_cleanup(report);
    }
}

/// A [`Status`] that one monitor writes and anyone reads, with the signal of its level, what is
/// asked of it, and what is reserved. The lock is never held while user code runs.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    status: ChildLock<Status>,
    signal: PressureSignal,
    asks: Arc<Asks>,
    room: Room,
    request_logs: RequestLogs,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Status> {
        self.status.lock()
    }

    pub(crate) fn signal(&self) -> &PressureSignal {
        &self.signal
    }

    pub(crate) fn asks(&self) -> &Arc<Asks> {
        &self.asks
    }

    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    pub(crate) fn request_logs(&self) -> &RequestLogs {
        &self.request_logs
    }

    /// Has everyone know the budget in force.
    pub(crate) fn set_budget(&self, budget: &Budget) {
        self.signal.set_watermarks(budget.profile().watermarks);
        self.room.set_bound(budget.watermark_bytes(PressureLevel::Emergency));
        self.lock().budget = Some(budget.clone());
    }
}
