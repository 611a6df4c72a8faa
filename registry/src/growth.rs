//! [`Growth`]: how fast usage grows, and whether a level is about to be passed over.

use std::time::Duration;

use crate::pressure::PressureLevel;
use crate::profile::Profile;

/// The rate at which usage grows, out of readings. Pure: what cleanups take back is told to it
/// by [`rebase`](Self::rebase), and is no part of the rate.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Growth {
    last: Option<(Duration, f64)>,
    /// Shares of the budget a second; 0 until it is known.
    per_second: f64,
}

/// Readings closer than this say little of a rate.
const LEAST_DISTANCE: Duration = Duration::from_millis(1);
/// After so long, what the rate was says nothing any more.
const FORGOTTEN_AFTER: Duration = Duration::from_millis(500);

impl Growth {
    /// Takes a reading into account: the rate moves half of the way to what it says.
    pub(crate) fn note(&mut self, usage: f64, now: Duration) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, usage));
            return;
        };
        let distance = now.saturating_sub(then);
        if distance < LEAST_DISTANCE {
            return;
        }
        let rate = (usage - before) / distance.as_secs_f64();
        self.per_second =
            if distance > FORGOTTEN_AFTER { rate } else { 0.5 * self.per_second + 0.5 * rate };
        self.last = Some((now, usage));
    }

    /// Goes on from a reading that a cleanup made lower.
    pub(crate) fn rebase(&mut self, usage: f64, now: Duration) {
        self.last = Some((now, usage));
    }

    /// `level`, or the one above if usage is about to reach the emergency watermark.
    pub(crate) fn escalate(
        &self,
        level: PressureLevel,
        usage: f64,
        profile: &Profile,
    ) -> PressureLevel {
        let soon = usage + self.per_second * profile.growth_horizon.as_secs_f64();
        if level == PressureLevel::Normal || soon < profile.watermarks.emergency {
            return level;
        }
        match level {
            PressureLevel::Warning => PressureLevel::Critical,
            _ => PressureLevel::Emergency,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile { growth_horizon: Duration::from_millis(100), ..Profile::default() }
    }

    fn grown(usages: &[f64], apart: Duration) -> Growth {
        let mut growth = Growth::default();
        let mut now = Duration::ZERO;
        for &usage in usages {
            growth.note(usage, now);
            now += apart;
        }
        growth
    }

    #[test]
    fn a_level_that_is_about_to_be_passed_over_is_raised_by_one() {
        let growth = grown(&[0.50, 0.61, 0.72], Duration::from_millis(10));
        let raised = |level, usage| growth.escalate(level, usage, &profile());
        assert_eq!(raised(PressureLevel::Warning, 0.72), PressureLevel::Critical);
        assert_eq!(raised(PressureLevel::Critical, 0.82), PressureLevel::Emergency);
        assert_eq!(raised(PressureLevel::Emergency, 0.99), PressureLevel::Emergency);
    }

    #[test]
    fn slow_growth_raises_nothing_and_normal_is_never_raised() {
        let slow = grown(&[0.70, 0.71, 0.72], Duration::from_millis(100));
        let level = slow.escalate(PressureLevel::Warning, 0.72, &profile());
        assert_eq!(level, PressureLevel::Warning);
        let fast = grown(&[0.1, 0.3, 0.6], Duration::from_millis(10));
        let level = fast.escalate(PressureLevel::Normal, 0.6, &profile());
        assert_eq!(level, PressureLevel::Normal);
    }

    #[test]
    fn without_a_horizon_nothing_is_raised_below_the_emergency_watermark() {
        let fast = grown(&[0.1, 0.3, 0.72], Duration::from_millis(2));
        let profile = Profile { growth_horizon: Duration::ZERO, ..Profile::default() };
        assert_eq!(fast.escalate(PressureLevel::Warning, 0.72, &profile), PressureLevel::Warning);
    }

    #[test]
    fn what_a_cleanup_took_is_no_part_of_the_rate() {
        let mut growth = grown(&[0.70, 0.80], Duration::from_millis(10));
        let before = growth.per_second;
        growth.rebase(0.60, Duration::from_millis(20));
        growth.note(0.70, Duration::from_millis(30));
        assert!(growth.per_second >= before, "{} then {before}", growth.per_second);
    }

    #[test]
    fn a_clock_that_jumps_or_stands_still_does_no_harm() {
        let mut growth = grown(&[0.70, 0.80], Duration::from_millis(10));
        growth.note(0.71, Duration::from_millis(20));
        growth.note(0.72, Duration::from_millis(5));
        growth.note(0.72, Duration::from_secs(1 << 40));
        assert!(growth.per_second.abs() < 1e-6);
    }
}
