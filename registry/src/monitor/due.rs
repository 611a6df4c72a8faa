//! When the next step is due, and what makes it due before its time.

use std::time::Duration;

use super::Monitor;

/// Between two steps the limit alone is looked at this often. Nothing tells of a limit that comes
/// down: the allocator's headroom is that of the old one, and a thread waits for its wake or for a
/// file, not for both. A look takes 6 us a file, and some 80 us with the wake of a thread that
/// has slept: ten a second would be 0.09 % of a core, which is what an idle monitor may take in
/// all. A service that allocates 20 MB a second gets 5 MB further in this time.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// The times of a wait, on the monitor's clock.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Due {
    step_at: Duration,
    look_at: Duration,
}

impl Due {
    /// Begins a wait after a step, which has looked at everything.
    pub(super) fn begin(&mut self, now: Duration, wait: Duration) {
        self.step_at = now.saturating_add(wait);
        self.look_at = now.saturating_add(LOOK_INTERVAL);
    }
}

impl Monitor {
    /// How long to wait, unless the allocator wakes the monitor, before this is asked again;
    /// `None` once a step is due: at its time, when the flag is up or something was asked for, or
    /// when the limit has changed.
    pub(crate) fn wait_for_step(&mut self) -> Option<Duration> {
        let now = self.clock.now();
        if now >= self.due.step_at || self.take_pending() {
            return None;
        }
        if now >= self.due.look_at {
            self.due.look_at = now.saturating_add(LOOK_INTERVAL);
            if self.sources.has_limit_changed() {
                return None;
            }
        }
        Some(self.due.step_at.min(self.due.look_at).saturating_sub(now))
    }
}
