//! [`RateLimit`]: at most so many operations within any stretch of time.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::Error;

/// At most `operations` within any stretch of `per`, wherever it begins.
///
/// Exact: the times of the operations let through are kept, 16 bytes each, up to `operations` of
/// them. Refused ones do not count.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bursar::RateLimit;
///
/// let limit = RateLimit { operations: 1000, per: Duration::from_secs(1) };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// Operations let through: 1 to 1,000,000.
    pub operations: u32,
    /// The length of the stretch: above zero.
    pub per: Duration,
}

/// What bounds the memory of a window: 16 MB.
const MAX_OPERATIONS: u32 = 1_000_000;

impl RateLimit {
    pub(super) fn validate(&self) -> Result<(), Error> {
        let refuse = |name, given, allowed| Err(Error::InvalidSetting { name, given, allowed });
        if !(1..=MAX_OPERATIONS).contains(&self.operations) {
            let given = self.operations.to_string();
            return refuse("rate_limit.operations", given, "1 to 1000000");
        }
        if self.per.is_zero() {
            return refuse("rate_limit.per", "0s".to_owned(), "above zero");
        }
        Ok(())
    }
}

/// The times of the latest operations let through, oldest first.
#[derive(Debug)]
pub(super) struct Window {
    limit: RateLimit,
    times: Mutex<VecDeque<Duration>>,
}

impl Window {
    /// One of a limit that is valid.
    pub(super) fn new(limit: RateLimit) -> Self {
        Self { limit, times: Mutex::default() }
    }

    pub(super) fn limit(&self) -> RateLimit {
        self.limit
    }

    /// Whether an operation at `now` is let through, which then counts.
    pub(super) fn try_pass(&self, now: Duration) -> bool {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two threads the one that read the clock first may come here last.
        let now = times.back().map_or(now, |&latest| now.max(latest));
        if times.len() < self.limit.operations as usize {
            times.push_back(now);
            return true;
        }
        let is_due = times.front().is_some_and(|&oldest| now - oldest >= self.limit.per);
        if is_due {
            times.pop_front();
            times.push_back(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window(operations: u32, per_ms: u64) -> Window {
        Window::new(RateLimit { operations, per: Duration::from_millis(per_ms) })
    }

    #[test]
    fn the_limit_slides_and_does_not_start_anew_at_full_seconds() {
        let window = window(2, 1000);
        let passes = |ms| window.try_pass(Duration::from_millis(ms));
        assert!(passes(900));
        assert!(passes(950));
        assert!(!passes(1000), "a new second, but the last two are not 1 s old");
        assert!(!passes(1899));
        assert!(passes(1900), "the first is 1 s old now");
        assert!(!passes(1949));
        assert!(passes(1950));
    }

    #[test]
    fn what_was_refused_does_not_count() {
        let window = window(1, 1000);
        assert!(window.try_pass(Duration::ZERO));
        for ms in 1..1000 {
            assert!(!window.try_pass(Duration::from_millis(ms)));
        }
        assert!(window.try_pass(Duration::from_millis(1000)));
    }

    #[test]
    fn a_time_from_before_the_latest_counts_as_the_latest() {
        let window = window(2, 1000);
        assert!(window.try_pass(Duration::from_millis(500)));
        assert!(window.try_pass(Duration::from_millis(400)));
        assert!(!window.try_pass(Duration::from_millis(1400)), "both came at 500");
        assert!(window.try_pass(Duration::from_millis(1500)));
    }

    #[test]
    fn limits_of_nothing_and_of_too_much_are_refused() {
        let refused =
            |operations, per| RateLimit { operations, per }.validate().unwrap_err().to_string();
        assert_eq!(
            refused(0, Duration::MAX),
            "rate_limit.operations 0 is not allowed; allowed is 1 to 1000000"
        );
        assert!(refused(1_000_001, Duration::MAX).contains("1000001"));
        assert!(refused(1, Duration::ZERO).contains("rate_limit.per 0s"));
        assert!(RateLimit { operations: 1, per: Duration::MAX }.validate().is_ok());
    }

    proptest! {
        /// Whatever comes when: no stretch has more than the limit, and none is refused that
        /// would have fitted.
        #[test]
        fn no_stretch_has_more_than_the_limit_and_nothing_is_refused_in_vain(
            gaps in prop::collection::vec(0u64..50, 1..200),
            operations in 1u32..8,
            per_ms in 1u64..200,
        ) {
            let window = window(operations, per_ms);
            let mut passed: Vec<u64> = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                let recent = passed.iter().filter(|&&at| now - at < per_ms).count();
                let fits = recent < operations as usize;
                prop_assert_eq!(window.try_pass(Duration::from_millis(now)), fits);
                passed.extend(fits.then_some(now));
            }
        }
    }
}
