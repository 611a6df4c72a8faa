//! Carries a plan out, and measures what each callback freed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bursar_alloc::{Collect, TagHandle};

use crate::clock::Clock;
use crate::ladder::{Ask, Plan, PlannedStage, Stage};
use crate::profile::Profile;
use crate::purge::{PurgeOutcome, PurgeRequest};
use crate::registry::Slot;
use crate::report::{CleanupReport, PurgeReport, PurgeStatus, StageReport};
use crate::source::Sources;
use crate::status::Shared;

/// One cleanup under way.
pub(crate) struct Cleanup<'a> {
    plan: &'a Plan,
    /// What [`Ask::index`] points into.
    slots: &'a [Arc<Slot>],
    sources: &'a mut dyn Sources,
    clock: &'a dyn Clock,
    profile: &'a Profile,
    /// Where others read which callback runs.
    shared: &'a Shared,
    /// Report whom the plan would ask, and ask nobody.
    pub(crate) observe_only: bool,
    /// The next watermark was reached meanwhile.
    is_cut_short: bool,
}

impl<'a> Cleanup<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        slots: &'a [Arc<Slot>],
        sources: &'a mut dyn Sources,
        clock: &'a dyn Clock,
        profile: &'a Profile,
        shared: &'a Shared,
    ) -> Self {
        let (observe_only, is_cut_short) = (false, false);
        Self { plan, slots, sources, clock, profile, shared, observe_only, is_cut_short }
    }

    /// Runs stages until held bytes are down by the plan's target.
    pub(crate) fn run(mut self) -> CleanupReport {
        let started_at = self.clock.now();
        let held_bytes_before = self.held_bytes();
        let goal_bytes = held_bytes_before.saturating_sub(self.plan.target_bytes);
        let mut stages = Vec::with_capacity(self.plan.stages.len());
        for planned in &self.plan.stages {
            if self.is_cut_short {
                break;
            }
            if planned.stage == Stage::Collect || self.held_bytes() > goal_bytes {
                stages.push(self.run_stage(planned, goal_bytes));
            }
        }
        CleanupReport {
            level: self.plan.level,
            diagnosis: self.plan.diagnosis,
            tag: self.plan.tag.clone(),
            observed_only: self.observe_only,
            is_cut_short: self.is_cut_short,
            target_bytes: self.plan.target_bytes,
            freed_bytes: stages.iter().map(|stage| stage.freed_bytes).sum(),
            held_bytes_before,
            held_bytes_after: self.held_bytes(),
            collected_bytes: stages.iter().map(|stage| stage.collected_bytes).sum(),
            started_at,
            elapsed: self.since(started_at),
            stages,
        }
    }

    /// What is to come down: of the tag that is over its budget, or of the whole process.
    fn held_bytes(&mut self) -> u64 {
        match &self.plan.tag {
            Some(tag) => self.sources.held_bytes_of(tag),
            None => self.sources.held_bytes(),
        }
    }

    fn run_stage(&mut self, planned: &PlannedStage, goal_bytes: u64) -> StageReport {
        let started_at = self.clock.now();
        let mut purges = Vec::with_capacity(planned.asks.len());
        let mut trimmed = Vec::new();
        for ask in &planned.asks {
            // Read anew after each callback: what is asked next is what is missing now.
            let missing_bytes = self.held_bytes().saturating_sub(goal_bytes);
            if missing_bytes == 0 {
                break;
            }
            let whole = ask.max_bytes == u64::MAX;
            let asked_bytes = if whole { u64::MAX } else { ask.max_bytes.min(missing_bytes) };
            if self.observe_only {
                purges.push(PurgeReport::observed(self.slots[ask.index].name(), asked_bytes));
            } else {
                let report = self.purge(ask, asked_bytes);
                if report.as_ref().is_some_and(|report| report.freed_bytes() > 0) {
                    trimmed.extend(self.slots[ask.index].tag());
                }
                purges.extend(report);
            }
        }
        let collected_bytes = if self.observe_only { None } else { self.collect(&trimmed) };
        StageReport {
            stage: planned.stage,
            freed_bytes: purges.iter().map(PurgeReport::freed_bytes).sum(),
            collected_bytes,
            elapsed: self.since(started_at),
            purges,
        }
    }

    /// `None` if the purgeable is no longer registered.
    fn purge(&mut self, ask: &Ask, asked_bytes: u64) -> Option<PurgeReport> {
        let slot = &self.slots[ask.index];
        let mut request = PurgeRequest::new(asked_bytes, self.plan.level);
        request.deadline = Instant::now().checked_add(self.profile.callback_deadline);

        let started_at = self.clock.now();
        let freed_before = self.sources.net_freed_by_this_thread(slot.tag());
        let charged_before = self.sources.charged_bytes(slot.tag());
        self.shared.lock().begin_callback(slot.name(), started_at);
        let outcome = slot.call(|purgeable| purgeable.purge(&request));
        self.shared.lock().running = None;
        let charged_after = self.sources.charged_bytes(slot.tag());
        let freed_after = self.sources.net_freed_by_this_thread(slot.tag());

        let (status, claimed_bytes) = match outcome? {
            Ok(PurgeOutcome::Freed(bytes)) => (PurgeStatus::Freed, bytes),
            Ok(PurgeOutcome::Empty) => (PurgeStatus::Empty, 0),
            Ok(PurgeOutcome::Busy) => (PurgeStatus::Busy, 0),
            Err(_) => (PurgeStatus::Panicked, 0),
        };
        let uncharged_bytes = charged_before.saturating_sub(charged_after);
        let report = PurgeReport {
            name: slot.name().to_owned(),
            status,
            asked_bytes,
            claimed_bytes,
            measured_bytes: freed_before.zip(freed_after).map(|(before, after)| {
                freed_between(before, after).saturating_add(uncharged_bytes)
            }),
            elapsed: self.since(started_at),
        };
        slot.note(&report, self.plan.level, self.clock.now(), self.profile.cooldown);
        Some(report)
    }

    /// Gives pages back: first all those of isolated tags that were `trimmed`, since that is where
    /// they are; then one part of the allocator after the other. Many of them take long, and usage
    /// goes on meanwhile: when it reaches the next watermark, that comes first.
    fn collect(&mut self, trimmed: &[&TagHandle]) -> Option<u64> {
        let how = if self.plan.purges_pages { Collect::Purge } else { Collect::Decay };
        let before = self.sources.dirty_bytes();
        for tag in trimmed {
            self.sources.collect_tag(tag);
        }
        let mut part = 0;
        while self.sources.collect_part(how, part).is_some() {
            part += 1;
            if self.sources.take_pending() {
                self.is_cut_short = true;
                break;
            }
        }
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
