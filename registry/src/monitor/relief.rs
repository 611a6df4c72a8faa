//! Telling the purgeables that the pressure has passed, so that they grow back by and by.

use std::time::Duration;

use super::Monitor;
use crate::pressure::PressureLevel;

/// When they are to be told.
#[derive(Debug, Default)]
pub(super) struct Relief {
    has_pressed: bool,
    due_at: Option<Duration>,
}

impl Relief {
    /// How soon they are to be told, if they are.
    pub(super) fn wait(&self, now: Duration) -> Option<Duration> {
        self.due_at.map(|due_at| due_at.saturating_sub(now))
    }
}

impl Monitor {
    /// Tells them once it has been normal for the profile's calm: once after each pressure.
    pub(super) fn relieve(&mut self) {
        let now = self.clock.now();
        if self.pressure.level > PressureLevel::Normal {
            self.relief = Relief { has_pressed: true, due_at: None };
            return;
        }
        if !self.relief.has_pressed {
            return;
        }
        let calm = self.profile().calm;
        let due_at = *self.relief.due_at.get_or_insert(now.saturating_add(calm));
        if now >= due_at {
            self.relief = Relief::default();
            for slot in self.registry.slots() {
                slot.pressure_passed();
            }
        }
    }
}
