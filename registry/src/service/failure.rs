//! [`Failure`]: an error as it is sent: its text for people, its code for programs.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::Error;

/// Why an answer has no data. Made of an [`Error`], or read from another service's [`Envelope`].
///
/// [`Envelope`]: crate::Envelope
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// What went wrong, for programs: [`Error::code`], or the service's own.
    pub error_code: String,
    /// What went wrong, for people.
    pub message: String,
    /// The values that were wrong, by name; empty if there are none.
    pub details: BTreeMap<String, String>,
}

impl Failure {
    /// A failure that is no [`Error`], as a handler's own.
    #[must_use]
    pub fn new(error_code: impl Into<String>, message: impl Into<String>) -> Self {
        let (error_code, message) = (error_code.into(), message.into());
        Self { error_code, message, details: BTreeMap::new() }
    }

    /// Adds a value that was wrong.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.details.insert(name.into(), value.to_string());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.error_code)
    }
}

impl std::error::Error for Failure {}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let details = details(error).into_iter().collect();
        Self { error_code: error.code().to_owned(), message: error.to_string(), details }
    }
}

/// The fields that a pattern has bound, by their names.
macro_rules! fields {
    ($($field:ident),+) => { vec![$((stringify!($field).to_owned(), $field.to_string())),+] };
}

/// An error's own fields. Those of another crate's error are in its text alone.
fn details(error: &Error) -> Vec<(String, String)> {
    match error {
        Error::UnparsableBudget { given, reason } => fields!(given, reason),
        Error::BudgetTooSmall { given_bytes, min_bytes } => fields!(given_bytes, min_bytes),
        Error::BudgetAboveLimit { given_bytes, limit_bytes, limit_from } => {
            fields!(given_bytes, limit_bytes, limit_from)
        }
        Error::NoBudget { reason } | Error::MonitorNotStarted { reason } => fields!(reason),
        Error::InvalidWatermarks { warning, critical, emergency } => {
            fields!(warning, critical, emergency)
        }
        Error::InvalidSetting { name, given, allowed } => fields!(name, given, allowed),
        Error::Contradiction { name, given, other_name, other_given, allowed } => {
            fields!(name, given, other_name, other_given, allowed)
        }
        Error::InvalidVariables { variables } => {
            variables.iter().map(|of| (of.name.clone(), of.reason.clone())).collect()
        }
        Error::InvalidName { given } | Error::DuplicateName { given } => fields!(given),
        Error::BoundsNotSet { name, given, reason } => fields!(name, given, reason),
        Error::WrongType { name, held, asked } => fields!(name, held, asked),
        Error::NameTaken { name } => fields!(name),
        Error::RecursiveBuild { name, path } => fields!(name, path),
        Error::RateLimited { name, operations, per } => {
            let per = humantime::format_duration(*per);
            fields!(name, operations, per)
        }
        Error::NoRoom { asked_bytes, free_bytes, soft_limit_bytes } => {
            fields!(asked_bytes, free_bytes, soft_limit_bytes)
        }
        Error::ServerNotStarted { address, reason } => fields!(address, reason),
        Error::SymbolsUnavailable { reason } => fields!(reason),
        Error::UnknownTag { given, known } => fields!(given, known),
        Error::UnreadableProfile { reason } => fields!(reason),
        Error::ProfileOff
        | Error::ProfileBusy
        | Error::EmptyProfile
        | Error::OtherRun
        | Error::AlreadyStarted
        | Error::NotInstalled
        | Error::InsideCallback
        | Error::NotRunning
        | Error::Tag(_)
        | Error::Source(_) => Vec::new(),
        #[cfg(feature = "profile")]
        Error::Sampling(_) => Vec::new(),
    }
}
