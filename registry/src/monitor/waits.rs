//! Waiting after what was futile.

use super::{INTERVAL_UNDER_PRESSURE, Monitor, Reading};
use crate::cooldown::{Cooldown, FIRST_WAIT};
use crate::pressure::{Diagnosis, PressureLevel, find_in_heap, level_reached};

/// Perhaps at this moment only: who could not have a lock may have said so.
pub(super) const NOTHING_TO_FREE: &str = "nothing that is registered has anything to free";

/// What a cleanup could not have. Pages that were not to be had say nothing of entries, nor the
/// other way round; and that few live blocks keep many pages says nothing any more once the
/// blocks alone press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Futile {
    /// Free pages of the allocator's.
    Pages,
    /// Entries of those that were asked.
    Entries,
    /// The pages of the entries that it had.
    Fragmentation,
}

impl Futile {
    /// What a cleanup for this is to have.
    pub(super) fn of(diagnosis: Diagnosis) -> Self {
        match diagnosis {
            Diagnosis::Live => Self::Entries,
            Diagnosis::Dirty | Diagnosis::Outside => Self::Pages,
        }
    }
}

impl Monitor {
    /// Where the container presses more than the heap, and there are no more pages to be had for
    /// now, the heap has its turn at its own level.
    pub(super) fn pass_over_pages(&self, reading: &mut Reading) {
        if reading.finding.diagnosis == Diagnosis::Live
            || !self.waits_for(Futile::Pages, reading.reached)
        {
            return;
        }
        let in_heap = find_in_heap(&reading.sample, &self.settings.budget);
        let reached = level_reached(in_heap.usage, self.profile());
        if reached > PressureLevel::Normal {
            (reading.finding, reading.reached) = (in_heap, reached);
        }
    }

    pub(super) fn waits_for(&self, kind: Futile, level: PressureLevel) -> bool {
        let wait = self.cooldowns[kind as usize].as_ref();
        wait.is_some_and(|wait| wait.holds(level, self.clock.now()))
    }

    /// Begins or lengthens the wait of this kind, or ends it where there is no reason for one.
    pub(super) fn note_futile(
        &mut self,
        kind: Futile,
        level: PressureLevel,
        reason: Option<String>,
    ) {
        let last = self.cooldowns[kind as usize].take();
        self.cooldowns[kind as usize] =
            reason.map(|reason| self.cool_down(last.as_ref(), level, reason));
    }

    pub(super) fn longest_cooldown(&self) -> Option<Cooldown> {
        self.cooldowns.iter().flatten().max_by_key(|wait| wait.until).cloned()
    }

    /// Pages that stay in use for few live blocks are no reason to trim on and on: the blocks
    /// may lie anywhere, and new ones fill the gaps.
    pub(super) fn fragmentation(&self, reading: &Reading) -> Option<String> {
        let (held, footprint) = (reading.sample.held_bytes(), reading.sample.footprint_bytes());
        self.is_fragmented(reading)
            .then(|| format!("fragmentation: {held} held bytes keep {footprint} in pages"))
    }

    pub(super) fn is_fragmented(&self, reading: &Reading) -> bool {
        let warning = self.profile().watermarks.warning;
        reading.finding.diagnosis == Diagnosis::Live
            && reading.finding.usage >= warning
            && self.settings.budget.usage(reading.sample.held_bytes()) < warning
    }

    pub(super) fn cool_down(
        &self,
        last: Option<&Cooldown>,
        level: PressureLevel,
        reason: String,
    ) -> Cooldown {
        self.shared.lock().futile_cleanups_total += 1;
        let first = if reason == NOTHING_TO_FREE { INTERVAL_UNDER_PRESSURE } else { FIRST_WAIT };
        let now = self.clock.now();
        Cooldown::after(last, level, now, first..=self.profile().cooldown, reason)
    }
}
