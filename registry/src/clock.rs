//! Injected time.

use std::fmt::Debug;
use std::time::{Duration, Instant};

/// Time since some beginning, never going back if the platform keeps its promise.
pub(crate) trait Clock: Debug + Send + Sync {
    fn now(&self) -> Duration;
}

/// The platform's monotonic clock.
#[derive(Debug)]
pub(crate) struct SystemClock(Instant);

impl SystemClock {
    pub(crate) fn starting_now() -> Self {
        Self(Instant::now())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
