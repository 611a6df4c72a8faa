//! [`Budget`] and [`Profile`]: how much memory there is, and at what shares of it to act.

use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;

use crate::error::Error;
use crate::pressure::PressureLevel;

/// How much memory the process may use, and the profile by which it is kept to that.
///
/// Soft: nothing fails when it is passed. What fails is what the container's own limit makes
/// fail, so leave a reserve below that for what is outside the heap.
///
/// # Examples
///
/// ```
/// use bursar::Budget;
///
/// let budget: Budget = "400MiB".parse()?;
/// assert_eq!(budget.soft_limit_bytes(), 400 << 20);
///
/// let error = "12 bananas".parse::<Budget>().unwrap_err();
/// assert!(error.to_string().contains("12 bananas"));
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    soft_limit_bytes: u64,
    profile: Profile,
}

/// At what shares of the budget which level begins, and what is then asked for.
///
/// The default has the levels at 70, 80 and 95 % of the budget, and frees 15, 30 and 50 % of the
/// footprint at them.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Profile {
    /// Where each level begins.
    pub watermarks: Watermarks,
    /// The share of the footprint that a cleanup is to free, at warning, critical and emergency.
    pub targets: [f64; 3],
    /// A level is left only when usage is this share of the budget below its watermark.
    pub hysteresis: f64,
    /// A level is left only after this long. Upward there is no wait.
    pub dwell: Duration,
    /// The longest wait after cleanups that freed next to nothing; it begins with a second and
    /// doubles. A higher level does not wait.
    pub cooldown: Duration,
    /// The largest share of one purgeable that one trim takes.
    pub max_share: f64,
    /// How often usage is read when nothing wakes the monitor.
    pub interval: Duration,
}

/// Shares of the budget at which the levels begin: `0 < warning < critical < emergency <= 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Watermarks {
    /// Where [`PressureLevel::Warning`] begins.
    pub warning: f64,
    /// Where [`PressureLevel::Critical`] begins.
    pub critical: f64,
    /// Where [`PressureLevel::Emergency`] begins.
    pub emergency: f64,
}

impl Budget {
    /// The smallest budget there can be.
    pub const MIN_SOFT_LIMIT_BYTES: u64 = 1 << 20;

    /// A budget of `soft_limit_bytes`, with the default profile.
    ///
    /// # Errors
    ///
    /// [`Error::BudgetTooSmall`] below [`Budget::MIN_SOFT_LIMIT_BYTES`].
    pub fn new(soft_limit_bytes: u64) -> Result<Self, Error> {
        if soft_limit_bytes < Self::MIN_SOFT_LIMIT_BYTES {
            return Err(Error::BudgetTooSmall {
                given_bytes: soft_limit_bytes,
                min_bytes: Self::MIN_SOFT_LIMIT_BYTES,
            });
        }
        Ok(Self { soft_limit_bytes, profile: Profile::default() })
    }

    /// The same budget with another profile.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidWatermarks`] or [`Error::InvalidSetting`] if the profile makes no sense.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{Budget, Profile, Watermarks};
    ///
    /// let mut profile = Profile::default();
    /// profile.watermarks = Watermarks { warning: 0.9, critical: 0.8, emergency: 0.95 };
    /// let error = Budget::new(64 << 20)?.with_profile(profile).unwrap_err();
    /// assert!(error.to_string().contains("warning 0.9, critical 0.8"));
    /// # Ok::<(), bursar::Error>(())
    /// ```
    pub fn with_profile(self, profile: Profile) -> Result<Self, Error> {
        profile.validate()?;
        Ok(Self { profile, ..self })
    }

    /// The bytes that the footprint is kept to.
    #[must_use]
    pub fn soft_limit_bytes(&self) -> u64 {
        self.soft_limit_bytes
    }

    /// The profile in use.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// `footprint_bytes` as a share of the budget.
    pub(crate) fn usage(&self, footprint_bytes: u64) -> f64 {
        footprint_bytes as f64 / self.soft_limit_bytes as f64
    }

    /// Bytes from `footprint_bytes` up to the next watermark above it; no bound past the last.
    pub(crate) fn room_bytes(&self, footprint_bytes: u64) -> u64 {
        let usage = self.usage(footprint_bytes);
        PressureLevel::ABOVE_NORMAL
            .into_iter()
            .find(|&level| usage < self.profile.watermarks.of(level))
            .map_or(u64::MAX, |level| {
                self.watermark_bytes(level).saturating_sub(footprint_bytes).max(1)
            })
    }

    /// Where a level begins, in bytes.
    pub(crate) fn watermark_bytes(&self, level: PressureLevel) -> u64 {
        (self.soft_limit_bytes as f64 * self.profile.watermarks.of(level)).ceil() as u64
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
            hysteresis: 0.05,
            dwell: Duration::from_secs(1),
            cooldown: Duration::from_secs(30),
            max_share: 0.5,
            interval: Duration::from_secs(5),
        }
    }
}

impl Profile {
    /// The share of the footprint to free at `level`; 0 at normal.
    #[must_use]
    pub fn target(&self, level: PressureLevel) -> f64 {
        match level {
            PressureLevel::Normal => 0.0,
            PressureLevel::Warning => self.targets[0],
            PressureLevel::Critical => self.targets[1],
            PressureLevel::Emergency => self.targets[2],
        }
    }

    fn validate(&self) -> Result<(), Error> {
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
        let share_fits = 0.0 < self.max_share && self.max_share <= 1.0;
        require(share_fits, "max_share", &self.max_share, "above 0, up to 1")?;
        let interval_fits = self.interval >= Self::MIN_INTERVAL;
        require(interval_fits, "interval", &self.interval, "10ms or more")
    }

    const MIN_INTERVAL: Duration = Duration::from_millis(10);
}

fn require(
    fits: bool,
    name: &'static str,
    given: &dyn std::fmt::Debug,
    allowed: &'static str,
) -> Result<(), Error> {
    if fits {
        return Ok(());
    }
    Err(Error::InvalidSetting { name, given: format!("{given:?}"), allowed })
}

impl FromStr for Budget {
    type Err = Error;

    /// Parses a size: `"400MiB"`, `"1.5 GB"`, `"134217728"`. `MB` is a million bytes, `MiB` is
    /// 2^20.
    fn from_str(given: &str) -> Result<Self, Error> {
        let refuse = |reason| Error::UnparsableBudget { given: given.to_owned(), reason };
        let size: ByteSize = given.parse().map_err(refuse)?;
        // The parser answers the largest number for everything past it.
        if size.as_u64() == u64::MAX {
            return Err(refuse("more than any memory".to_owned()));
        }
        Self::new(size.as_u64())
    }
}

impl TryFrom<&str> for Budget {
    type Error = Error;

    fn try_from(given: &str) -> Result<Self, Error> {
        given.parse()
    }
}

impl TryFrom<u64> for Budget {
    type Error = Error;

    fn try_from(soft_limit_bytes: u64) -> Result<Self, Error> {
        Self::new(soft_limit_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_parsed_and_what_is_not_a_size_is_refused_with_what_was_given() {
        assert_eq!("64MiB".parse::<Budget>().unwrap().soft_limit_bytes(), 64 << 20);
        assert_eq!("400MB".parse::<Budget>().unwrap().soft_limit_bytes(), 400_000_000);
        assert_eq!("2097152".parse::<Budget>().unwrap().soft_limit_bytes(), 2 << 20);
        for bad in ["", "12 bananas", "-1", "90%", "1e400", "99999999999999999999GB", "NaN", "inf"]
        {
            let error = bad.parse::<Budget>().unwrap_err();
            assert!(matches!(error, Error::UnparsableBudget { .. }), "{bad:?}: {error:?}");
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
    }

    #[test]
    fn a_budget_of_zero_or_next_to_it_is_refused() {
        for given in [0, 1, Budget::MIN_SOFT_LIMIT_BYTES - 1] {
            let error = Budget::new(given).unwrap_err();
            assert_eq!(
                error,
                Error::BudgetTooSmall {
                    given_bytes: given,
                    min_bytes: Budget::MIN_SOFT_LIMIT_BYTES
                }
            );
        }
        assert!("0".parse::<Budget>().is_err());
    }

    #[test]
    fn profiles_that_make_no_sense_are_refused() {
        let budget = Budget::new(64 << 20).unwrap();
        let refused = |change: fn(&mut Profile)| {
            let mut profile = Profile::default();
            change(&mut profile);
            budget.clone().with_profile(profile).unwrap_err()
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
            ("interval", |p| p.interval = Duration::ZERO),
        ] {
            let error = refused(change);
            assert!(matches!(error, Error::InvalidSetting { name: n, .. } if n == name), "{error}");
        }
    }

    #[test]
    fn room_is_to_the_next_watermark_above() {
        let budget = Budget::new(1000 << 20).unwrap();
        let mib = |n: u64| n << 20;
        assert_eq!(budget.room_bytes(0), mib(700));
        assert_eq!(budget.room_bytes(mib(700)), mib(100));
        assert_eq!(budget.room_bytes(mib(949)), mib(1));
        assert_eq!(budget.room_bytes(mib(2000)), u64::MAX);
    }
}
