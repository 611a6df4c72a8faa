//! [`Budget`]: how much memory there is.

use std::str::FromStr;

use bytesize::ByteSize;

use crate::error::Error;
use crate::pressure::PressureLevel;
use crate::profile::Profile;

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
    fn room_is_to_the_next_watermark_above() {
        let budget = Budget::new(1000 << 20).unwrap();
        let mib = |n: u64| n << 20;
        assert_eq!(budget.room_bytes(0), mib(700));
        assert_eq!(budget.room_bytes(mib(700)), mib(100));
        assert_eq!(budget.room_bytes(mib(949)), mib(1));
        assert_eq!(budget.room_bytes(mib(2000)), u64::MAX);
    }
}
