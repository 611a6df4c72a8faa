//! What a monitor reads outside of its allocator, with the reasons for what it
//! could not read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::cgroup::Cgroup;
use super::error::SourceError;
use super::limit::LimitReport;
use super::limits::{LimitReading, Limits};
use super::process::Process;
use super::system::SystemMemory;
use crate::pressure::Sample;
use crate::reading::{CgroupEvents, MemoryStall, SystemUsage};

/// What the kernel counts in memory is read at most this often: under pressure the
/// monitor is woken several hundred times a second, and this is half of what such a
/// step would cost.
const QUICK_INTERVAL: Duration = Duration::from_millis(10);
/// What changes slowly is read at most this often: all of it together takes more
/// than three times as long.
const SLOW_INTERVAL: Duration = Duration::from_millis(100);

/// Figures that could not be read, by their names in [`Sample`], each with the
/// reason.
pub(crate) type Unavailable = BTreeMap<String, String>;

/// The process, its container and its machine.
#[derive(Debug)]
pub(super) struct Surroundings {
    process: Result<Process, SourceError>,
    limits: Limits,
    limit_reading: LimitReading,
    limit_report: Arc<LimitReport>,
    quick: QuickFigures,
    quick_read_at: Option<Duration>,
    slow: SlowFigures,
    slow_read_at: Option<Duration>,
    reasons: Reasons,
}

/// What is in memory now.
#[derive(Debug, Clone, Copy, Default)]
struct QuickFigures {
    resident_bytes: Option<u64>,
    working_set_bytes: Option<u64>,
}

/// What changes slowly.
#[derive(Debug, Clone, Copy, Default)]
struct SlowFigures {
    limit_bytes: Option<u64>,
    process_limit_bytes: Option<u64>,
    container_swap_bytes: Option<u64>,
    container_stall: Option<MemoryStall>,
    container_events: Option<CgroupEvents>,
    system: Option<SystemUsage>,
    system_stall: Option<MemoryStall>,
}

impl Surroundings {
    /// Reads nothing but the limits, so that they are known from the start.
    pub(super) fn new(process: Result<Process, SourceError>, limits: Limits) -> Self {
        let limit_reading = limits.read();
        Self {
            process,
            limit_report: Arc::new(limits.report_of(&limit_reading)),
            limit_reading,
            limits,
            quick: QuickFigures::default(),
            quick_read_at: None,
            slow: SlowFigures::default(),
            slow_read_at: None,
            reasons: Reasons::default(),
        }
    }

    /// Has what is in memory read anew at the next reading, since it was changed.
    pub(super) fn refresh(&mut self) {
        self.quick_read_at = None;
    }

    /// Fills in all that is not the allocator's. `now` says what is due.
    ///
    /// Cost: about 13 us on Linux 6.18 x86-64 when what is in memory is due, and 45 us
    /// more when the slow figures are. Allocates only for what it cannot read, and when
    /// the limit changes.
    pub(super) fn read(&mut self, now: Duration, sample: &mut Sample) {
        let is_due = |read_at: Option<Duration>, interval| {
            read_at.is_none_or(|then| now.saturating_sub(then) >= interval)
        };
        if is_due(self.quick_read_at, QUICK_INTERVAL) {
            self.quick_read_at = Some(now);
            self.read_quick();
        }
        if is_due(self.slow_read_at, SLOW_INTERVAL) {
            self.slow_read_at = Some(now);
            self.read_slow();
            self.follow_limit();
        }
        sample.resident_bytes = self.quick.resident_bytes;
        sample.working_set_bytes = self.quick.working_set_bytes;
        sample.limit_bytes = self.slow.limit_bytes;
        sample.process_limit_bytes = self.slow.process_limit_bytes;
        sample.container_swap_bytes = self.slow.container_swap_bytes;
        sample.container_stall = self.slow.container_stall;
        sample.container_events = self.slow.container_events;
        sample.system = self.slow.system;
        sample.system_stall = self.slow.system_stall;
        self.reasons.publish();
    }

    fn read_quick(&mut self) {
        let resident =
            self.process.as_ref().map_err(Clone::clone).and_then(Process::resident_bytes);
        self.quick.resident_bytes = self.reasons.keep("resident_bytes", resident);
        let usage = self.limits.cgroup().and_then(Cgroup::usage);
        let working_set = usage.map(|usage| usage.working_set_bytes);
        self.quick.working_set_bytes = self.reasons.keep("working_set_bytes", working_set);
    }

    fn read_slow(&mut self) {
        let (limits, reasons, slow) = (&self.limits, &mut self.reasons, &mut self.slow);
        let cgroup = || limits.cgroup();
        let system = || limits.system();
        slow.container_swap_bytes =
            reasons.keep("container_swap_bytes", cgroup().and_then(Cgroup::swap_bytes));
        slow.container_stall = reasons.keep("container_stall", cgroup().and_then(Cgroup::stall));
        slow.container_events = reasons.keep("container_events", cgroup().and_then(Cgroup::events));
        slow.system = reasons.keep("system", system().and_then(SystemMemory::usage));
        slow.system_stall = reasons.keep("system_stall", system().and_then(SystemMemory::stall));
    }

    /// Reads the limits anew. One that was known and cannot be read now, as when the process is
    /// out of file descriptors, stays in force.
    fn follow_limit(&mut self) {
        let mut reading = self.limits.read();
        let cgroup = reading.cgroup.as_ref().map(drop).map_err(Clone::clone);
        self.reasons.keep("limit_bytes", cgroup);
        if reading.cgroup.is_err() && self.limit_reading.cgroup.is_ok() {
            reading.cgroup.clone_from(&self.limit_reading.cgroup);
        }
        if reading.physical_bytes.is_err() && self.limit_reading.physical_bytes.is_ok() {
            reading.physical_bytes.clone_from(&self.limit_reading.physical_bytes);
        }
        if reading != self.limit_reading {
            self.limit_report = Arc::new(self.limits.report_of(&reading));
            self.limit_reading = reading;
        }
        // Without a limit of its own the container is whatever the process was started in, a
        // whole login session perhaps: its usage says nothing about this process's limit.
        let has_limit = matches!(self.limit_reading.cgroup, Ok(Some(_)));
        self.slow.limit_bytes = self.limit_report.limit_bytes.filter(|_| has_limit);
        self.slow.process_limit_bytes = self.limit_report.limit_bytes.filter(|_| !has_limit);
    }

    /// Whether the container's limit is another than at the last reading; then the next one reads
    /// it anew. A file that cannot be read is left to that.
    ///
    /// Cost: that of [`Limits::has_changed_since`].
    pub(super) fn has_limit_changed(&mut self) -> bool {
        let has_changed = self.limits.has_changed_since(&self.limit_reading);
        if has_changed {
            self.slow_read_at = None;
            self.quick_read_at = None;
        }
        has_changed
    }

    /// The limit in force at the last reading. Another `Arc` when something about it changed.
    pub(super) fn limits(&self) -> Arc<LimitReport> {
        Arc::clone(&self.limit_report)
    }

    /// What the last reading could not read. Another `Arc` when that changed.
    pub(super) fn unavailable(&self) -> Arc<Unavailable> {
        Arc::clone(&self.reasons.published)
    }
}

/// Why figures could not be read, put into words only when that changes.
#[derive(Debug, Default)]
struct Reasons {
    errors: BTreeMap<&'static str, SourceError>,
    has_changed: bool,
    published: Arc<Unavailable>,
}

impl Reasons {
    /// What was read, or nothing and the reason kept.
    fn keep<T>(&mut self, figure: &'static str, read: Result<T, SourceError>) -> Option<T> {
        match read {
            Ok(value) => {
                self.has_changed |= self.errors.remove(figure).is_some();
                Some(value)
            }
            Err(error) => {
                if self.errors.get(figure) != Some(&error) {
                    self.errors.insert(figure, error);
                    self.has_changed = true;
                }
                None
            }
        }
    }

    fn publish(&mut self) {
        if std::mem::take(&mut self.has_changed) {
            let word =
                |(&figure, error): (&&str, &SourceError)| (figure.to_owned(), error.to_string());
            self.published = Arc::new(self.errors.iter().map(word).collect());
        }
    }
}

#[cfg(test)]
mod tests;
