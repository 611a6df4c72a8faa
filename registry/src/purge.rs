//! [`Purgeable`]: the contract of what can give memory back when asked.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use bursar_alloc::MAX_TAG_NAME_LEN;

use crate::pressure::PressureLevel;

/// Something that holds memory it can do without: a cache, a pool, a singleton.
///
/// # Contract
///
/// - [`purge`](Self::purge) is called by the monitor's thread or by who asks for a cleanup
///   directly, never from inside an allocation; [`purgeable_bytes`](Self::purgeable_bytes) also by
///   whoever reads statistics. None of them may wait for another cleanup; they may allocate,
///   register and unregister.
/// - [`purge`](Self::purge) frees within the call, on the calling thread: what it freed is
///   measured there. It tries locks rather than waiting for them, and says
///   [`PurgeOutcome::Busy`] if it could not have one.
/// - Once the [`Registration`](crate::Registration) is dropped, nothing is called again.
/// - A panic is contained, counted and reported; the purgeable is called again another time.
///
/// # Examples
///
/// ```
/// use std::sync::Mutex;
/// use bursar::{PurgeOutcome, PurgeRequest, Purgeable};
///
/// struct Scratch(Mutex<Vec<u8>>);
///
/// impl Purgeable for Scratch {
///     fn purgeable_bytes(&self) -> u64 {
///         self.0.try_lock().map_or(0, |buffer| buffer.capacity() as u64)
///     }
///
///     fn purge(&self, _request: &PurgeRequest) -> PurgeOutcome {
///         let Ok(mut buffer) = self.0.try_lock() else { return PurgeOutcome::Busy };
///         match std::mem::take(&mut *buffer).capacity() as u64 {
///             0 => PurgeOutcome::Empty,
///             bytes => PurgeOutcome::Freed(bytes),
///         }
///     }
/// }
/// ```
pub trait Purgeable: Send + Sync {
    /// About how many bytes a purge could free now. Cheap; it is asked before each cleanup and
    /// by each reading of statistics.
    fn purgeable_bytes(&self) -> u64;

    /// Frees about `request.target_bytes`, the least valuable first.
    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome;

    /// The pressure has passed: usage has been normal for the profile's calm. What shrank its own
    /// bounds when it was purged may widen them again, by and by.
    fn pressure_passed(&self) {}

    /// What it has in it and how it is used, as far as it counts that. Cheap; asked by each reading
    /// of statistics.
    fn figures(&self) -> PurgeableFigures {
        PurgeableFigures::default()
    }

    /// Sets its own bounds to those that the configuration has under its name. Called by who
    /// registers it, under its tag and before anything else is called. Answers whether it has
    /// every bound that is given: one that does not leaves all as they are, and is not registered.
    fn set_bounds(&self, _bounds: &Bounds) -> bool {
        false
    }
}

/// What a [`Purgeable`] counts of its own, for statistics: `None` is not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PurgeableFigures {
    /// Entries of a cache, idle objects of a pool.
    pub entries: Option<u64>,
    /// How often something was asked of it and there.
    pub hits_total: Option<u64>,
    /// How often something was asked of it and not there.
    pub misses_total: Option<u64>,
}

/// How much a [`Purgeable`] may hold at all, pressure or no.
///
/// # Examples
///
/// ```
/// let mut bounds = bursar::Bounds::default();
/// bounds.max_bytes = Some(64 << 20);
/// assert_eq!(bounds.max_entries, None);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bounds {
    /// Bytes; `None` leaves what it has.
    pub max_bytes: Option<u64>,
    /// Entries of a cache, idle objects of a pool; `None` leaves what it has.
    pub max_entries: Option<usize>,
}

/// Those that are given, each after its name.
impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.max_bytes, self.max_entries) {
            (None, None) => f.write_str("no bounds"),
            (Some(bytes), None) => write!(f, "max_bytes {bytes}"),
            (None, Some(entries)) => write!(f, "max_entries {entries}"),
            (Some(bytes), Some(entries)) => {
                write!(f, "max_bytes {bytes} and max_entries {entries}")
            }
        }
    }
}

/// What is asked of a [`Purgeable`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PurgeRequest {
    /// Bytes to free; `u64::MAX` for all there is.
    pub target_bytes: u64,
    /// The level in force.
    pub level: PressureLevel,
    /// When the answer is due; `None` for no hurry. What is not freed by then is not waited for
    /// by anyone but the cleanup; better to free less.
    pub deadline: Option<Instant>,
}

impl PurgeRequest {
    /// A request for `target_bytes` at `level`, without a deadline.
    #[must_use]
    pub fn new(target_bytes: u64, level: PressureLevel) -> Self {
        Self { target_bytes, level, deadline: None }
    }

    /// Whether the answer is overdue. Reads the platform's clock if there is a deadline.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|at| Instant::now() >= at)
    }
}

/// What a [`Purgeable`] says it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurgeOutcome {
    /// Freed about so many bytes. The claim; what really came back is measured.
    Freed(u64),
    /// There was nothing to free.
    Empty,
    /// There may be something, but not at this moment.
    Busy,
}

impl PurgeOutcome {
    /// What to say of `freed_bytes`, where some things could not be had at this moment (`is_busy`)
    /// or all could.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::PurgeOutcome;
    ///
    /// assert_eq!(PurgeOutcome::of(4096, true), PurgeOutcome::Freed(4096));
    /// assert_eq!(PurgeOutcome::of(0, true), PurgeOutcome::Busy);
    /// assert_eq!(PurgeOutcome::of(0, false), PurgeOutcome::Empty);
    /// ```
    #[must_use]
    pub fn of(freed_bytes: u64, is_busy: bool) -> Self {
        match (freed_bytes, is_busy) {
            (0, true) => Self::Busy,
            (0, false) => Self::Empty,
            (bytes, _) => Self::Freed(bytes),
        }
    }
}

/// What it costs to have again what a purge throws away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum RebuildCost {
    /// Next to nothing: buffers, parsed copies.
    Low,
    /// Some computing.
    #[default]
    Medium,
    /// A request to another service, or much computing.
    High,
}

impl<P: Purgeable + ?Sized> Purgeable for Arc<P> {
    fn purgeable_bytes(&self) -> u64 {
        (**self).purgeable_bytes()
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        (**self).purge(request)
    }

    fn pressure_passed(&self) {
        (**self).pressure_passed();
    }

    fn figures(&self) -> PurgeableFigures {
        (**self).figures()
    }

    fn set_bounds(&self, bounds: &Bounds) -> bool {
        (**self).set_bounds(bounds)
    }
}

/// Whether a purgeable can be registered under this name. It has the same characters as a tag's.
pub(crate) fn is_valid_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    (1..=MAX_TAG_NAME_LEN).contains(&name.len()) && name.chars().all(fits)
}

/// Something that is gone has nothing to free.
impl<P: Purgeable> Purgeable for Weak<P> {
    fn purgeable_bytes(&self) -> u64 {
        self.upgrade().map_or(0, |purgeable| purgeable.purgeable_bytes())
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        self.upgrade().map_or(PurgeOutcome::Empty, |purgeable| purgeable.purge(request))
    }

    fn pressure_passed(&self) {
        if let Some(purgeable) = self.upgrade() {
            purgeable.pressure_passed();
        }
    }

    fn figures(&self) -> PurgeableFigures {
        self.upgrade().map(|purgeable| purgeable.figures()).unwrap_or_default()
    }

    fn set_bounds(&self, bounds: &Bounds) -> bool {
        self.upgrade().is_some_and(|purgeable| purgeable.set_bounds(bounds))
    }
}
