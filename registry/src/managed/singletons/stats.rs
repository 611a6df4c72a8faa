//! [`SingletonsStats`]: what a [`Singletons`](super::Singletons) holds and has done.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

/// What a [`Singletons`](super::Singletons) holds and has done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SingletonsStats {
    /// Each name, in order. One that is being built for the first time is there already.
    pub entries: Vec<SingletonStats>,
    /// Calls refused by the rate limit.
    pub refused_total: u64,
    /// When the `Singletons` was made, by the system's clock: what times below count from.
    pub made_at: SystemTime,
}

impl SingletonsStats {
    /// What is held under `name`.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&SingletonStats> {
        self.entries.iter().find(|entry| entry.name == name)
    }

    /// The sum of the deep bytes that are known.
    #[must_use]
    pub fn deep_bytes(&self) -> u64 {
        self.entries.iter().filter_map(|entry| entry.deep_bytes).sum()
    }
}

/// What is held under one name. Counters begin anew where a name is set or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SingletonStats {
    /// The name.
    pub name: String,
    /// The type of what is held, as `std::any::type_name` has it.
    pub type_name: Cow<'static, str>,
    /// Whether there is a value now: not before the first look-up of what was defined, and not
    /// after a purge dropped it.
    pub is_built: bool,
    /// Whether a purge may drop it while it is idle: it was defined with a factory.
    pub is_rebuildable: bool,
    /// Handles given out and not yet dropped: 0 for one that is idle.
    pub handles: usize,
    /// When the present value was put in, after the `Singletons` was made by its clock.
    pub created_at: Option<Duration>,
    /// When the present value was last looked up, likewise.
    pub last_used_at: Option<Duration>,
    /// Look-ups that found or built a value.
    pub accesses_total: u64,
    /// Values that a factory built.
    pub builds_total: u64,
    /// Live bytes of the name's own tag: what its factory allocated and what `set` was given as
    /// the value itself, earlier values that handles still hold included. Growth in place stays
    /// with the tag; what the value allocates elsewhere later is not in it. `None` if it has no
    /// tag of its own: `max_tags` were taken, the process had no number left, or the name was too
    /// long.
    pub deep_bytes: Option<u64>,
}
