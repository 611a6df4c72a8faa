//! [`RequestSettings`]: what is done around requests, by those who serve them.

use std::time::Duration;

use super::require;
use crate::error::Error;
use crate::pressure::PressureLevel;
use crate::profile::MAX_TIME;

#[cfg(feature = "serde")]
use super::formats;

/// What a `MemoryLayer` and a [`RequestLog`](crate::RequestLog) do where their own methods do not
/// say otherwise: a part of the [`Config`](crate::Config).
///
/// # Examples
///
/// ```
/// let mut config = bursar::Config::default();
/// config.requests.defer_purging = true;
/// config.requests.collect_every_requests = 10_000;
/// assert!(config.validate().is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct RequestSettings {
    /// From which level's watermark on requests are refused, as by
    /// [`Shedding`](crate::Shedding); without it, none are.
    pub shed_from: Option<PressureLevel>,
    /// Whether purging that can wait is put off while requests run: see
    /// [`Bursar::defer_purging`](crate::Bursar::defer_purging).
    pub defer_purging: bool,
    /// Free pages are given back after each so many requests; 0: not for that.
    pub collect_every_requests: usize,
    /// Free pages are given back after such a time, while requests come; zero: not for that.
    #[cfg_attr(feature = "serde", serde(with = "formats::time"))]
    pub collect_every: Duration,
    /// The ladder is run up to the warning level after each so many requests; 0: not for that.
    pub reclaim_every_requests: usize,
    /// The ladder is run up to the warning level after such a time, while requests come; zero: not
    /// for that.
    #[cfg_attr(feature = "serde", serde(with = "formats::time"))]
    pub reclaim_every: Duration,
    /// A line in the log after each so many requests, by the feature `tracing`; 0: none.
    pub log_every_requests: usize,
    /// Whether answers say in their headers what the process and the request hold.
    pub headers: bool,
    /// How many routes are counted each by itself.
    pub max_routes: usize,
    /// The least peak, in bytes, of a request that may be among the heaviest.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "formats::size"))]
    pub heavy_from_bytes: u64,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self {
            shed_from: None,
            defer_purging: false,
            collect_every_requests: 0,
            collect_every: Duration::ZERO,
            reclaim_every_requests: 0,
            reclaim_every: Duration::ZERO,
            log_every_requests: 0,
            headers: false,
            max_routes: 64,
            heavy_from_bytes: 1 << 20,
        }
    }
}

impl RequestSettings {
    pub(super) fn validate(&self) -> Result<(), Error> {
        let sheds_always = self.shed_from == Some(PressureLevel::Normal);
        let allowed = "warning, critical or emergency";
        require(!sheds_always, "requests.shed_from", || "normal".to_owned(), allowed)?;
        for (name, time) in [
            ("requests.collect_every", self.collect_every),
            ("requests.reclaim_every", self.reclaim_every),
        ] {
            require(time <= MAX_TIME, name, || format!("{time:?}"), "up to a year")?;
        }
        Ok(())
    }
}
