//! [`Clock`]: injected time.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time since some beginning. Never goes back; may jump ahead, as when a frozen function thaws.
///
/// Read on look-ups of caches whose entries expire, on any thread: cheap, and without a lock.
pub trait Clock: Debug + Send + Sync {
    /// How long ago the beginning was.
    fn now(&self) -> Duration;
}

/// The platform's monotonic clock, from when it was made.
///
/// # Examples
///
/// ```
/// use bursar::{Clock, SystemClock};
///
/// let clock = SystemClock::starting_now();
/// assert!(clock.now() <= clock.now());
/// ```
#[derive(Debug)]
pub struct SystemClock(Instant);

impl SystemClock {
    /// One whose beginning is now.
    #[must_use]
    pub fn starting_now() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// A clock that stands still until it is advanced, for tests of what expires.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bursar::{Clock, ManualClock};
///
/// let clock = ManualClock::default();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), Duration::from_secs(60));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock {
    nanos: AtomicU64,
}

impl ManualClock {
    /// Moves it ahead. It ends after 584 years.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let add = |now: u64| Some(now.saturating_add(nanos));
        // Relaxed: a test's threads meet elsewhere.
        let _ = self.nanos.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}
