//! Carries a plan out, and measures what each callback freed.

use std::sync::Arc;
use std::time::Duration;

use bursar_alloc::Collect;

use crate::clock::Clock;
use crate::ladder::{Ask, Plan, PlannedStage, Stage};
use crate::pressure::{Diagnosis, PressureLevel};
use crate::purge::{PurgeOutcome, PurgeRequest};
use crate::registry::Slot;
use crate::report::{CleanupReport, PurgeReport, PurgeStatus, StageReport};
use crate::source::Sources;

/// One cleanup under way.
pub(crate) struct Cleanup<'a> {
    pub(crate) plan: &'a Plan,
    /// What [`Ask::index`] points into.
    pub(crate) slots: &'a [Arc<Slot>],
    pub(crate) sources: &'a mut dyn Sources,
    pub(crate) clock: &'a dyn Clock,
}

impl Cleanup<'_> {
    /// Runs stages until live bytes are down by the plan's target.
    pub(crate) fn run(mut self) -> CleanupReport {
        let started_at = self.clock.now();
        let live_bytes_before = self.sources.live_bytes();
        let goal_bytes = live_bytes_before.saturating_sub(self.plan.target_bytes);
        let mut stages = Vec::with_capacity(self.plan.stages.len());
        for planned in &self.plan.stages {
            if planned.stage == Stage::Collect || self.sources.live_bytes() > goal_bytes {
                stages.push(self.run_stage(planned, goal_bytes));
            }
        }
        CleanupReport {
            level: self.plan.level,
            diagnosis: self.plan.diagnosis,
            target_bytes: self.plan.target_bytes,
            freed_bytes: stages.iter().map(|stage| stage.freed_bytes).sum(),
            live_bytes_before,
            live_bytes_after: self.sources.live_bytes(),
            collected_bytes: stages.iter().map(|stage| stage.collected_bytes).sum(),
            started_at,
            elapsed: self.since(started_at),
            stages,
        }
    }

    fn run_stage(&mut self, planned: &PlannedStage, goal_bytes: u64) -> StageReport {
        let started_at = self.clock.now();
        let mut purges = Vec::with_capacity(planned.asks.len());
        for ask in &planned.asks {
            // Read anew after each callback: what is asked next is what is missing now.
            let missing_bytes = self.sources.live_bytes().saturating_sub(goal_bytes);
            if missing_bytes == 0 {
                break;
            }
            purges.extend(self.purge(ask, missing_bytes));
        }
        let collected_bytes = self.collect(planned.stage);
        StageReport {
            stage: planned.stage,
            freed_bytes: purges.iter().map(PurgeReport::freed_bytes).sum(),
            collected_bytes,
            elapsed: self.since(started_at),
            purges,
        }
    }

    /// `None` if the purgeable is no longer registered.
    fn purge(&mut self, ask: &Ask, missing_bytes: u64) -> Option<PurgeReport> {
        let slot = &self.slots[ask.index];
        let whole = ask.max_bytes == u64::MAX;
        let asked_bytes = if whole { u64::MAX } else { ask.max_bytes.min(missing_bytes) };
        let request = PurgeRequest::new(asked_bytes, self.plan.level);

        let started_at = self.clock.now();
        let freed_before = self.sources.net_freed_by_this_thread(slot.tag());
        let outcome = slot.call(|purgeable| purgeable.purge(&request))?;
        let freed_after = self.sources.net_freed_by_this_thread(slot.tag());

        let (status, claimed_bytes) = match outcome {
            Ok(PurgeOutcome::Freed(bytes)) => (PurgeStatus::Freed, bytes),
            Ok(PurgeOutcome::Empty) => (PurgeStatus::Empty, 0),
            Ok(PurgeOutcome::Busy) => (PurgeStatus::Busy, 0),
            Err(_) => (PurgeStatus::Panicked, 0),
        };
        let report = PurgeReport {
            name: slot.name().to_owned(),
            status,
            asked_bytes,
            claimed_bytes,
            measured_bytes: freed_before
                .zip(freed_after)
                .map(|(before, after)| freed_between(before, after)),
            elapsed: self.since(started_at),
        };
        slot.totals().add(&report);
        Some(report)
    }

    /// Gives pages back. Live pressure that is but a warning leaves it to the allocator's decay
    /// times: pages that the next trim's freed blocks come to lie in need not be faulted in anew.
    fn collect(&mut self, stage: Stage) -> Option<u64> {
        let mild = self.plan.level == PressureLevel::Warning
            && self.plan.diagnosis == Diagnosis::Live
            && stage != Stage::Collect;
        let before = self.sources.dirty_bytes();
        self.sources.collect(if mild { Collect::Decay } else { Collect::Purge });
        let after = self.sources.dirty_bytes();
        before.zip(after).map(|(before, after)| before.saturating_sub(after))
    }

    fn since(&self, started_at: Duration) -> Duration {
        self.clock.now().saturating_sub(started_at)
    }
}

/// A callback that allocated more than it freed has freed nothing.
fn freed_between(before: i64, after: i64) -> u64 {
    u64::try_from(after.wrapping_sub(before)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
