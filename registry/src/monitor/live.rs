//! Noting what each tag, and each place in the code, holds: at a slow rhythm, for the history.

use std::time::Duration;

use super::Monitor;
use crate::bursar::BURSAR;
use crate::live_history::SPACING;

/// In which span of time the last reading was. There is one a span, in the first step within it:
/// no step is made for it, so that the rhythm costs no wake.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    last: Option<u128>,
}

impl Rhythm {
    /// Whether a reading is due, which is then taken to be made. A clock that goes back begins
    /// anew.
    fn begin(&mut self, now: Duration) -> bool {
        let span = now.as_nanos() / SPACING.as_nanos();
        self.last.replace(span) != Some(span)
    }
}

impl Monitor {
    pub(super) fn note_live_bytes(&mut self) {
        let now = self.clock.now();
        if !self.live_bytes.begin(now) {
            return;
        }
        // Without a thread, a step runs under whatever tag its caller has entered.
        let _tag = BURSAR.enter();
        let (tags, sites) = (self.sources.live_bytes_of_tags(), self.sources.live_bytes_of_sites());
        self.shared.lock().history.add_live_bytes(now, tags, sites);
    }
}
