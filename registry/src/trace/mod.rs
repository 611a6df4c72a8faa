//! [`Trace`]: what a run has read and done, to be played again.
//!
//! The file's form is in `docs/trace.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::budget::Budget;
use crate::config::Config;
use crate::error::Error;
use crate::ladder::Stage;
use crate::pressure::{PressureLevel, Sample};
use crate::profile::Profile;
use crate::purge::{RebuildCost, is_valid_name};

#[cfg(feature = "trace")]
mod error;
#[cfg(feature = "trace")]
mod lines;
#[cfg(feature = "trace")]
mod recorder;

#[cfg(feature = "trace")]
pub use error::TraceError;
#[cfg(feature = "trace")]
pub(crate) use recorder::Recorded;
#[cfg(feature = "trace")]
pub use recorder::TraceWriter;

/// A run as it was recorded: its settings, and its events in order of time.
///
/// It comes from a file (`Trace::read`, with the feature `trace`) or is put together by hand.
/// Takes about 150 bytes of memory for each event.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bursar::{Profile, Sample, Trace, TraceEvent, TraceItem};
///
/// let mut trace = Trace::new(64 << 20, None, Profile::default())?;
/// for second in 0..60 {
///     let mut sample = Sample::default();
///     sample.live_bytes = second << 20;
///     let at = Duration::from_secs(second);
///     trace.push(TraceEvent { at, item: TraceItem::Sample(Box::new(sample)) })?;
/// }
/// assert_eq!(trace.events().len(), 60);
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    soft_limit_bytes: u64,
    limit_bytes: Option<u64>,
    profile: Profile,
    events: Vec<TraceEvent>,
    truncated_line: Option<usize>,
}

/// Something that was read or done, and when.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TraceEvent {
    /// When, on the monitor's clock: since Bursar was started. A file has milliseconds.
    #[cfg_attr(feature = "serde", serde(rename = "at_ms", with = "millis"))]
    pub at: Duration,
    /// What.
    #[cfg_attr(feature = "serde", serde(flatten))]
    pub item: TraceItem,
}

/// What a trace can tell of.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(tag = "event", rename_all = "snake_case"))]
#[non_exhaustive]
pub enum TraceItem {
    /// A reading.
    Sample(Box<Sample>),
    /// What a purgeable holds.
    Purgeable(TracedPurgeable),
    /// The level that was entered, up or down.
    Level {
        /// Which.
        level: PressureLevel,
    },
    /// Cleanups that were made.
    Cleanup(TracedCleanup),
    /// Cleanups that freed next to nothing, or for which there was nothing to ask.
    Futile {
        /// How many.
        count: u64,
    },
}

/// A purgeable and what it says it could free. One that is unregistered holds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TracedPurgeable {
    /// The name it is registered under.
    pub name: String,
    /// The stage that asks it.
    pub stage: Stage,
    /// Lower is asked first.
    pub priority: i8,
    /// Cheaper is asked first, within a priority.
    pub rebuild_cost: RebuildCost,
    /// What it says it could free.
    pub purgeable_bytes: u64,
}

/// A cleanup that was made, or several of which no more is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TracedCleanup {
    /// How many.
    pub count: u64,
    /// Live bytes that callbacks freed, as measured.
    pub freed_bytes: u64,
    /// Bytes of freed pages that went back to the system, as far as the allocator knows.
    pub collected_bytes: u64,
    /// What each purgeable freed of that, by name.
    pub freed_bytes_by_name: BTreeMap<String, u64>,
}

impl Trace {
    /// The version of the file's form.
    pub const VERSION: u64 = 1;

    /// The largest number of bytes, events or milliseconds that a trace may speak of.
    pub const MAX_VALUE: u64 = 1 << 50;

    /// A trace without events, of a run with these settings: what the footprint was kept to, and
    /// what the container could use.
    ///
    /// # Errors
    ///
    /// As for [`Budget::new`] and [`Budget::with_profile`], and [`Error::InvalidSetting`] above
    /// [`Trace::MAX_VALUE`].
    pub fn new(
        soft_limit_bytes: u64,
        limit_bytes: Option<u64>,
        profile: Profile,
    ) -> Result<Self, Error> {
        Budget::new(soft_limit_bytes)?.with_profile(profile.clone())?;
        require("soft_limit_bytes", soft_limit_bytes)?;
        require("limit_bytes", limit_bytes)?;
        Ok(Self {
            soft_limit_bytes,
            limit_bytes,
            profile,
            events: Vec::new(),
            truncated_line: None,
        })
    }

    /// Adds an event at its place in time; after those that are there, of the same time.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] for a number above [`Trace::MAX_VALUE`], and
    /// [`Error::InvalidName`] for a purgeable that could not be registered under its name. The
    /// event is not added then.
    pub fn push(&mut self, event: TraceEvent) -> Result<(), Error> {
        event.validate()?;
        let place = self.events.partition_point(|other| other.at <= event.at);
        self.events.insert(place, event);
        Ok(())
    }

    /// Its events, in order of time.
    #[must_use]
    pub fn events(&self) -> &[TraceEvent] {
        &self.events
    }

    /// What the footprint was kept to.
    #[must_use]
    pub fn soft_limit_bytes(&self) -> u64 {
        self.soft_limit_bytes
    }

    /// What the container could use, if it was limited.
    #[must_use]
    pub fn limit_bytes(&self) -> Option<u64> {
        self.limit_bytes
    }

    /// The profile it ran by.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The number of the last line, if it was cut off and so left out: the process was killed
    /// while it was written.
    #[must_use]
    pub fn truncated_line(&self) -> Option<usize> {
        self.truncated_line
    }

    /// The recorded settings, to be changed and played: see [`Replay`](crate::Replay). What a
    /// trace does not say, such as the ladder, is as by default; the limit is left to be the
    /// recorded one.
    #[must_use]
    pub fn config(&self) -> Config {
        Config {
            soft_limit_bytes: Some(self.soft_limit_bytes),
            profile: self.profile.clone(),
            ..Config::default()
        }
    }
}

impl TraceEvent {
    fn validate(&self) -> Result<(), Error> {
        let at_ms = u64::try_from(self.at.as_millis()).unwrap_or(u64::MAX);
        require("at_ms", at_ms)?;
        match &self.item {
            TraceItem::Sample(sample) => validate_sample(sample),
            TraceItem::Purgeable(purgeable) => {
                validate_name(&purgeable.name)?;
                require("purgeable_bytes", purgeable.purgeable_bytes)
            }
            TraceItem::Level { .. } => Ok(()),
            TraceItem::Cleanup(cleanup) => cleanup.validate(),
            TraceItem::Futile { count } => require("count", *count),
        }
    }
}

impl TracedCleanup {
    fn validate(&self) -> Result<(), Error> {
        require("count", self.count)?;
        require("freed_bytes", self.freed_bytes)?;
        require("collected_bytes", self.collected_bytes)?;
        for (name, &bytes) in &self.freed_bytes_by_name {
            validate_name(name)?;
            require("freed_bytes_by_name", bytes)?;
        }
        Ok(())
    }
}

fn validate_sample(sample: &Sample) -> Result<(), Error> {
    require("live_bytes", sample.live_bytes)?;
    require("charged_bytes", sample.charged_bytes)?;
    for (name, bytes) in [
        ("active_bytes", sample.active_bytes),
        ("dirty_bytes", sample.dirty_bytes),
        ("resident_bytes", sample.resident_bytes),
        ("working_set_bytes", sample.working_set_bytes),
        ("limit_bytes", sample.limit_bytes),
        ("process_limit_bytes", sample.process_limit_bytes),
    ] {
        require(name, bytes)?;
    }
    Ok(())
}

fn validate_name(name: &str) -> Result<(), Error> {
    if is_valid_name(name) {
        return Ok(());
    }
    Err(Error::InvalidName { given: name.to_owned() })
}

fn require(name: &'static str, given: impl Into<Option<u64>>) -> Result<(), Error> {
    match given.into() {
        Some(given) if given > Trace::MAX_VALUE => Err(Error::InvalidSetting {
            name,
            given: given.to_string(),
            allowed: "2^50 or less in a trace",
        }),
        _ => Ok(()),
    }
}

#[cfg(feature = "serde")]
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
