//! [`Upkeep`]: what is asked of the monitor from time to time, as requests end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::bursar::Handle;
use crate::pressure::PressureLevel;

/// What is asked for, and when.
#[derive(Debug, Clone, Default)]
pub(super) struct Upkeep {
    pub(super) collect: Rhythm,
    pub(super) reclaim: Rhythm,
}

/// After so many requests, after such a time, or both.
#[derive(Debug, Clone, Default)]
pub(super) struct Rhythm {
    pub(super) requests: Option<Arc<EveryRequests>>,
    pub(super) time: Option<Arc<EveryTime>>,
}

/// Counts requests off.
#[derive(Debug)]
pub(super) struct EveryRequests {
    every: u64,
    seen: AtomicU64,
}

/// Tells when a time has passed again.
#[derive(Debug)]
pub(super) struct EveryTime {
    every_nanos: u64,
    due_nanos: AtomicU64,
}

impl Upkeep {
    /// Asks the monitor for what is due now that a request has ended.
    pub(super) fn request_ended(&self, handle: &Handle, now: Duration) {
        if self.collect.is_due(now) {
            handle.request_collect();
        }
        if self.reclaim.is_due(now) {
            handle.request_reclaim(PressureLevel::Warning);
        }
    }
}

impl Rhythm {
    fn is_due(&self, now: Duration) -> bool {
        // Each counts on, whatever the other says.
        let by_requests = self.requests.as_ref().is_some_and(|requests| requests.is_due());
        let by_time = self.time.as_ref().is_some_and(|time| time.is_due(now));
        by_requests || by_time
    }
}

impl EveryRequests {
    /// `None` for never.
    pub(super) fn new(every: u64) -> Option<Self> {
        (every > 0).then(|| Self { every, seen: AtomicU64::new(0) })
    }

    /// Counts one, and says whether it is one of those.
    pub(super) fn is_due(&self) -> bool {
        let seen = self.seen.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        seen.is_multiple_of(self.every)
    }
}

impl EveryTime {
    /// First due when `every` has passed from `now`. `None` for never.
    pub(super) fn new(every: Duration, now: Duration) -> Option<Self> {
        let every_nanos = nanos(every);
        let due_nanos = AtomicU64::new(nanos(now).saturating_add(every_nanos));
        (every_nanos > 0).then_some(Self { every_nanos, due_nanos })
    }

    /// Whether it has passed; to one asker only, until it has passed again.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        let now = nanos(now);
        let due = self.due_nanos.load(Ordering::Relaxed);
        if now < due {
            return false;
        }
        let next = now.saturating_add(self.every_nanos);
        // Relaxed: it says nothing of any other memory.
        let swapped =
            self.due_nanos.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed);
        swapped.is_ok()
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn each_so_many_requests_one_is_due() {
        let every = EveryRequests::new(3).unwrap();
        let due: Vec<_> = (1..=9).filter(|_| every.is_due()).collect();
        assert_eq!(due, [3, 6, 9]);
        assert!(EveryRequests::new(0).is_none());
    }

    #[test]
    fn a_time_is_due_once_when_it_has_passed_however_late_that_is_seen() {
        let every = EveryTime::new(10 * SECOND, 5 * SECOND).unwrap();
        let due: Vec<_> = [0, 14, 15, 16, 24, 25, 100, 100, 109, 110]
            .into_iter()
            .filter(|second| every.is_due(*second * SECOND))
            .collect();
        assert_eq!(due, [15, 25, 100, 110]);
        assert!(EveryTime::new(Duration::ZERO, SECOND).is_none());
    }

    #[test]
    fn a_rhythm_of_both_goes_by_whichever_comes_first() {
        let rhythm = Rhythm {
            requests: EveryRequests::new(3).map(Arc::new),
            time: EveryTime::new(10 * SECOND, Duration::ZERO).map(Arc::new),
        };
        let due = [1, 2, 3, 10, 11, 12].map(|second| rhythm.is_due(second * SECOND));
        assert_eq!(due, [false, false, true, true, false, true]);
        assert!(!Rhythm::default().is_due(SECOND));
    }
}
