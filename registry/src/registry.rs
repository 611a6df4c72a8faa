//! [`Registry`]: who can be asked for memory, and under which name.
//!
//! Handles are copied out under the registry's lock and called with no lock held. Each entry has
//! a gate that knows who is inside it, so that unregistering can wait until nobody is.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, ThreadId};

use bursar_alloc::{MAX_TAG_NAME_LEN, Tag};

use crate::error::Error;
use crate::ladder::{Candidate, Stage};
use crate::purge::{Purgeable, RebuildCost};
use crate::report::{PurgeReport, PurgeStatus};

/// A purgeable and how it wants to be treated, for [`Registry::register`].
///
/// # Examples
///
/// ```
/// # use std::sync::Arc;
/// # use bursar::{Entry, PurgeOutcome, PurgeRequest, Purgeable, Stage, Tag};
/// # struct Buffers;
/// # impl Purgeable for Buffers {
/// #     fn purgeable_bytes(&self) -> u64 { 0 }
/// #     fn purge(&self, _: &PurgeRequest) -> PurgeOutcome { PurgeOutcome::Empty }
/// # }
/// static BUFFERS: Tag = Tag::new("buffers");
///
/// let entry = Entry::new("buffers", Arc::new(Buffers)).tag(&BUFFERS).stage(Stage::Release);
/// ```
#[derive(Clone)]
pub struct Entry {
    name: Cow<'static, str>,
    purgeable: Arc<dyn Purgeable>,
    tag: Option<&'static Tag>,
    stage: Stage,
    priority: i8,
    rebuild_cost: RebuildCost,
}

impl Entry {
    /// An entry called `name`, of the stage [`Stage::Trim`] and the priority 0.
    pub fn new(name: impl Into<Cow<'static, str>>, purgeable: Arc<dyn Purgeable>) -> Self {
        Self {
            name: name.into(),
            purgeable,
            tag: None,
            stage: Stage::default(),
            priority: 0,
            rebuild_cost: RebuildCost::default(),
        }
    }

    /// The tag that its bytes are charged to. What it frees is measured there, and what its
    /// callbacks allocate is charged there.
    #[must_use]
    pub fn tag(self, tag: &'static Tag) -> Self {
        Self { tag: Some(tag), ..self }
    }

    /// The stage that asks it: [`Stage::Trim`] for caches, [`Stage::Release`] for what gives up
    /// all or nothing. [`Stage::Emergency`] asks everything.
    #[must_use]
    pub fn stage(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    /// Lower is asked first.
    #[must_use]
    pub fn priority(self, priority: i8) -> Self {
        Self { priority, ..self }
    }

    /// The purgeable, to be called by hand.
    #[must_use]
    pub fn purgeable(&self) -> &Arc<dyn Purgeable> {
        &self.purgeable
    }

    /// What it costs to have again what it gives up: cheaper is asked first within a priority.
    #[must_use]
    pub fn rebuild_cost(self, rebuild_cost: RebuildCost) -> Self {
        Self { rebuild_cost, ..self }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("name", &self.name)
            .field("tag", &self.tag.map(Tag::name))
            .field("stage", &self.stage)
            .field("priority", &self.priority)
            .field("rebuild_cost", &self.rebuild_cost)
            .finish_non_exhaustive()
    }
}

/// The purgeables of a [`Bursar`](crate::Bursar). Clones share them.
///
/// # Examples
///
/// ```
/// use bursar::{Cache, Error, Registry, Tag};
///
/// static PAGES: Tag = Tag::new("pages");
///
/// let registry = Registry::default();
/// let pages: Cache<u32, String> = Cache::new(&PAGES);
/// let registration = registry.register(&pages)?;
/// assert!(matches!(registry.register(&pages), Err(Error::DuplicateName { .. })));
///
/// drop(registration);
/// assert!(registry.is_empty());
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Registry {
    slots: Arc<Mutex<Vec<Arc<Slot>>>>,
}

impl Registry {
    /// Registers a purgeable until the returned value is dropped.
    ///
    /// May be called from anywhere, callbacks included.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] if the name is empty or not fit for a label,
    /// [`Error::DuplicateName`] if one of this name is registered.
    pub fn register(&self, entry: impl Into<Entry>) -> Result<Registration, Error> {
        let entry = entry.into();
        if !is_valid_name(&entry.name) {
            return Err(Error::InvalidName { given: entry.name.into_owned() });
        }
        let slot = Arc::new(Slot::new(entry));
        let mut slots = lock(&self.slots);
        if slots.iter().any(|other| other.entry.name == slot.entry.name) {
            return Err(Error::DuplicateName { given: slot.entry.name.to_string() });
        }
        slots.push(Arc::clone(&slot));
        Ok(Registration { slot, slots: Arc::downgrade(&self.slots) })
    }

    /// How many purgeables are registered.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.slots).len()
    }

    /// Whether nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those registered now, to be called with no lock held.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        lock(&self.slots).clone()
    }
}

/// The same characters as a tag's name has.
fn is_valid_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "_-.:/".contains(c);
    (1..=MAX_TAG_NAME_LEN).contains(&name.len()) && name.chars().all(fits)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks; were one poisoned, its data would be whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a purgeable registered. Dropped, it is unregistered: a callback that runs is waited for
/// (unless this is dropped from inside it), and none is made after.
///
/// Do not drop it while holding a lock that the callback waits for.
#[derive(Debug)]
#[must_use = "dropping it unregisters the purgeable"]
pub struct Registration {
    slot: Arc<Slot>,
    slots: Weak<Mutex<Vec<Arc<Slot>>>>,
}

impl Registration {
    /// The name it is registered under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.slot.entry.name
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Some(slots) = self.slots.upgrade() {
            // What is removed is dropped after the lock: user code may run there.
            let removed = {
                let mut slots = lock(&slots);
                let index = slots.iter().position(|slot| Arc::ptr_eq(slot, &self.slot));
                index.map(|index| slots.remove(index))
            };
            drop(removed);
        }
        self.slot.gate.close();
    }
}

/// A registered purgeable.
pub(crate) struct Slot {
    entry: Entry,
    gate: Gate,
    totals: Totals,
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
    fn new(entry: Entry) -> Self {
        Self { entry, gate: Gate::default(), totals: Totals::default() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.entry.name
    }

    pub(crate) fn tag(&self) -> Option<&'static Tag> {
        self.entry.tag
    }

    pub(crate) fn stage(&self) -> Stage {
        self.entry.stage
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
        let _tag = self.entry.tag.map(Tag::enter);
        let result = catch_unwind(AssertUnwindSafe(|| f(&*self.entry.purgeable)));
        Some(result.map_err(|payload| {
            self.totals.panics.fetch_add(1, Ordering::Relaxed);
            // A payload's own destructor may panic too.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            Panicked
        }))
    }

    /// What it says it could free now; nothing if it is gone or panics.
    pub(crate) fn purgeable_bytes(&self) -> u64 {
        self.call(|purgeable| purgeable.purgeable_bytes()).and_then(Result::ok).unwrap_or(0)
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

/// Lets callers in until it is closed; closing waits until nobody else is inside.
#[derive(Debug, Default)]
struct Gate {
    state: Mutex<GateState>,
    someone_left: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    closed: bool,
    inside: Vec<ThreadId>,
}

struct Inside<'a>(&'a Gate);

impl Gate {
    fn enter(&self) -> Option<Inside<'_>> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        state.inside.push(thread::current().id());
        Some(Inside(self))
    }

    fn close(&self) {
        let this_thread = thread::current().id();
        let mut state = lock(&self.state);
        state.closed = true;
        while state.inside.iter().any(|&thread| thread != this_thread) {
            state = self.someone_left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let this_thread = thread::current().id();
        let mut state = lock(&self.0.state);
        if let Some(index) = state.inside.iter().position(|&thread| thread == this_thread) {
            state.inside.swap_remove(index);
        }
        drop(state);
        self.0.someone_left.notify_all();
    }
}

#[cfg(test)]
mod tests;
