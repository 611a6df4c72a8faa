//! [`Slot`]: a registered purgeable, how it is called and what it has done.

use std::borrow::Cow;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bursar_alloc::TagHandle;

use super::gate::Gate;
use super::{Entry, lock};
use crate::contain::contain;
use crate::cooldown::{Cooldown, FIRST_WAIT};
use crate::error::Error;
use crate::ladder::{Candidate, Stage};
use crate::pressure::PressureLevel;
use crate::purge::{Bounds, Purgeable, PurgeableFigures};
use crate::report::{PurgeReport, PurgeStatus};

/// A registered purgeable.
pub(crate) struct Slot {
    pub(super) entry: Entry,
    pub(super) gate: Gate,
    /// Those that the configuration has for it.
    bounds: Option<Bounds>,
    totals: Totals,
    /// Since it freed nothing when it was last asked, a few times perhaps.
    cooldown: Mutex<Option<Cooldown>>,
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entry.fmt(f)
    }
}

/// A callback panicked; its message went to the panic hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

impl Slot {
    pub(super) fn new(entry: Entry, bounds: Option<Bounds>) -> Self {
        Self {
            entry,
            gate: Gate::default(),
            bounds,
            totals: Totals::default(),
            cooldown: Mutex::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.entry.name
    }

    pub(crate) fn tag(&self) -> Option<&TagHandle> {
        self.entry.tag.as_ref()
    }

    pub(crate) fn tag_name(&self) -> Option<Cow<'static, str>> {
        self.tag().map(TagHandle::name)
    }

    pub(crate) fn stage(&self) -> Stage {
        self.entry.stage
    }

    pub(crate) fn bounds(&self) -> Option<Bounds> {
        self.bounds
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Calls into the purgeable under its tag; `None` if it is unregistered.
    pub(crate) fn call<T>(
        &self,
        f: impl FnOnce(&dyn Purgeable) -> T,
    ) -> Option<Result<T, Panicked>> {
        let _inside = self.gate.enter()?;
        let _tag = self.entry.tag.as_ref().map(TagHandle::enter);
        Some(contain(|| f(&*self.entry.purgeable)).ok_or_else(|| {
            self.totals.panics.fetch_add(1, Ordering::Relaxed);
            Panicked
        }))
    }

    /// What it says it could free now; nothing if it is gone or panics.
    pub(crate) fn purgeable_bytes(&self) -> u64 {
        self.call(|purgeable| purgeable.purgeable_bytes()).and_then(Result::ok).unwrap_or(0)
    }

    /// What it counts of its own; nothing if it is gone or panics.
    pub(crate) fn figures(&self) -> PurgeableFigures {
        self.call(|purgeable| purgeable.figures()).and_then(Result::ok).unwrap_or_default()
    }

    /// Has it set the bounds that the configuration has for it.
    pub(super) fn set_bounds(&self) -> Result<(), Error> {
        let Some(bounds) = self.bounds else { return Ok(()) };
        let reason = match self.call(|purgeable| purgeable.set_bounds(&bounds)) {
            Some(Ok(true)) => return Ok(()),
            Some(Err(Panicked)) => "it panicked",
            _ => "it does not have these bounds",
        };
        let (name, given) = (self.name().to_owned(), bounds.to_string());
        Err(Error::BoundsNotSet { name, given, reason })
    }

    /// Tells it that the pressure has passed.
    pub(crate) fn pressure_passed(&self) {
        let _ = self.call(|purgeable| purgeable.pressure_passed());
    }

    /// The wait that it is in, if it is in one.
    pub(crate) fn cooldown(&self) -> Option<Cooldown> {
        lock(&self.cooldown).clone()
    }

    /// Whether it is passed over at `level`.
    pub(crate) fn is_cooling_down(&self, level: PressureLevel, now: Duration) -> bool {
        lock(&self.cooldown).as_ref().is_some_and(|cooldown| cooldown.holds(level, now))
    }

    /// Counts what a callback did, and has the purgeable passed over for a while if it had
    /// nothing. One that was busy may have much: it is asked again.
    pub(crate) fn note(
        &self,
        report: &PurgeReport,
        level: PressureLevel,
        now: Duration,
        longest: Duration,
    ) {
        self.totals.add(report);
        let reason = match report.status {
            PurgeStatus::Busy => return,
            _ if report.freed_bytes() > 0 => None,
            PurgeStatus::Empty => Some("it had nothing to free".to_owned()),
            PurgeStatus::Panicked => Some("it panicked".to_owned()),
            _ => Some(format!("it claimed {} bytes and freed none", report.claimed_bytes)),
        };
        let mut cooldown = lock(&self.cooldown);
        *cooldown = reason.map(|reason| {
            Cooldown::after(cooldown.as_ref(), level, now, FIRST_WAIT..=longest, reason)
        });
    }

    pub(crate) fn candidate(&self, index: usize) -> Candidate {
        Candidate {
            index,
            stage: self.entry.stage,
            priority: self.entry.priority,
            rebuild_cost: self.entry.rebuild_cost,
            purgeable_bytes: self.purgeable_bytes(),
        }
    }
}

/// What a purgeable has done since it was registered.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) purges: AtomicU64,
    pub(crate) busy: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) claimed_bytes: AtomicU64,
    pub(crate) freed_bytes: AtomicU64,
}

impl Totals {
    /// Adds one callback's result. Panics are counted where they are caught.
    pub(crate) fn add(&self, report: &PurgeReport) {
        self.purges.fetch_add(1, Ordering::Relaxed);
        self.busy.fetch_add(u64::from(report.status == PurgeStatus::Busy), Ordering::Relaxed);
        self.claimed_bytes.fetch_add(report.claimed_bytes, Ordering::Relaxed);
        self.freed_bytes.fetch_add(report.freed_bytes(), Ordering::Relaxed);
    }
}
