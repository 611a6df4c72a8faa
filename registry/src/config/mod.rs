//! [`Config`]: every setting, by whichever way it comes in.

mod env;
#[cfg(feature = "serde")]
mod formats;
mod human;
#[cfg(feature = "serde")]
mod profile_format;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::budget::Budget;
use crate::error::Error;
use crate::ladder::{Ladder, Stage};
use crate::profile::{MAX_TIME, Profile};
use crate::purge::{Bounds, is_valid_name};

#[cfg(feature = "serde")]
pub(crate) use profile_format::watermarks_as_read;
pub use requests::RequestSettings;

/// Every setting of a [`Bursar`](crate::Bursar): one schema for the builder, for files (serde)
/// and for `BURSAR_*` variables.
///
/// # Variables
///
/// | variable | field | form and example | default |
/// |---|---|---|---|
/// | `BURSAR_SOFT_LIMIT` | `soft_limit_bytes` | size, `400MiB` | none |
/// | `BURSAR_LIMIT` | `limit_bytes` | size, `512MiB` | none |
/// | `BURSAR_RESERVE` | `reserve_bytes` | size, `64MiB` | none |
/// | `BURSAR_PROFILE` | `profile` | `default`, `function` or `dense` | `default` |
/// | `BURSAR_WATERMARKS` | `profile.watermarks` | three shares, `70%,80%,95%` | `0.7,0.8,0.95` |
/// | `BURSAR_TARGETS` | `profile.targets` | three shares, `15%,30%,50%` | `0.15,0.3,0.5` |
/// | `BURSAR_POLICY` | `profile.policy` | `conservative`, `balanced` or `aggressive` | `balanced` |
/// | `BURSAR_HYSTERESIS` | `profile.hysteresis` | share, `10%` | `0.05` |
/// | `BURSAR_DWELL` | `profile.dwell` | time, `250ms` | `1s` |
/// | `BURSAR_GROWTH_HORIZON` | `profile.growth_horizon` | time, `0s` | `50ms` |
/// | `BURSAR_COOLDOWN` | `profile.cooldown` | time, `1m 30s` | `30s` |
/// | `BURSAR_MAX_SHARE` | `profile.max_share` | share, `25%` | `0.5` |
/// | `BURSAR_MAX_CPU_SHARE` | `profile.max_cpu_share` | share, `10%` | `0.25` |
/// | `BURSAR_CALLBACK_DEADLINE` | `profile.callback_deadline` | time, `10ms` | `50ms` |
/// | `BURSAR_STALL_AFTER` | `profile.stall_after` | time, `500ms` | `1s` |
/// | `BURSAR_CALM` | `profile.calm` | time, `1m` | `10s` |
/// | `BURSAR_INTERVAL` | `profile.interval` | time, `1s` | `5s` |
/// | `BURSAR_LADDER_WARNING` | `ladder.warning` | stages, `collect,trim` | `trim` |
/// | `BURSAR_LADDER_CRITICAL` | `ladder.critical` | stages, `release,trim` | `trim,release` |
/// | `BURSAR_LADDER_EMERGENCY` | `ladder.emergency` | stages, `emergency` | `trim,release,emergency` |
/// | `BURSAR_TAG_BUDGETS` | `tag_budget_bytes` | tags and sizes, `thumbnails=20MiB,sessions=5MiB` | none |
/// | `BURSAR_MAX_BYTES` | `max_bytes` | names and sizes, `thumbnails=64MiB,pages=8MiB` | none |
/// | `BURSAR_MAX_ENTRIES` | `max_entries` | names and numbers, `sessions=10000,buffers=64` | none |
/// | `BURSAR_MAX_PURGE_DEFERRAL` | `max_purge_deferral` | time, `1s` | `5s` |
/// | `BURSAR_SHED_FROM` | `requests.shed_from` | `warning`, `critical` or `emergency` | none |
/// | `BURSAR_DEFER_PURGING` | `requests.defer_purging` | switch, `on` | `false` |
/// | `BURSAR_COLLECT_EVERY_REQUESTS` | `requests.collect_every_requests` | number, `10000` | `0` |
/// | `BURSAR_COLLECT_EVERY` | `requests.collect_every` | time, `1m` | `0s` |
/// | `BURSAR_RECLAIM_EVERY_REQUESTS` | `requests.reclaim_every_requests` | number, `100000` | `0` |
/// | `BURSAR_RECLAIM_EVERY` | `requests.reclaim_every` | time, `1h` | `0s` |
/// | `BURSAR_LOG_EVERY_REQUESTS` | `requests.log_every_requests` | number, `1000` | `0` |
/// | `BURSAR_REQUEST_HEADERS` | `requests.headers` | switch, `on` | `false` |
/// | `BURSAR_MAX_ROUTES` | `requests.max_routes` | number, `256` | `64` |
/// | `BURSAR_HEAVY_FROM` | `requests.heavy_from_bytes` | size, `256KiB` | `1MiB` |
/// | `BURSAR_SAMPLING_INTERVAL` | `sampling_interval_bytes` | size, `512KiB` | none |
/// | `BURSAR_SAMPLING_TABLE` | `sampling_table_bytes` | size, `4MiB` | none |
/// | `BURSAR_OBSERVE_ONLY` | `observe_only` | switch, `true` | `false` |
/// | `BURSAR_THREADLESS` | `threadless` | switch, `on` | `false` |
/// | `BURSAR_FINAL_CLEANUP` | `final_cleanup` | switch, `1` | `false` |
/// | `BURSAR_LAST_REPORT` | `last_report_path` | path, `/dev/termination-log` | none |
///
/// `BURSAR_PROFILE` is applied before the variables of single fields of the profile, which thus
/// override it. A size is a number of bytes or has a unit: `MB` is a million bytes, `MiB` is
/// 2^20. A share is a number from 0 to 1 or a percentage. Stages are `collect`, `trim`, `release`
/// and `emergency`, in the order in which they are to run; `none` is no stage. A switch is
/// `true`, `1`, `yes` or `on`, or the opposite of one. A variable with names takes the place of
/// all that its field had; a name stands in it once. The two of the heap profile are allowed only
/// where it is compiled in (feature `profile`).
///
/// A variable that begins with `BURSAR_` and is none of these is an error, as is one that is
/// empty. (Kubernetes gives such variables to the pods beside a service named `bursar`: set
/// `enableServiceLinks: false` in those.)
///
/// # Bounds of caches and pools
///
/// `max_bytes` and `max_entries` are for what is registered under these names; the name of a
/// [`Cache`](crate::Cache) is its tag's. It gets them when it is registered, in place of those it
/// was built with; one that does not have such bounds is refused with
/// [`Error::BoundsNotSet`]. A name that nothing was registered under is no error, since it may
/// still come: [`Stats::bounds_unused`](crate::Stats::bounds_unused) tells.
///
/// # Files
///
/// With the feature `serde`, a `Config` is read from any format that describes itself (JSON,
/// TOML, YAML). The fields have the names of the struct. One that is missing has its default;
/// one that is unknown is an error. A size is a number of bytes or a string such as `"400MiB"`,
/// a share a number or `"70%"`, a time a string such as `"250ms"`. The profile is a name
/// (`"dense"`), or the fields that differ from those of a `preset`; without one, from those of
/// the default. The three watermarks come together.
///
/// Sizes and shares are written as numbers, times as strings. What is written is read as it was.
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
///
/// From a file, with the environment's variables in place of what it says:
///
#[cfg_attr(feature = "serde", doc = "```")]
#[cfg_attr(not(feature = "serde"), doc = "```ignore")]
/// let config: bursar::Config = serde_json::from_str(
///     r#"{
///         "soft_limit_bytes": "400MiB",
///         "profile": { "preset": "dense", "dwell": "2s", "max_share": "25%" },
///         "ladder": { "warning": ["collect", "trim"] },
///         "tag_budget_bytes": { "thumbnails": "20MiB" },
///         "max_entries": { "sessions": 10000 }
///     }"#,
/// )?;
/// let builder = bursar::Bursar::builder().config(config).env();
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct Config {
    /// What the footprint is kept to; without it, the limit less the reserve.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::optional_size"))]
    pub soft_limit_bytes: Option<u64>,
    /// What the process may use at all, in place of what is found out.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::optional_size"))]
    pub limit_bytes: Option<u64>,
    /// What of the limit is left for what is outside the heap, where no soft limit is given;
    /// without it a tenth, and at least 8 MiB.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::optional_size"))]
    pub reserve_bytes: Option<u64>,
    /// When to act, and how far to go.
    pub profile: Profile,
    /// Which stages run at which level.
    pub ladder: Ladder,
    /// What single tags may hold, by name: only what is registered under such a tag is trimmed
    /// for it.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::by_name"))]
    pub tag_budget_bytes: BTreeMap<String, u64>,
    /// What single caches and pools may hold at all, pressure or no, by the names they are
    /// registered under.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::by_name"))]
    pub max_bytes: BTreeMap<String, u64>,
    /// How many entries single caches may have, or idle objects single pools, likewise.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::by_name"))]
    pub max_entries: BTreeMap<String, usize>,
    /// The longest that cleanups are put off while requests run: see
    /// [`Bursar::defer_purging`](crate::Bursar::defer_purging). Zero: not at all.
    #[cfg_attr(feature = "serde", serde(with = "formats::time"))]
    pub max_purge_deferral: Duration,
    /// What is done around requests.
    pub requests: RequestSettings,
    /// Sample the heap for the heap profile, by so many bytes in the mean; 512 KiB is cheap enough
    /// to be left on. Without it sampling is off until it is switched on at run time.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::optional_size"))]
    pub sampling_interval_bytes: Option<u64>,
    /// What the samples may take; without it, room for twice the samples that a heap as large as
    /// the budget has, and at most 1/64 of the budget.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::optional_size"))]
    pub sampling_table_bytes: Option<u64>,
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

impl Default for Config {
    fn default() -> Self {
        Self {
            soft_limit_bytes: None,
            limit_bytes: None,
            reserve_bytes: None,
            profile: Profile::default(),
            ladder: Ladder::default(),
            tag_budget_bytes: BTreeMap::new(),
            max_bytes: BTreeMap::new(),
            max_entries: BTreeMap::new(),
            max_purge_deferral: Duration::from_secs(5),
            requests: RequestSettings::default(),
            sampling_interval_bytes: None,
            sampling_table_bytes: None,
            observe_only: false,
            threadless: false,
            final_cleanup: false,
            last_report_path: None,
        }
    }
}

impl Config {
    /// What is wrong with the settings, taken together.
    ///
    /// Allowed, though one setting is then without effect: a reserve beside a soft limit, which
    /// needs none; a final cleanup of one that only observes, which purges nothing. Allowed too:
    /// tags whose budgets together are more than the soft limit, or purgeables whose `max_bytes`
    /// are, since not all need be full at once; a level with no stage, and stages in any order.
    ///
    /// # Errors
    ///
    /// Those of [`Budget::new`] and [`Budget::with_profile`]; [`Error::InvalidSetting`] for what
    /// is out of its range; [`Error::Contradiction`] for a soft limit, a reserve, a tag's budget
    /// or a purgeable's `max_bytes` that does not fit into the limit it is part of.
    pub fn validate(&self) -> Result<(), Error> {
        self.profile.validate()?;
        self.budget()?;
        self.validate_limits()?;
        self.validate_tag_budgets()?;
        self.validate_bounds()?;
        self.validate_ladder()?;
        self.requests.validate()?;
        self.validate_sampling()?;
        let deferral = self.max_purge_deferral;
        let given = || format!("{deferral:?}");
        require(deferral <= MAX_TIME, "max_purge_deferral", given, "up to a year")?;
        let path = self.last_report_path.as_deref();
        let is_empty = path.is_some_and(|path| path.as_os_str().is_empty());
        require(!is_empty, "last_report_path", || String::from("\"\""), "a path")
    }

    /// The budget, if it is given.
    pub(crate) fn budget(&self) -> Result<Option<Budget>, Error> {
        let Some(soft_limit_bytes) = self.soft_limit_bytes else { return Ok(None) };
        Budget::new(soft_limit_bytes)?.with_profile(self.profile.clone()).map(Some)
    }

    /// The bounds of single purgeables, by the names they are registered under.
    pub(crate) fn bounds(&self) -> BTreeMap<String, Bounds> {
        let mut by_name = BTreeMap::<String, Bounds>::new();
        for (name, &max_bytes) in &self.max_bytes {
            by_name.entry(name.clone()).or_default().max_bytes = Some(max_bytes);
        }
        for (name, &max_entries) in &self.max_entries {
            by_name.entry(name.clone()).or_default().max_entries = Some(max_entries);
        }
        by_name
    }

    fn validate_limits(&self) -> Result<(), Error> {
        let Some(limit) = self.limit_bytes else { return Ok(()) };
        let allowed = "1048576 bytes (1MiB) or more";
        let min = Budget::MIN_SOFT_LIMIT_BYTES;
        require(limit >= min, "limit_bytes", || limit.to_string(), allowed)?;
        let part_of_limit = |name, given: Option<u64>, max: u64, allowed| match given {
            Some(given) if given > max => Err(Error::Contradiction {
                name,
                given: given.to_string(),
                other_name: "limit_bytes",
                other_given: limit.to_string(),
                allowed,
            }),
            _ => Ok(()),
        };
        let soft_limit = self.soft_limit_bytes;
        part_of_limit("soft_limit_bytes", soft_limit, limit, "a soft limit up to the limit")?;
        let allowed = "a reserve that leaves 1048576 bytes (1MiB) or more of the limit";
        part_of_limit("reserve_bytes", self.reserve_bytes, limit - min, allowed)
    }

    fn validate_tag_budgets(&self) -> Result<(), Error> {
        const NAME: &str = "tag_budget_bytes";
        let allowed = ["a tag's budget up to the soft limit", "a tag's budget up to the limit"];
        for (tag, &bytes) in &self.tag_budget_bytes {
            let given = || format!("{tag:?}: {bytes}");
            let is_name = bursar_alloc::is_valid_tag_name(tag);
            require(is_name, NAME, given, "a tag's name: 1 to 64 of a-z, A-Z, 0-9, _-.:/")?;
            require(bytes > 0, NAME, given, "a budget above 0 bytes, or none")?;
            self.require_within_limits(NAME, bytes, given, allowed)?;
        }
        Ok(())
    }

    fn validate_bounds(&self) -> Result<(), Error> {
        const IS_NAME: &str = "a purgeable's name: 1 to 64 of a-z, A-Z, 0-9, _-.:/";
        let allowed = ["bytes up to the soft limit", "bytes up to the limit"];
        for (name, &bytes) in &self.max_bytes {
            let given = || format!("{name:?}: {bytes}");
            require(is_valid_name(name), "max_bytes", given, IS_NAME)?;
            require(bytes > 0, "max_bytes", given, "above 0 bytes, or none")?;
            self.require_within_limits("max_bytes", bytes, given, allowed)?;
        }
        for (name, &entries) in &self.max_entries {
            let given = || format!("{name:?}: {entries}");
            require(is_valid_name(name), "max_entries", given, IS_NAME)?;
            require(entries > 0, "max_entries", given, "above 0 entries, or none")?;
        }
        Ok(())
    }

    /// Refuses what is more than the soft limit or the limit, each with what is allowed beside it.
    fn require_within_limits(
        &self,
        name: &'static str,
        bytes: u64,
        given: impl FnOnce() -> String,
        [below_soft_limit, below_limit]: [&'static str; 2],
    ) -> Result<(), Error> {
        let limits = [
            ("soft_limit_bytes", self.soft_limit_bytes, below_soft_limit),
            ("limit_bytes", self.limit_bytes, below_limit),
        ];
        for (other_name, limit, allowed) in limits {
            let Some(limit) = limit.filter(|&limit| limit < bytes) else { continue };
            let (given, other_given) = (given(), limit.to_string());
            return Err(Error::Contradiction { name, given, other_name, other_given, allowed });
        }
        Ok(())
    }

    fn validate_sampling(&self) -> Result<(), Error> {
        const ABSENT: &str = "none: this program was built without the feature `profile`";
        let sizes = [
            ("sampling_interval_bytes", self.sampling_interval_bytes, "1 byte to 1 TiB"),
            ("sampling_table_bytes", self.sampling_table_bytes, "32 KiB to 1 GiB"),
        ];
        for ((name, size, allowed), range) in
            sizes.into_iter().zip([1..=1 << 40, 32 << 10..=1 << 30])
        {
            let Some(size) = size else { continue };
            let given = || size.to_string();
            require(cfg!(feature = "profile"), name, given, ABSENT)?;
            require(range.contains(&size), name, given, allowed)?;
        }
        Ok(())
    }

    fn validate_ladder(&self) -> Result<(), Error> {
        for (name, stages) in [
            ("ladder.warning", &self.ladder.warning),
            ("ladder.critical", &self.ladder.critical),
            ("ladder.emergency", &self.ladder.emergency),
        ] {
            let once = stages.iter().collect::<BTreeSet<_>>().len() == stages.len();
            let given = || stages.iter().map(Stage::to_string).collect::<Vec<_>>().join(",");
            require(once, name, given, "each stage once")?;
        }
        Ok(())
    }
}

fn require(
    fits: bool,
    name: &'static str,
    given: impl FnOnce() -> String,
    allowed: &'static str,
) -> Result<(), Error> {
    if fits {
        return Ok(());
    }
    Err(Error::InvalidSetting { name, given: given(), allowed })
}
