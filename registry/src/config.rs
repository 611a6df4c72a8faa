//! [`Config`]: every setting, by whichever way it comes in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::budget::Budget;
use crate::error::Error;
use crate::ladder::Ladder;
use crate::profile::Profile;

/// Every setting of a [`Bursar`](crate::Bursar): one schema for the builder, for files (serde)
/// and for `BURSAR_*` variables.
///
/// # Examples
///
/// ```
/// use bursar::{Bursar, Config, Profile};
///
/// let mut config = Config::default();
/// config.soft_limit_bytes = Some(64 << 20);
/// config.profile = Profile::dense();
/// let builder = Bursar::builder().config(config);
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Config {
    /// What the footprint is kept to; without it, the limit less the reserve.
    pub soft_limit_bytes: Option<u64>,
    /// What the process may use at all, in place of what is found out.
    pub limit_bytes: Option<u64>,
    /// What of the limit is left for what is outside the heap, where no soft limit is given;
    /// without it a tenth, and at least 8 MiB.
    pub reserve_bytes: Option<u64>,
    /// When to act, and how far to go.
    pub profile: Profile,
    /// Which stages run at which level.
    pub ladder: Ladder,
    /// What single tags may hold, by name: only what is registered under such a tag is trimmed
    /// for it.
    pub tag_budget_bytes: BTreeMap<String, u64>,
    /// Measure, judge and report, and purge nothing.
    pub observe_only: bool,
    /// Start no thread: the steps are made by `Bursar::checkpoint`.
    pub threadless: bool,
    /// Ask every purgeable for everything when stopped.
    pub final_cleanup: bool,
    /// Where a report is written when the emergency level is entered: in Kubernetes, the file
    /// that `terminationMessagePath` names.
    pub last_report_path: Option<PathBuf>,
}

impl Config {
    /// What is wrong with the settings, taken together.
    ///
    /// # Errors
    ///
    /// Those of [`Budget::new`] and [`Budget::with_profile`], and [`Error::InvalidSetting`] for
    /// what is out of its range.
    pub fn validate(&self) -> Result<(), Error> {
        self.profile.validate()?;
        self.budget().map(drop)
    }

    /// The budget, if it is given.
    pub(crate) fn budget(&self) -> Result<Option<Budget>, Error> {
        let Some(soft_limit_bytes) = self.soft_limit_bytes else { return Ok(None) };
        Budget::new(soft_limit_bytes)?.with_profile(self.profile.clone()).map(Some)
    }
}
