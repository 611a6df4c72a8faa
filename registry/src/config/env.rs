//! Settings out of `BURSAR_*` variables.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use super::Config;
use super::human::Human;
use crate::error::{Error, InvalidVariable};

/// What the names of all variables begin with. No other program's do.
const PREFIX: &str = "BURSAR_";

/// A field of the [`Config`], and the variable that sets it.
pub(super) struct Setting {
    pub(super) variable: &'static str,
    /// The field's name; where it is part of another, both with a dot between.
    pub(super) field: &'static str,
    /// Sets the field, or says what is wrong.
    set: fn(&mut Config, &str) -> Result<(), Unfit>,
}

/// Why a text is no value of a setting.
struct Unfit {
    allowed: &'static str,
    name_given_twice: Option<String>,
}

macro_rules! settings {
    ($($variable:ident => $field:ident $(. $part:ident)*;)*) => {
        &[$(Setting {
            variable: stringify!($variable),
            field: concat!(stringify!($field) $(, ".", stringify!($part))*),
            set: |config, given| put(&mut config.$field$(.$part)*, given),
        }),*]
    };
}

/// Every setting, in the order in which the variables are applied: a profile comes before its
/// fields. The table in the documentation of [`Config`] is in this order too.
pub(super) const SETTINGS: &[Setting] = settings! {
    BURSAR_SOFT_LIMIT => soft_limit_bytes;
    BURSAR_LIMIT => limit_bytes;
    BURSAR_RESERVE => reserve_bytes;
    BURSAR_PROFILE => profile;
    BURSAR_WATERMARKS => profile.watermarks;
    BURSAR_TARGETS => profile.targets;
    BURSAR_POLICY => profile.policy;
    BURSAR_HYSTERESIS => profile.hysteresis;
    BURSAR_DWELL => profile.dwell;
    BURSAR_GROWTH_HORIZON => profile.growth_horizon;
    BURSAR_COOLDOWN => profile.cooldown;
    BURSAR_MAX_SHARE => profile.max_share;
    BURSAR_MAX_CPU_SHARE => profile.max_cpu_share;
    BURSAR_CALLBACK_DEADLINE => profile.callback_deadline;
    BURSAR_STALL_AFTER => profile.stall_after;
    BURSAR_CALM => profile.calm;
    BURSAR_INTERVAL => profile.interval;
    BURSAR_LADDER_WARNING => ladder.warning;
    BURSAR_LADDER_CRITICAL => ladder.critical;
    BURSAR_LADDER_EMERGENCY => ladder.emergency;
    BURSAR_TAG_BUDGETS => tag_budget_bytes;
    BURSAR_MAX_BYTES => max_bytes;
    BURSAR_MAX_ENTRIES => max_entries;
    BURSAR_MAX_PURGE_DEFERRAL => max_purge_deferral;
    BURSAR_SHED_FROM => requests.shed_from;
    BURSAR_DEFER_PURGING => requests.defer_purging;
    BURSAR_COLLECT_EVERY_REQUESTS => requests.collect_every_requests;
    BURSAR_COLLECT_EVERY => requests.collect_every;
    BURSAR_RECLAIM_EVERY_REQUESTS => requests.reclaim_every_requests;
    BURSAR_RECLAIM_EVERY => requests.reclaim_every;
    BURSAR_LOG_EVERY_REQUESTS => requests.log_every_requests;
    BURSAR_REQUEST_HEADERS => requests.headers;
    BURSAR_MAX_ROUTES => requests.max_routes;
    BURSAR_HEAVY_FROM => requests.heavy_from_bytes;
    BURSAR_SAMPLING_INTERVAL => sampling_interval_bytes;
    BURSAR_SAMPLING_TABLE => sampling_table_bytes;
    BURSAR_OBSERVE_ONLY => observe_only;
    BURSAR_THREADLESS => threadless;
    BURSAR_FINAL_CLEANUP => final_cleanup;
    BURSAR_LAST_REPORT => last_report_path;
};

fn put<T: Human>(field: &mut T, given: &str) -> Result<(), Unfit> {
    let unfit = || Unfit {
        allowed: T::ALLOWED,
        name_given_twice: T::name_given_twice(given).map(str::to_owned),
    };
    *field = T::parse(given).ok_or_else(unfit)?;
    Ok(())
}

impl Config {
    /// The settings that the environment's `BURSAR_*` variables make, and the defaults.
    ///
    /// # Errors
    ///
    /// As [`with_vars`](Self::with_vars).
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> Result<(), bursar::Error> {
    /// let config = bursar::Config::from_env()?;
    /// let builder = bursar::Bursar::builder().config(config);
    /// # Ok(()) }
    /// ```
    pub fn from_env() -> Result<Self, Error> {
        Self::default().with_env()
    }

    /// These settings, with those in their place that the environment's `BURSAR_*` variables
    /// make.
    ///
    /// # Errors
    ///
    /// As [`with_vars`](Self::with_vars).
    pub fn with_env(self) -> Result<Self, Error> {
        self.with_vars(std::env::vars_os())
    }

    /// As [`from_env`](Self::from_env), out of the variables that are given: for tests.
    ///
    /// # Errors
    ///
    /// As [`with_vars`](Self::with_vars).
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::Config;
    ///
    /// let config = Config::from_vars([("BURSAR_SOFT_LIMIT".into(), "400MiB".into())])?;
    /// assert_eq!(config.soft_limit_bytes, Some(400 << 20));
    ///
    /// let error = Config::from_vars([("BURSAR_DWEL".into(), "2s".into())]).unwrap_err();
    /// assert_eq!(
    ///     error.to_string(),
    ///     "BURSAR_DWEL=\"2s\": there is no such setting; did you mean BURSAR_DWELL?"
    /// );
    /// # Ok::<(), bursar::Error>(())
    /// ```
    pub fn from_vars(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        Self::default().with_vars(variables)
    }

    /// As [`with_env`](Self::with_env), out of the variables that are given. Of two with the same
    /// name the later one counts; those whose names do not begin with `BURSAR_` are not looked
    /// at.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidVariables`] with every variable that is no setting, or is not written as
    /// its setting has to be; if there is none, with the first that the other settings do not go
    /// with. What is wrong with these settings and no variable's doing is told as by
    /// [`validate`](Self::validate).
    pub fn with_vars(
        mut self,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, Error> {
        let ours = |name: &OsStr| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let given: BTreeMap<OsString, OsString> =
            variables.into_iter().filter(|(name, _)| ours(name)).collect();
        let mut invalid = Vec::new();
        for setting in SETTINGS {
            let Some(value) = given.get(OsStr::new(setting.variable)) else { continue };
            if let Err(reason) = setting.apply(&mut self, value) {
                invalid.push(refused(OsStr::new(setting.variable), value, reason));
            }
        }
        let is_known = |name: &OsStr| Self::variables().any(|known| known == name);
        let unknown = given.iter().filter(|(name, _)| !is_known(name));
        invalid.extend(unknown.map(|(name, value)| refused(name, value, suggestion(name))));
        if !invalid.is_empty() {
            return Err(Error::InvalidVariables { variables: invalid });
        }
        self.validate().map_err(|error| blame(error, &given))?;
        Ok(self)
    }

    /// The names of all variables, in the order of the table above.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(bursar::Config::variables().any(|name| name == "BURSAR_SOFT_LIMIT"));
    /// ```
    pub fn variables() -> impl Iterator<Item = &'static str> {
        SETTINGS.iter().map(|setting| setting.variable)
    }
}

impl Setting {
    /// Sets the field, or says what is wrong with the value.
    fn apply(&self, config: &mut Config, value: &OsStr) -> Result<(), String> {
        let text = value.to_str().unwrap_or_default();
        let Err(Unfit { allowed, name_given_twice }) = (self.set)(config, text) else {
            return Ok(());
        };
        if value.is_empty() {
            return Err(format!("empty; unset it, or give {allowed}"));
        }
        let problem = match name_given_twice {
            Some(name) => format!("{name:?} is given twice"),
            None if text.is_empty() => "not Unicode".to_owned(),
            None => "not allowed".to_owned(),
        };
        Err(format!("{problem}; allowed is {allowed}"))
    }
}

fn refused(name: &OsStr, value: &OsStr, reason: String) -> InvalidVariable {
    let text = |text: &OsStr| text.to_string_lossy().into_owned();
    InvalidVariable { name: text(name), value: text(value), reason }
}

/// The known name that an unknown one is taken for, or all of them.
fn suggestion(unknown: &OsStr) -> String {
    let unknown = unknown.to_string_lossy().to_ascii_uppercase();
    let distance = |known: &str| strsim::damerau_levenshtein(&unknown, known);
    let nearest = Config::variables().min_by_key(|known| distance(known));
    // A third of what follows the prefix may be wrong.
    let is_near = |known: &&str| 3 * distance(known) <= known.len() - PREFIX.len();
    match nearest.filter(is_near) {
        Some(known) => format!("there is no such setting; did you mean {known}?"),
        None => {
            let known: Vec<_> = Config::variables().collect();
            format!("there is no such setting; allowed are {}", known.join(", "))
        }
    }
}

/// The error with the variable that it is about, if it is about one that was given.
fn blame(error: Error, given: &BTreeMap<OsString, OsString>) -> Error {
    let names = match &error {
        Error::InvalidSetting { name, .. } => vec![*name],
        Error::Contradiction { name, other_name, .. } => vec![*name, *other_name],
        Error::InvalidWatermarks { .. } => vec!["watermarks"],
        Error::BudgetTooSmall { .. } => vec!["soft_limit_bytes"],
        _ => vec![],
    };
    let is_about = |setting: &&Setting| {
        let part = setting.field.rsplit('.').next();
        names.iter().any(|name| *name == setting.field || Some(*name) == part)
    };
    let at_fault = SETTINGS.iter().filter(is_about).find_map(|setting| {
        let value = given.get(OsStr::new(setting.variable))?;
        Some(refused(OsStr::new(setting.variable), value, error.to_string()))
    });
    at_fault.map_or(error, |variable| Error::InvalidVariables { variables: vec![variable] })
}
