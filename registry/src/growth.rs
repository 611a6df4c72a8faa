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
    /// From the last reading but one to the last.
    latest_per_second: f64,
}

/// The rate is an average of which a reading so long ago counts for a third. So a single jump,
/// however sudden, is a rate of no more than its height in this time.
const MEMORY: Duration = Duration::from_millis(500);

impl Growth {
    /// Takes a reading into account.
    pub(crate) fn note(&mut self, usage: f64, now: Duration) {
        let Some((then, before)) = self.last else {
            self.last = Some((now, usage));
            return;
        };
        let distance = now.saturating_sub(then);
        if distance.is_zero() {
            return;
        }
        let rate = (usage - before) / distance.as_secs_f64();
        let kept = (-distance.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        self.per_second = kept * self.per_second + (1.0 - kept) * rate;
        self.latest_per_second = rate;
        self.last = Some((now, usage));
    }

    /// Goes on from a reading that a cleanup made lower.
    pub(crate) fn rebase(&mut self, usage: f64, now: Duration) {
        self.last = Some((now, usage));
    }

    /// How long usage takes to grow by `share` of the budget, at the higher of its rates; `None`
    /// if it does not grow.
    pub(crate) fn time_to_grow(&self, share: f64) -> Option<Duration> {
        let per_second = self.per_second.max(self.latest_per_second);
        // Not positive, or so small that the time is past all range: it does not.
        Duration::try_from_secs_f64(share / per_second).ok().filter(|_| per_second > 0.0)
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
        Profile { growth_horizon: Duration::from_millis(300), ..Profile::default() }
    }

    const MS: Duration = Duration::from_millis(1);

    /// Grown from `from` to `to` within `time`, read each millisecond.
    fn grown(from: f64, to: f64, time: Duration) -> Growth {
        let mut growth = Growth::default();
        let steps = time.as_millis() as u32;
        for step in 0..=steps {
            growth.note(from + (to - from) * f64::from(step) / f64::from(steps), step * MS);
        }
        growth
    }

    #[test]
    fn a_level_that_is_about_to_be_passed_over_is_raised_by_one() {
        // Three times the budget a second.
        let growth = grown(0.30, 0.90, 200 * MS);
        let raised = |level, usage| growth.escalate(level, usage, &profile());
        assert_eq!(raised(PressureLevel::Warning, 0.72), PressureLevel::Critical);
        assert_eq!(raised(PressureLevel::Critical, 0.82), PressureLevel::Emergency);
        assert_eq!(raised(PressureLevel::Emergency, 0.99), PressureLevel::Emergency);
    }

    #[test]
    fn slow_growth_raises_nothing_and_normal_is_never_raised() {
        let slow = grown(0.70, 0.72, 200 * MS);
        let level = slow.escalate(PressureLevel::Warning, 0.72, &profile());
        assert_eq!(level, PressureLevel::Warning);
        let fast = grown(0.0, 0.6, 100 * MS);
        let level = fast.escalate(PressureLevel::Normal, 0.6, &profile());
        assert_eq!(level, PressureLevel::Normal);
    }

    #[test]
    fn a_jump_is_not_taken_for_growth_that_goes_on() {
        let mut growth = Growth::default();
        growth.note(0.60, Duration::ZERO);
        growth.note(0.72, Duration::from_nanos(1));
        assert!(growth.per_second <= 0.25, "{}", growth.per_second);
        let level = growth.escalate(PressureLevel::Warning, 0.72, &profile());
        assert_eq!(level, PressureLevel::Warning);
    }

    #[test]
    fn the_time_to_grow_is_the_share_over_the_rate_and_none_without_growth() {
        let time = |per_second, latest_per_second| {
            Growth { last: None, per_second, latest_per_second }.time_to_grow(0.01)
        };
        assert_eq!(time(2.0, -1.0), Some(5 * MS));
        assert_eq!(time(2.0, 10.0), Some(MS));
        for per_second in [0.0, -1.0, 1e-300] {
            assert_eq!(time(per_second, per_second), None);
        }
    }

    #[test]
    fn without_a_horizon_nothing_is_raised_below_the_emergency_watermark() {
        let fast = grown(0.1, 0.72, 50 * MS);
        let profile = Profile { growth_horizon: Duration::ZERO, ..Profile::default() };
        assert_eq!(fast.escalate(PressureLevel::Warning, 0.72, &profile), PressureLevel::Warning);
    }

    #[test]
    fn what_a_cleanup_took_is_no_part_of_the_rate() {
        let mut growth = grown(0.60, 0.90, 100 * MS);
        let before = growth.per_second;
        growth.rebase(0.60, 101 * MS);
        growth.note(0.603, 102 * MS);
        assert!(
            (growth.per_second / before - 1.0).abs() < 0.1,
            "{} then {before}",
            growth.per_second
        );
    }

    #[test]
    fn a_clock_that_jumps_or_stands_still_does_no_harm() {
        let mut growth = grown(0.70, 0.80, 10 * MS);
        growth.note(0.71, 20 * MS);
        growth.note(0.72, 5 * MS);
        growth.note(0.72, Duration::from_secs(1 << 40));
        assert!(growth.per_second.abs() < 1e-6);
    }
}
