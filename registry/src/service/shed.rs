//! [`Shedding`]: how many requests to refuse while memory is short.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::pressure::PressureLevel;
use crate::profile::Watermarks;
use crate::signal::PressureSignal;

/// Which share of the requests to refuse: none while there is memory, all when it is exhausted,
/// and in between a share that grows with usage.
///
/// By default nothing is refused below the critical watermark; from there on the share grows
/// linearly, up to all at the emergency watermark. With the default profile, at 80, 85, 90 and 95 %
/// of the budget it is 0, 1/3, 2/3 and all.
///
/// # What holds
///
/// - The share follows usage as it was last read
///   ([`usage_ratio`](PressureSignal::usage_ratio)), and not the level, which stays for its dwell
///   after usage has come down: once that is below the watermark, nothing is refused, whatever
///   level is in force.
/// - Likewise a level that was raised since usage grows fast refuses no more than usage does.
/// - Which request is refused is no matter of chance: of any number of requests in a row at the
///   same share, as many are refused as the share says, give or take one, evenly spread. At 1/3 it
///   is every third.
/// - Nothing is known of the request: spare health checks, and whatever must not be refused.
///
/// # Cost
///
/// Below the level at which it begins, one load; above, three loads and an addition to a counter
/// that the threads share. Clones share that counter.
///
/// # Examples
///
/// In a handler of one's own, with no layer:
///
/// ```
/// use bursar::{PressureSignal, Shedding};
///
/// struct Answer {
///     status: u16,
///     retry_after: Option<String>,
/// }
///
/// fn handle(path: &str, signal: &PressureSignal, shedding: &Shedding) -> Answer {
///     if path != "/health"
///         && let Err(refused) = shedding.admit(signal)
///     {
///         let seconds = refused.retry_after_seconds().to_string();
///         return Answer { status: 503, retry_after: Some(seconds) };
///     }
///     // ... the request is answered ...
///     Answer { status: 200, retry_after: None }
/// }
/// # let (signal, shedding) = (PressureSignal::default(), Shedding::default());
/// # let answer = handle("/", &signal, &shedding);
/// # assert_eq!((answer.status, answer.retry_after), (200, None));
/// ```
///
/// One request at a time, as a function in a container is called: all or nothing.
///
/// ```
/// use bursar::{Bursar, Error, Shedding};
///
/// fn invoke(bursar: &Bursar, shedding: &Shedding) -> Result<u16, Error> {
///     if shedding.admit(&bursar.signal()).is_err() {
///         bursar.checkpoint()?; // memory is short: clean up now, the caller tries again
///         return Ok(503);
///     }
///     // ... the work ...
///     bursar.checkpoint()?;
///     Ok(200)
/// }
/// # let _shedding = Shedding::at_emergency_only();
/// ```
#[derive(Debug, Clone)]
pub struct Shedding {
    from: PressureLevel,
    retry_after: Duration,
    /// What is left of the shares of those who were asked so far: with each wrap one is refused.
    remainder: Arc<AtomicU32>,
}

/// A request that is refused since memory is short: 503, to be tried again later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("memory is short (level {level}); try again in {} s", self.retry_after_seconds())]
#[non_exhaustive]
pub struct Refused {
    /// How long to wait before it is tried again.
    pub retry_after: Duration,
    /// The level in force.
    pub level: PressureLevel,
}

impl Refused {
    /// As the header `Retry-After` has it: in whole seconds, rounded up, and at least 1.
    #[must_use]
    pub fn retry_after_seconds(&self) -> u64 {
        let begun = u64::from(self.retry_after.subsec_nanos() > 0);
        self.retry_after.as_secs().saturating_add(begun).max(1)
    }
}

impl Default for Shedding {
    fn default() -> Self {
        Self {
            from: PressureLevel::Critical,
            retry_after: Duration::from_secs(1),
            remainder: Arc::default(),
        }
    }
}

impl Shedding {
    /// Refuses all at the emergency watermark and above, and nothing below.
    #[must_use]
    pub fn at_emergency_only() -> Self {
        Self::default().from(PressureLevel::Emergency)
    }

    /// The level from whose watermark on requests are refused. [`PressureLevel::Normal`] has none,
    /// and is taken for [`PressureLevel::Warning`].
    #[must_use]
    pub fn from(self, level: PressureLevel) -> Self {
        Self { from: level.max(PressureLevel::Warning), ..self }
    }

    /// When those who are refused are to try again, at the beginning of it; 1 s without this. It
    /// grows with the share of them, to 4 times that when all are refused.
    #[must_use]
    pub fn retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after, ..self }
    }

    /// Whether a request may go ahead. Asked once for each.
    ///
    /// # Errors
    ///
    /// [`Refused`], with the time after which to try again.
    pub fn admit(&self, signal: &PressureSignal) -> Result<(), Refused> {
        let level = signal.level();
        if level < self.from {
            return Ok(());
        }
        let share = share(self.from, signal.usage_ratio(), &signal.watermarks());
        if self.is_refused(share) {
            return Err(Refused { retry_after: grown(self.retry_after, share), level });
        }
        Ok(())
    }

    /// Adds the share to what is left of those before: one is refused as soon as that is a whole.
    fn is_refused(&self, share: f64) -> bool {
        // As a part of 2^32.
        let part = share * (f64::from(u32::MAX) + 1.0);
        if part > f64::from(u32::MAX) {
            return true;
        }
        let part = part as u32;
        if part == 0 {
            return false;
        }
        // Relaxed: it counts, and says nothing of any other memory.
        self.remainder.fetch_add(part, Ordering::Relaxed).checked_add(part).is_none()
    }
}

/// Which share to refuse at `usage`, from 0 to 1.
fn share(from: PressureLevel, usage: f64, watermarks: &Watermarks) -> f64 {
    let (begin, end) = (watermarks.of(from), watermarks.emergency);
    if usage >= end {
        return 1.0;
    }
    let share = (usage - begin) / (end - begin);
    // Not a number where the two are the same, or usage is none.
    if share > 0.0 { share.min(1.0) } else { 0.0 }
}

/// The time from once to four times, as `share` goes from 0 to 1.
fn grown(time: Duration, share: f64) -> Duration {
    Duration::try_from_secs_f64(time.as_secs_f64() * (1.0 + 3.0 * share)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests;
