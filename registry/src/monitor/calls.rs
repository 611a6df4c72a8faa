//! What is asked of a monitor directly, at whatever level.

use std::sync::Arc;

use bursar_alloc::{Collect, Collected};

use super::{Monitor, candidates};
use crate::ladder::{Ladder, Plan};
use crate::pressure::{Diagnosis, PressureLevel};
use crate::registry::Slot;
use crate::report::{CleanupReport, CollectReport, Compliance, EmergencyReport};

impl Monitor {
    /// Gives the allocator's free pages back. Costs no data.
    pub(crate) fn collect(&mut self) -> CollectReport {
        let started_at = self.clock.now();
        let dirty_bytes_before = self.sources.dirty_bytes();
        let is_supported = match self.settings.config.observe_only {
            true => false,
            false => self.sources.collect(Collect::Purge) == Collected::Done,
        };
        let dirty_bytes_after = self.sources.dirty_bytes();
        self.sources.refresh();
        let elapsed = self.clock.now().saturating_sub(started_at);
        self.read();
        CollectReport { is_supported, dirty_bytes_before, dirty_bytes_after, elapsed }
    }

    /// Runs the ladder's stages of `level`, whatever usage is.
    pub(crate) fn reclaim(&mut self, level: PressureLevel) -> CleanupReport {
        let sample = self.read().sample;
        let slots = self.registry.slots();
        let candidates = candidates(&slots, |_| true);
        let plan = self
            .settings
            .config
            .ladder
            .plan(level, Diagnosis::Live, &sample, &self.settings.budget, &candidates)
            .unwrap_or_else(|| Plan::of_nothing(level));
        self.carry_out_and_publish(&plan, &slots)
    }

    /// Asks everyone for everything, if usage is past the budget.
    pub(crate) fn emergency(&mut self) -> EmergencyReport {
        let footprint_bytes = self.read().sample.footprint_bytes();
        let soft_limit_bytes = self.settings.budget.soft_limit_bytes();
        let compliance = Compliance::of(footprint_bytes, soft_limit_bytes);
        if compliance.is_compliant {
            return EmergencyReport::NotNeeded(compliance);
        }
        EmergencyReport::Done(Box::new(self.ask_for_everything(PressureLevel::Emergency)))
    }

    /// The last words, before the monitor ends.
    pub(crate) fn finish(&mut self) {
        if self.settings.config.final_cleanup {
            self.ask_for_everything(PressureLevel::Normal);
        }
        self.shared.signal().end();
    }

    fn ask_for_everything(&mut self, level: PressureLevel) -> CleanupReport {
        let slots = self.registry.slots();
        let plan = Ladder::plan_everything(level, &candidates(&slots, |_| true));
        self.carry_out_and_publish(&plan, &slots)
    }

    pub(super) fn carry_out_and_publish(
        &mut self,
        plan: &Plan,
        slots: &[Arc<Slot>],
    ) -> CleanupReport {
        let report = self.carry_out(plan, slots);
        self.end_put_off();
        self.publish(report.clone(), None);
        self.read();
        report
    }
}
