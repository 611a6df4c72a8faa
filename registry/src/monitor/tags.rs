//! Keeping single tags to budgets of their own: only what is registered under them is trimmed.

use std::collections::BTreeMap;

use super::{Monitor, candidates, futility};
use crate::cooldown::Cooldown;
use crate::pressure::{PressureLevel, TagExcess};
use crate::registry::Slot;

/// Waits of tags for which a cleanup was futile, by name.
pub(super) type TagCooldowns = BTreeMap<String, Cooldown>;

/// A tag's budget is as hard as the critical level: what is dear to rebuild is asked as well.
const LEVEL: PressureLevel = PressureLevel::Critical;

impl Monitor {
    pub(super) fn keep_tags_to_their_budgets(&mut self) {
        let over = self.sources.tags_over_budget();
        self.tag_cooldowns.retain(|tag, _| over.iter().any(|excess| excess.tag == *tag));
        for excess in over {
            let now = self.clock.now();
            let last = self.tag_cooldowns.get(&excess.tag);
            if last.is_some_and(|wait| wait.holds(LEVEL, now)) {
                continue;
            }
            if !self.has_its_share() {
                return;
            }
            if let Some(reason) = self.trim_tag(&excess) {
                let last = self.tag_cooldowns.get(&excess.tag);
                let cooldown = self.cool_down(last, LEVEL, reason);
                self.tag_cooldowns.insert(excess.tag, cooldown);
            }
        }
    }

    /// Answers why it was futile, if it was.
    fn trim_tag(&mut self, excess: &TagExcess) -> Option<String> {
        let now = self.clock.now();
        let slots = self.registry.slots();
        let is_within = |slot: &Slot| {
            slot.tag_name().is_some_and(|name| excess.family.iter().any(|own| *own == name))
                && !slot.is_cooling_down(LEVEL, now)
        };
        let candidates = candidates(&slots, is_within);
        let plan =
            self.settings.config.ladder.plan_for_tag(excess, &self.settings.budget, &candidates);
        let Some(plan) = plan else {
            return Some(format!("nothing is registered under {} that could free", excess.tag));
        };
        let report = self.carry_out(&plan, &slots);
        let futile = futility(&report, &self.settings.budget);
        self.publish(report, Some(futile.is_some()));
        futile
    }
}
