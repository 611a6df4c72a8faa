//! [`Profile`]: at what shares of the budget to act, how much to ask for then, and how often.

use std::fmt::Debug;
use std::time::Duration;

use crate::error::Error;
use crate::pressure::PressureLevel;

/// At what shares of the budget which level begins, and what is then asked for.
///
/// The default has the levels at 70, 80 and 95 % of the budget, and frees 15, 30 and 50 % of the
/// footprint at them.
///
/// In a file it is the name of a profile, or the fields that differ from one, as
/// [`Config`](crate::Config) says.
///
/// # Examples
///
/// ```
/// use bursar::{Budget, Policy, Profile};
///
/// let mut profile = Profile::dense();
/// profile.policy = Policy::Conservative;
/// let budget = Budget::new(64 << 20)?.with_profile(profile)?;
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Profile {
    /// Where each level begins.
    pub watermarks: Watermarks,
    /// The share of the footprint that a cleanup is to free, at warning, critical and emergency.
    pub targets: [f64; 3],
    /// Whom a cleanup spares, and how far it goes.
    pub policy: Policy,
    /// A level is left only when usage is this share of the budget below its watermark.
    pub hysteresis: f64,
    /// A level is left only after this long. Upward there is no wait.
    pub dwell: Duration,
    /// A level above normal is raised by one when usage, growing as it does, would be at the
    /// emergency watermark within this time. Zero: never.
    pub growth_horizon: Duration,
    /// The longest wait after cleanups that freed next to nothing; it begins with a second and
    /// doubles. A higher level does not wait.
    pub cooldown: Duration,
    /// The largest share of one purgeable that one trim takes.
    pub max_share: f64,
    /// The largest share of one core that cleanups take below the emergency level, over some
    /// seconds.
    pub max_cpu_share: f64,
    /// By when a callback is asked to answer.
    pub callback_deadline: Duration,
    /// A callback that takes longer than this shows as a stall.
    pub stall_after: Duration,
    /// Purgeables are told that the pressure has passed after this long at the normal level.
    pub calm: Duration,
    /// How often usage is read when nothing wakes the monitor; at the levels above normal every
    /// 100 ms if that is shorter. The limit alone is looked at every 250 ms in any case.
    pub interval: Duration,
}

/// Shares of the budget at which the levels begin: `0 < warning < critical < emergency <= 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Watermarks {
    /// Where [`PressureLevel::Warning`] begins.
    pub warning: f64,
    /// Where [`PressureLevel::Critical`] begins.
    pub critical: f64,
    /// Where [`PressureLevel::Emergency`] begins.
    pub emergency: f64,
}

/// How readily a cleanup takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Policy {
    /// Half the usual share of each purgeable, and below critical nothing that is dear to
    /// rebuild ([`RebuildCost::High`](crate::RebuildCost::High)).
    Conservative,
    /// As the profile says.
    #[default]
    Balanced,
    /// Targets half as high again, pools and idle singletons from the warning level on, and
    /// pages purged rather than left to decay.
    Aggressive,
}

impl Policy {
    /// The policy's name in lower case, as in JSON and in `BURSAR_POLICY`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Conservative => "conservative",
            Self::Balanced => "balanced",
            Self::Aggressive => "aggressive",
        }
    }
}

impl Watermarks {
    /// The share at which `level` begins; 0 for normal.
    #[must_use]
    pub fn of(&self, level: PressureLevel) -> f64 {
        match level {
            PressureLevel::Normal => 0.0,
            PressureLevel::Warning => self.warning,
            PressureLevel::Critical => self.critical,
            PressureLevel::Emergency => self.emergency,
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            watermarks: Watermarks { warning: 0.70, critical: 0.80, emergency: 0.95 },
            targets: [0.15, 0.30, 0.50],
            policy: Policy::Balanced,
            hysteresis: 0.05,
            dwell: Duration::from_secs(1),
            growth_horizon: Duration::from_millis(50),
            cooldown: Duration::from_secs(30),
            max_share: 0.5,
            max_cpu_share: 0.25,
            callback_deadline: Duration::from_millis(50),
            stall_after: Duration::from_secs(1),
            calm: Duration::from_secs(10),
            interval: Duration::from_secs(5),
        }
    }
}

impl Profile {
    /// For a function in a small container that handles one request at a time: levels at 78, 94
    /// and 100 % of the budget, since nothing else grows meanwhile, and no look at growth, which
    /// between two checkpoints says nothing of what comes after.
    #[must_use]
    pub fn function() -> Self {
        let watermarks = Watermarks { warning: 0.78, critical: 0.94, emergency: 1.0 };
        Self { watermarks, growth_horizon: Duration::ZERO, ..Self::default() }
    }

    /// For a service whose budget is there to be filled with cache: levels at 94, 97 and 99 %,
    /// and small bites (3, 6 and 50 %) out of it. Costs more cleanups, and leaves less room for
    /// what comes suddenly.
    #[must_use]
    pub fn dense() -> Self {
        Self {
            watermarks: Watermarks { warning: 0.94, critical: 0.97, emergency: 0.99 },
            targets: [0.03, 0.06, 0.50],
            hysteresis: 0.02,
            ..Self::default()
        }
    }

    /// The profile of this name: `default`, `function` or `dense`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "default" => Some(Self::default()),
            "function" => Some(Self::function()),
            "dense" => Some(Self::dense()),
            _ => None,
        }
    }

    /// The share of the footprint to free at `level`, by the policy; 0 at normal.
    #[must_use]
    pub fn target(&self, level: PressureLevel) -> f64 {
        let target = match level {
            PressureLevel::Normal => 0.0,
            PressureLevel::Warning => self.targets[0],
            PressureLevel::Critical => self.targets[1],
            PressureLevel::Emergency => self.targets[2],
        };
        match self.policy {
            Policy::Aggressive => (1.5 * target).min(1.0),
            _ => target,
        }
    }

    /// The shortest interval there can be.
    pub const MIN_INTERVAL: Duration = Duration::from_millis(10);

    pub(crate) fn validate(&self) -> Result<(), Error> {
        let Watermarks { warning, critical, emergency } = self.watermarks;
        // Comparisons with NaN are false, so NaN is refused as well.
        let in_order = 0.0 < warning && warning < critical && critical < emergency;
        if !(in_order && emergency <= 1.0) {
            return Err(Error::InvalidWatermarks { warning, critical, emergency });
        }
        let [at_warning, at_critical, at_emergency] = self.targets;
        let rising = 0.0 < at_warning && at_warning <= at_critical && at_critical <= at_emergency;
        require(
            rising && at_emergency <= 1.0,
            "targets",
            &self.targets,
            "shares above 0, not falling, up to 1",
        )?;
        let hysteresis_fits = 0.0 <= self.hysteresis && self.hysteresis < warning;
        require(
            hysteresis_fits,
            "hysteresis",
            &self.hysteresis,
            "0 or more, below the warning watermark",
        )?;
        for (name, share) in [("max_share", self.max_share), ("max_cpu_share", self.max_cpu_share)]
        {
            require(0.0 < share && share <= 1.0, name, &share, "above 0, up to 1")?;
        }
        self.validate_times()
    }

    fn validate_times(&self) -> Result<(), Error> {
        let (not_zero, any) = (Duration::from_nanos(1), Duration::ZERO);
        for (name, time, min, allowed) in [
            ("dwell", self.dwell, any, "up to a year"),
            ("growth_horizon", self.growth_horizon, any, "up to a year"),
            ("cooldown", self.cooldown, any, "up to a year"),
            ("callback_deadline", self.callback_deadline, not_zero, "above zero, up to a year"),
            ("stall_after", self.stall_after, not_zero, "above zero, up to a year"),
            ("calm", self.calm, any, "up to a year"),
            ("interval", self.interval, Self::MIN_INTERVAL, "10ms or more, up to a year"),
        ] {
            require((min..=MAX_TIME).contains(&time), name, &time, allowed)?;
        }
        Ok(())
    }
}

/// The longest time there can be: added to any clock's, it is within what a clock can show.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

fn require(
    fits: bool,
    name: &'static str,
    given: &dyn Debug,
    allowed: &'static str,
) -> Result<(), Error> {
    if fits {
        return Ok(());
    }
    Err(Error::InvalidSetting { name, given: format!("{given:?}"), allowed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_that_make_no_sense_are_refused() {
        let refused = |change: fn(&mut Profile)| {
            let mut profile = Profile::default();
            change(&mut profile);
            profile.validate().unwrap_err()
        };
        for change in [
            (|p| p.watermarks.warning = 0.0) as fn(&mut Profile),
            |p| p.watermarks.warning = 0.8,
            |p| p.watermarks.critical = 0.95,
            |p| p.watermarks.emergency = 1.01,
            |p| p.watermarks.critical = f64::NAN,
        ] {
            assert!(matches!(refused(change), Error::InvalidWatermarks { .. }));
        }
        for (name, change) in [
            ("targets", (|p| p.targets = [0.3, 0.2, 0.5]) as fn(&mut Profile)),
            ("targets", |p| p.targets = [0.0, 0.2, 0.5]),
            ("targets", |p| p.targets[2] = f64::INFINITY),
            ("hysteresis", |p| p.hysteresis = 0.7),
            ("hysteresis", |p| p.hysteresis = f64::NAN),
            ("max_share", |p| p.max_share = 0.0),
            ("max_cpu_share", |p| p.max_cpu_share = 1.1),
            ("callback_deadline", |p| p.callback_deadline = Duration::ZERO),
            ("stall_after", |p| p.stall_after = Duration::ZERO),
            ("interval", |p| p.interval = Duration::ZERO),
            ("interval", |p| p.interval = Duration::MAX),
            ("dwell", |p| p.dwell = Duration::MAX),
        ] {
            let error = refused(change);
            assert!(matches!(error, Error::InvalidSetting { name: n, .. } if n == name), "{error}");
        }
    }

    #[test]
    fn every_profile_that_has_a_name_makes_sense_and_no_other_name_is_known() {
        for name in ["default", "function", "dense"] {
            assert_eq!(Profile::named(name).unwrap().validate(), Ok(()), "{name}");
        }
        assert_eq!(Profile::named("Default"), None);
    }

    #[test]
    fn an_aggressive_policy_asks_for_half_as_much_again_and_never_for_more_than_all() {
        let mut profile = Profile { policy: Policy::Aggressive, ..Profile::default() };
        assert_eq!(profile.target(PressureLevel::Critical), 1.5 * 0.30);
        profile.targets[2] = 0.9;
        assert_eq!(profile.target(PressureLevel::Emergency), 1.0);
    }
}
