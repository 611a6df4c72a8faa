//! [`Error`]: everything that a public call refuses, each with the value that was wrong.

use std::convert::Infallible;

use bursar_alloc::TagError;

use crate::source::SourceError;

/// Why a call was refused. Nothing has changed when one is returned.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A budget is not written as a size.
    #[error(
        "budget {given:?} is not a size ({reason}); allowed is a number of bytes, or one with a \
         unit such as 400MiB or 1.5GB"
    )]
    UnparsableBudget {
        /// What was given.
        given: String,
        /// What the parser said.
        reason: String,
    },

    /// A budget is zero, or too small to be held.
    #[error("a budget of {given_bytes} bytes is too small; allowed is {min_bytes} bytes or more")]
    BudgetTooSmall {
        /// What was given.
        given_bytes: u64,
        /// The smallest budget there can be.
        min_bytes: u64,
    },

    /// A budget is larger than what the process may use.
    #[error(
        "a budget of {given_bytes} bytes is more than the {limit_bytes} bytes that the process \
         may use ({limit_from}); allowed is a budget up to that limit"
    )]
    BudgetAboveLimit {
        /// What was given.
        given_bytes: u64,
        /// The limit in force.
        limit_bytes: u64,
        /// Whose limit it is, and where it stands.
        limit_from: String,
    },

    /// No budget was given, and no limit is known to take one from.
    #[error("no budget was given, and no limit found to take one from: {reason}")]
    NoBudget {
        /// What each source of limits said.
        reason: String,
    },

    /// Watermarks are out of order or out of range.
    #[error(
        "watermarks warning {warning}, critical {critical}, emergency {emergency} make no sense; \
         allowed is 0 < warning < critical < emergency <= 1"
    )]
    InvalidWatermarks {
        /// What was given as `warning`.
        warning: f64,
        /// What was given as `critical`.
        critical: f64,
        /// What was given as `emergency`.
        emergency: f64,
    },

    /// A setting is outside of what it may be.
    #[error("{name} {given} is not allowed; allowed is {allowed}")]
    InvalidSetting {
        /// The setting's name.
        name: &'static str,
        /// What was given.
        given: String,
        /// What it may be.
        allowed: &'static str,
    },

    /// Two settings cannot both be as they are.
    #[error("{name} {given} does not go with {other_name} {other_given}; allowed is {allowed}")]
    Contradiction {
        /// One setting's name.
        name: &'static str,
        /// What was given for it.
        given: String,
        /// The other setting's name.
        other_name: &'static str,
        /// What was given for the other.
        other_given: String,
        /// What goes together.
        allowed: &'static str,
    },

    /// Variables of the environment that are no settings, or are not what their setting may be.
    #[error("{}", lines(variables))]
    InvalidVariables {
        /// Every one that is unknown or badly written; where none is, the first that is out of
        /// its range or does not go with another setting.
        variables: Vec<InvalidVariable>,
    },

    /// A purgeable's name is empty or has characters that are not fit for a label.
    #[error(
        "name {given:?} is not allowed; a name has 1 to {max} characters out of a-z, A-Z, 0-9, \
         '_', '-', '.', ':' and '/'",
        max = bursar_alloc::MAX_TAG_NAME_LEN
    )]
    InvalidName {
        /// What was given.
        given: String,
    },

    /// A purgeable of this name is registered already.
    #[error("a purgeable named {given:?} is registered already; names must differ")]
    DuplicateName {
        /// What was given.
        given: String,
    },

    /// The configuration has bounds for a purgeable that it does not have, or could not set.
    #[error(
        "the purgeable {name:?} cannot be given {given}: {reason}; allowed are bounds under the \
         names of purgeables that have them"
    )]
    BoundsNotSet {
        /// The name it was to be registered under.
        name: String,
        /// The settings under that name, and their values.
        given: String,
        /// Why they are not set.
        reason: &'static str,
    },

    /// A singleton's name holds another type than the one asked for.
    #[error("singleton {name:?} is a {held}, not a {asked}; ask for that type, or remove it first")]
    WrongType {
        /// The singleton's name.
        name: String,
        /// The type that it holds.
        held: &'static str,
        /// The type that was asked for.
        asked: &'static str,
    },

    /// A singleton of this name is there already.
    #[error("singleton {name:?} is there already; remove it before it is defined")]
    NameTaken {
        /// What was given.
        name: String,
    },

    /// Building a singleton came to want, by whatever way, that very singleton.
    #[error("singleton {name:?} is needed to build itself: {path}")]
    RecursiveBuild {
        /// The one that was asked for.
        name: String,
        /// From its name along what is being built, each of which needs the next, back to it.
        path: String,
    },

    /// More calls than the rate limit lets through.
    #[error("{name:?} was called more than {operations} times within {per:?}; try again later")]
    RateLimited {
        /// Whose limit it is.
        name: String,
        /// The calls that are let through.
        operations: u32,
        /// Within any stretch of this length.
        per: std::time::Duration,
    },

    /// What was to be reserved does not fit.
    #[error(
        "no room for {asked_bytes} bytes: {free_bytes} are free below the emergency watermark of \
         the budget of {soft_limit_bytes}; allowed is up to what is free, now or later"
    )]
    NoRoom {
        /// What was asked for.
        asked_bytes: u64,
        /// What could have been reserved.
        free_bytes: u64,
        /// The budget.
        soft_limit_bytes: u64,
    },

    /// A `Bursar` runs in this process already.
    #[error("Bursar is started already; stop the running one first")]
    AlreadyStarted,

    /// The program's global allocator is not Bursar's.
    #[error(
        "the accounting allocator is not installed: put `#[global_allocator] static ALLOCATOR: \
         AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);` into the program \
         (if it is there, two copies of bursar-alloc are linked: see `cargo tree -d`)"
    )]
    NotInstalled,

    /// The monitor's thread could not be made.
    #[error("the monitor's thread could not be started: {reason}")]
    MonitorNotStarted {
        /// What the system said.
        reason: String,
    },

    /// A `StatsServer` could not be started.
    #[error("the statistics cannot be served on {address}: {reason}")]
    ServerNotStarted {
        /// The path of the socket, or the address, as it was given.
        address: String,
        /// What is wrong with it, or what the system said.
        reason: String,
    },

    /// A cleanup was asked for from inside a purge callback.
    #[error(
        "a cleanup cannot be asked for from inside a purge callback: one runs already on this \
         thread"
    )]
    InsideCallback,

    /// This Bursar was stopped, or belongs to the process that this one was forked from.
    #[error("this Bursar is not running: it was stopped, or the process is a forked child")]
    NotRunning,

    /// The allocator does not sample, so there is no heap profile.
    #[error(
        "no heap profile is taken: the heap is not sampled; `Builder::sampling_interval`, \
         BURSAR_SAMPLING_INTERVAL=512KiB or `Bursar::start_sampling` switches it on"
    )]
    ProfileOff,

    /// Another thread looks the names of a heap profile up.
    #[error(
        "the names of another heap profile are being looked up, one at a time; try again once \
         that is done, or take the profile without names"
    )]
    ProfileBusy,

    /// The names of a heap profile cannot be looked up in this process.
    #[error("the names of a heap profile cannot be had here: {reason}; take it without names")]
    SymbolsUnavailable {
        /// Why.
        reason: &'static str,
    },

    /// A heap profile has nothing to draw.
    #[error(
        "the heap profile has nothing to draw: no sampled block lives, or nothing has grown; its \
         text and its pprof can be had all the same"
    )]
    EmptyProfile,

    /// A heap profile has no sample of a tag.
    #[error("the heap profile has no live sample of a tag {given:?}; it has some of: {known}")]
    UnknownTag {
        /// What was given.
        given: String,
        /// The tags that it has samples of, the largest first; not more than twenty.
        known: String,
    },

    /// Two heap profiles cannot be compared.
    #[error(
        "the two heap profiles are of different processes, or of different runs of one: there is \
         no difference to be told; allowed is an earlier one of the same run"
    )]
    OtherRun,

    /// What was to be read is no heap profile of Bursar's.
    #[error(
        "this is no heap profile that can be read: {reason}; allowed is what Bursar has written \
         in pprof's format"
    )]
    UnreadableProfile {
        /// What is wrong with it.
        reason: String,
    },

    /// A tag cannot be had.
    #[error(transparent)]
    Tag(#[from] TagError),

    /// The heap cannot be sampled.
    #[cfg(feature = "profile")]
    #[error(transparent)]
    Sampling(#[from] bursar_alloc::SamplingError),

    /// A source of usage or limits could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl Error {
    /// The variant's name in snake case, for programs: it stays when the text changes.
    ///
    /// # Examples
    ///
    /// ```
    /// let error = bursar::Budget::new(0).unwrap_err();
    /// assert_eq!(error.code(), "budget_too_small");
    /// ```
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnparsableBudget { .. } => "unparsable_budget",
            Self::BudgetTooSmall { .. } => "budget_too_small",
            Self::BudgetAboveLimit { .. } => "budget_above_limit",
            Self::NoBudget { .. } => "no_budget",
            Self::InvalidWatermarks { .. } => "invalid_watermarks",
            Self::InvalidSetting { .. } => "invalid_setting",
            Self::Contradiction { .. } => "contradiction",
            Self::InvalidVariables { .. } => "invalid_variables",
            Self::InvalidName { .. } => "invalid_name",
            Self::DuplicateName { .. } => "duplicate_name",
            Self::BoundsNotSet { .. } => "bounds_not_set",
            Self::WrongType { .. } => "wrong_type",
            Self::NameTaken { .. } => "name_taken",
            Self::RecursiveBuild { .. } => "recursive_build",
            Self::RateLimited { .. } => "rate_limited",
            Self::NoRoom { .. } => "no_room",
            Self::AlreadyStarted => "already_started",
            Self::NotInstalled => "not_installed",
            Self::MonitorNotStarted { .. } => "monitor_not_started",
            Self::ServerNotStarted { .. } => "server_not_started",
            Self::InsideCallback => "inside_callback",
            Self::NotRunning => "not_running",
            Self::ProfileOff => "profile_off",
            Self::ProfileBusy => "profile_busy",
            Self::SymbolsUnavailable { .. } => "symbols_unavailable",
            Self::EmptyProfile => "empty_profile",
            Self::UnknownTag { .. } => "unknown_tag",
            Self::OtherRun => "other_run",
            Self::UnreadableProfile { .. } => "unreadable_profile",
            Self::Tag(_) => "tag",
            #[cfg(feature = "profile")]
            Self::Sampling(_) => "sampling",
            Self::Source(_) => "source",
        }
    }
}

/// A `BURSAR_*` variable that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}={value:?}: {reason}")]
#[non_exhaustive]
pub struct InvalidVariable {
    /// The variable's name; what of it is not Unicode is replaced.
    pub name: String,
    /// Its value; what of it is not Unicode is replaced.
    pub value: String,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

fn lines(variables: &[InvalidVariable]) -> String {
    variables.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
