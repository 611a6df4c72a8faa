//! [`Envelope`]: the one form that every answer in JSON has.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::failure::Failure;
use crate::error::Error;

/// The version of what is served, which the header [`FORMAT_HEADER`] of each answer names. Another
/// number means that a field of it has another meaning, or is gone; new fields leave it as it is.
pub const FORMAT_VERSION: u32 = 1;

/// The header that names the [`FORMAT_VERSION`].
pub const FORMAT_HEADER: &str = "x-bursar-format";

/// The longest identifier of a request that is repeated.
const MAX_CORRELATION_ID_BYTES: usize = 128;

/// The last second that RFC 3339 can write: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// An answer in JSON: what was asked for, or why there is none, and of when it is.
///
/// On success `{"success":true,"message":"ok","data":...,"timestamp":"2026-11-22T02:00:00Z"}`, else
/// `{"success":false,"message":"...","error_code":"...","details":{...},"timestamp":"..."}`; with a
/// `"correlation_id"` if the request had one.
///
/// # Examples
///
/// ```
/// use bursar::{Budget, Envelope};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let answer = Envelope::from_result(Budget::new(0).map(|budget| budget.soft_limit_bytes()));
/// let json = serde_json::to_string(&answer)?;
/// assert!(json.contains(r#""error_code":"budget_too_small""#));
///
/// let received: Envelope<u64> = serde_json::from_str(&json)?;
/// let failure = received.into_result().unwrap_err();
/// assert_eq!(failure.details["given_bytes"], "0");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Wire<T>")]
pub struct Envelope<T> {
    message: String,
    outcome: Result<T, Failure>,
    correlation_id: Option<String>,
    /// In whole seconds that RFC 3339 can write.
    timestamp: SystemTime,
}

impl<T> Envelope<T> {
    /// An answer of now: `data`.
    #[must_use]
    pub fn ok(data: T) -> Self {
        Self::of("ok".to_owned(), Ok(data))
    }

    /// An answer of now: why there is no data.
    #[must_use]
    pub fn error(failure: impl Into<Failure>) -> Self {
        let failure = failure.into();
        Self::of(failure.message.clone(), Err(failure))
    }

    /// An answer of now: what a call came to.
    #[must_use]
    pub fn from_result(result: Result<T, Error>) -> Self {
        match result {
            Ok(data) => Self::ok(data),
            Err(error) => Self::error(&error),
        }
    }

    fn of(message: String, outcome: Result<T, Failure>) -> Self {
        let timestamp = whole_seconds(SystemTime::now());
        Self { message, outcome, correlation_id: None, timestamp }
    }

    /// A success's message in place of `ok`. A failure keeps its own.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        if self.outcome.is_ok() {
            self.message = message.into();
        }
        self
    }

    /// The identifier that the request came with, for whoever looks for both in logs. One that is
    /// not 1 to 128 bytes of printable ASCII is left out.
    #[must_use]
    pub fn correlated_with(mut self, id: &str) -> Self {
        self.correlation_id = is_correlation_id(id).then(|| id.to_owned());
        self
    }

    /// When it is of, in place of now. Parts of a second are cut off; what is before 1970 or after
    /// 9999 becomes the nearest second within.
    #[must_use]
    pub fn at(mut self, timestamp: SystemTime) -> Self {
        self.timestamp = whole_seconds(timestamp);
        self
    }

    /// When it is of.
    #[must_use]
    pub fn timestamp(&self) -> SystemTime {
        self.timestamp
    }

    /// The identifier that the request came with.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    /// Takes the answer out.
    ///
    /// # Errors
    ///
    /// What the service answered instead.
    pub fn into_result(self) -> Result<T, Failure> {
        self.outcome
    }
}

/// Whether an identifier that came from outside is fit to be repeated.
pub(crate) fn is_correlation_id(id: &str) -> bool {
    (1..=MAX_CORRELATION_ID_BYTES).contains(&id.len())
        && id.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

fn whole_seconds(at: SystemTime) -> SystemTime {
    let seconds = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    UNIX_EPOCH + Duration::from_secs(seconds.min(LAST_SECOND))
}

/// The fields as they are written.
#[derive(Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
struct Wire<T> {
    success: bool,
    message: String,
    // What is there is read as a `T`, also if it is null: a `T` may be an `Option`.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_code: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    details: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    timestamp: String,
}

fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl<T: Serialize> Serialize for Envelope<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let failure = self.outcome.as_ref().err();
        Wire {
            success: failure.is_none(),
            message: self.message.clone(),
            data: self.outcome.as_ref().ok(),
            error_code: failure.map(|failure| failure.error_code.clone()),
            details: failure.map(|failure| failure.details.clone()).unwrap_or_default(),
            correlation_id: self.correlation_id.clone(),
            timestamp: humantime::format_rfc3339_seconds(self.timestamp).to_string(),
        }
        .serialize(serializer)
    }
}

impl<T> TryFrom<Wire<T>> for Envelope<T> {
    type Error = String;

    fn try_from(wire: Wire<T>) -> Result<Self, String> {
        let Wire { success, message, data, error_code, details, correlation_id, timestamp } = wire;
        let timestamp = humantime::parse_rfc3339(&timestamp)
            .map_err(|error| format!("timestamp {timestamp:?}: {error}"))?;
        let outcome = match (success, data, error_code) {
            (true, Some(data), _) => Ok(data),
            (false, _, Some(error_code)) => {
                Err(Failure { error_code, message: message.clone(), details })
            }
            (true, None, _) => return Err("a success without `data`".to_owned()),
            (false, _, None) => return Err("a failure without `error_code`".to_owned()),
        };
        let correlation_id = correlation_id.filter(|id| is_correlation_id(id));
        Ok(Self { message, outcome, correlation_id, timestamp: whole_seconds(timestamp) })
    }
}

#[cfg(test)]
mod tests;
