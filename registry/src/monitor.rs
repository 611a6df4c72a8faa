//! [`Monitor`]: reads, judges, plans, cleans up; one step at a time, by a thread or without.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::budget::Budget;
use crate::cleanup::Cleanup;
use crate::clock::Clock;
use crate::ladder::Ladder;
use crate::pressure::{
    Diagnosis, Finding, Pressure, PressureLevel, Sample, diagnose, level_reached,
};
use crate::registry::Registry;
use crate::report::CleanupReport;
use crate::source::Sources;

/// Above normal, usage is read at least this often: a level is to be left in good time, and what
/// does not allocate (another process in the container) to be noticed.
const INTERVAL_UNDER_PRESSURE: Duration = Duration::from_millis(100);
/// The first wait after a futile cleanup; it doubles up to the profile's cooldown.
const FIRST_COOLDOWN: Duration = Duration::from_secs(1);
/// A cleanup that frees less than this part of its target was futile.
const FUTILE_PART: u64 = 20;
/// Cleanup reports that are kept.
const REPORTS_KEPT: usize = 32;

/// What a monitor has found and done, for readers on other threads.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) sample: Sample,
    pub(crate) finding: Option<Finding>,
    pub(crate) pressure: Pressure,
    pub(crate) cleanups_total: u64,
    pub(crate) futile_cleanups_total: u64,
    pub(crate) freed_bytes_total: u64,
    pub(crate) collected_bytes_total: u64,
    /// Why nothing is done although usage is high, if that is so.
    pub(crate) cooldown: Option<Cooldown>,
    /// The latest reports, oldest first.
    pub(crate) reports: VecDeque<CleanupReport>,
}

/// A wait after a futile cleanup.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Cooldown {
    /// The level it holds for; a higher one does not wait.
    pub level: PressureLevel,
    /// How long it lasts.
    pub wait: Duration,
    /// When it ends, on the monitor's clock.
    pub until: Duration,
    /// What made it necessary.
    pub reason: String,
}

/// A [`Status`] that one monitor writes and anyone reads. Its lock is never held while user code
/// runs.
#[derive(Debug, Default)]
pub(crate) struct Shared(Mutex<Status>);

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Monitor {
    budget: Budget,
    ladder: Ladder,
    registry: Registry,
    sources: Box<dyn Sources>,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    pressure: Pressure,
    cooldown: Option<Cooldown>,
}

impl Monitor {
    pub(crate) fn new(
        budget: Budget,
        ladder: Ladder,
        registry: Registry,
        sources: Box<dyn Sources>,
        clock: Arc<dyn Clock>,
        shared: Arc<Shared>,
    ) -> Self {
        let (pressure, cooldown) = (Pressure::default(), None);
        Self { budget, ladder, registry, sources, clock, shared, pressure, cooldown }
    }

    /// Reads usage and does what is due. Returns how long to wait for the next step, unless the
    /// allocator wakes the monitor before.
    pub(crate) fn step(&mut self) -> Duration {
        // Taken before the reading: what is used up from here on raises it anew.
        let _ = self.sources.take_pending();
        let (sample, finding) = self.read();
        // What usage has reached now is acted on, not the level in force: that one stays for its
        // dwell after a spike, and must not cost in calm what the spike did.
        let level = level_reached(finding.usage, self.budget.profile());
        if level > PressureLevel::Normal && !self.is_cooling_down(level) {
            let futile = self.clean_up(level, &sample, finding);
            let (sample, finding) = self.read();
            match futile.or_else(|| self.fragmentation(&sample, finding)) {
                Some(reason) => self.cool_down(level, reason),
                None => self.cooldown = None,
            }
            self.shared.lock().cooldown.clone_from(&self.cooldown);
        }
        self.interval()
    }

    fn read(&mut self) -> (Sample, Finding) {
        let sample = self.sources.sample(&self.budget);
        let finding = diagnose(&sample, &self.budget);
        let profile = self.budget.profile();
        self.pressure = self.pressure.classify(finding.usage, profile, self.clock.now());
        if self.pressure.level == PressureLevel::Normal {
            self.cooldown = None;
        }
        let mut status = self.shared.lock();
        status.sample = sample;
        status.finding = Some(finding);
        status.pressure = self.pressure;
        status.cooldown.clone_from(&self.cooldown);
        (sample, finding)
    }

    fn is_cooling_down(&self, level: PressureLevel) -> bool {
        self.cooldown
            .as_ref()
            .is_some_and(|cooldown| level <= cooldown.level && self.clock.now() < cooldown.until)
    }

    /// Plans and runs a cleanup. Answers why it was futile, if it was.
    fn clean_up(
        &mut self,
        level: PressureLevel,
        sample: &Sample,
        finding: Finding,
    ) -> Option<String> {
        let slots = self.registry.slots();
        let candidates: Vec<_> =
            slots.iter().enumerate().map(|(index, slot)| slot.candidate(index)).collect();
        let plan = self.ladder.plan(level, finding.diagnosis, sample, &self.budget, &candidates);
        let Some(plan) = plan else {
            return Some("nothing that is registered has anything to free".to_owned());
        };
        let (sources, clock) = (&mut *self.sources, &*self.clock);
        let report = Cleanup { plan: &plan, slots: &slots, sources, clock }.run();
        let futile = futility(&report, &self.budget);
        self.publish(report);
        futile
    }

    /// Pages that stay in use for few live blocks are no reason to trim on and on: the blocks
    /// may lie anywhere, and new ones fill the gaps.
    fn fragmentation(&self, sample: &Sample, finding: Finding) -> Option<String> {
        let warning = self.budget.profile().watermarks.warning;
        let is_fragmented = finding.diagnosis == Diagnosis::Live
            && finding.usage >= warning
            && self.budget.usage(sample.live_bytes) < warning;
        let (live, footprint) = (sample.live_bytes, sample.footprint_bytes());
        is_fragmented.then(|| format!("fragmentation: {live} live bytes keep {footprint} in pages"))
    }

    fn cool_down(&mut self, level: PressureLevel, reason: String) {
        let wait = match &self.cooldown {
            Some(last) if level <= last.level => last.wait * 2,
            _ => FIRST_COOLDOWN,
        };
        let wait = wait.min(self.budget.profile().cooldown);
        let until = self.clock.now() + wait;
        self.cooldown = Some(Cooldown { level, wait, until, reason });
        self.shared.lock().futile_cleanups_total += 1;
    }

    fn publish(&mut self, report: CleanupReport) {
        let mut status = self.shared.lock();
        status.cleanups_total += 1;
        status.freed_bytes_total += report.freed_bytes;
        status.collected_bytes_total += report.collected_bytes.unwrap_or(0);
        if status.reports.len() == REPORTS_KEPT {
            status.reports.pop_front();
        }
        status.reports.push_back(report);
    }

    fn interval(&self) -> Duration {
        let interval = self.budget.profile().interval;
        match self.pressure.level {
            PressureLevel::Normal => interval,
            _ => interval.min(INTERVAL_UNDER_PRESSURE),
        }
    }
}

/// Why a cleanup was not worth its while, if it was not.
fn futility(report: &CleanupReport, budget: &Budget) -> Option<String> {
    let collected = report.collected_bytes.unwrap_or(0);
    if report.target_bytes == 0 {
        let worthwhile = budget.soft_limit_bytes() / 64;
        return (collected < worthwhile)
            .then(|| format!("collecting gave back {collected} bytes only"));
    }
    (report.freed_bytes < report.target_bytes / FUTILE_PART).then(|| {
        format!("the callbacks freed {} of {} bytes", report.freed_bytes, report.target_bytes)
    })
}

#[cfg(test)]
mod tests;
