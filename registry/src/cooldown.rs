//! [`Cooldown`]: waiting after what was futile.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::pressure::PressureLevel;

/// A wait after a futile cleanup, or after a futile callback of one purgeable. It begins with a
/// second and doubles, up to the profile's cooldown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Cooldown {
    /// The level it holds for; a higher one does not wait.
    pub level: PressureLevel,
    /// How long it lasts.
    pub wait: Duration,
    /// When it ends, on the monitor's clock.
    pub until: Duration,
    /// What made it necessary.
    pub reason: String,
}

/// The first wait, as a rule.
pub(crate) const FIRST_WAIT: Duration = Duration::from_secs(1);

impl Cooldown {
    /// The wait that follows `last`, or the first one; they double up to the longest.
    pub(crate) fn after(
        last: Option<&Self>,
        level: PressureLevel,
        now: Duration,
        waits: RangeInclusive<Duration>,
        reason: String,
    ) -> Self {
        let wait = match last {
            Some(last) if level <= last.level => last.wait.saturating_mul(2),
            _ => *waits.start(),
        };
        let wait = wait.min(*waits.end());
        Self { level, wait, until: now.saturating_add(wait), reason }
    }

    /// Whether `level` is to wait at `now`.
    pub(crate) fn holds(&self, level: PressureLevel, now: Duration) -> bool {
        level <= self.level && now < self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_a_higher_level_begins_anew() {
        let longest = Duration::from_secs(5);
        let next = |last: Option<&Cooldown>, level| {
            Cooldown::after(last, level, Duration::ZERO, FIRST_WAIT..=longest, String::new())
        };
        let mut cooldown = next(None, PressureLevel::Warning);
        let mut waits = vec![cooldown.wait.as_secs()];
        for _ in 0..3 {
            cooldown = next(Some(&cooldown), PressureLevel::Warning);
            waits.push(cooldown.wait.as_secs());
        }
        assert_eq!(waits, [1, 2, 4, 5]);
        assert_eq!(next(Some(&cooldown), PressureLevel::Critical).wait.as_secs(), 1);
    }

    #[test]
    fn it_holds_for_its_level_and_below_until_its_end() {
        let at = Duration::from_secs(10);
        let reason = String::new();
        let cooldown = Cooldown::after(None, PressureLevel::Warning, at, FIRST_WAIT..=at, reason);
        assert!(cooldown.holds(PressureLevel::Warning, at));
        assert!(!cooldown.holds(PressureLevel::Critical, at));
        assert!(!cooldown.holds(PressureLevel::Warning, cooldown.until));
    }
}
