//! Giving free pages back in quiet times: an idle process would keep them for ever, since
//! allocators have their pages decay as they are called.

use std::time::Duration;

use bursar_alloc::Collect;

use super::Monitor;
use crate::pressure::PressureLevel;

/// One round through the allocator's parts after the other, an interval apart. A round is done in
/// steps, so that usage is read in between however many parts there are.
#[derive(Debug, Default)]
pub(super) struct PageReturn {
    /// The part that is next, while a round is under way.
    next_part: Option<usize>,
    due_at: Duration,
}

/// A step ends with the part during which so much time has passed.
const STEP: Duration = Duration::from_millis(1);
/// Between the steps of a round.
const PAUSE: Duration = Duration::from_millis(10);

impl PageReturn {
    /// How soon the next step is due, while a round is under way.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.next_part.map(|_| PAUSE)
    }
}

impl Monitor {
    /// One step of a round. At the levels above normal pages go back with the cleanups.
    pub(super) fn return_pages(&mut self) {
        let begun_at = self.clock.now();
        if self.pressure.level != PressureLevel::Normal || self.settings.config.observe_only {
            return;
        }
        if self.pages.next_part.is_none() {
            if begun_at < self.pages.due_at {
                return;
            }
            self.pages.next_part = Some(0);
        }
        while let Some(part) = self.pages.next_part {
            if self.sources.collect_part(Collect::Decay, part).is_none() {
                self.pages.next_part = None;
                self.pages.due_at = self.clock.now().saturating_add(self.profile().interval);
                return;
            }
            self.pages.next_part = Some(part + 1);
            if self.clock.now().saturating_sub(begun_at) >= STEP {
                return;
            }
        }
    }
}
