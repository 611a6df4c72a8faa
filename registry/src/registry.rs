//! [`Registry`]: who can be asked for memory, and under which name.
//!
//! Handles are copied out under the registry's lock and called with no lock held. Each entry has
//! a gate that knows who is inside it, so that unregistering can wait until nobody is. A purgeable
//! that the configuration has bounds for takes its name first and is handed out once they are set.

mod bounds;
mod gate;
mod slot;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bursar_alloc::TagHandle;

use crate::child_lock::ChildLock;
use crate::error::Error;
use crate::ladder::Stage;
use crate::purge::{Bounds, Purgeable, RebuildCost, is_valid_name};

use bounds::ConfiguredBounds;
pub(crate) use slot::Slot;

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
    tag: Option<TagHandle>,
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
    pub fn tag(self, tag: impl Into<TagHandle>) -> Self {
        Self { tag: Some(tag.into()), ..self }
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
            .field("tag", &self.tag.as_ref().map(TagHandle::name))
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
    slots: Arc<ChildLock<Slots>>,
    bounds: Arc<ConfiguredBounds>,
}

/// By name; none where one has taken the name whose bounds are still to be set.
type Slots = BTreeMap<Cow<'static, str>, Option<Arc<Slot>>>;

impl Registry {
    /// One that sets the bounds of what is registered under these names.
    pub(crate) fn with_bounds(by_name: BTreeMap<String, Bounds>) -> Self {
        Self { bounds: Arc::new(ConfiguredBounds::new(by_name)), ..Self::default() }
    }

    /// Registers a purgeable until the returned value is dropped. If the
    /// [`Config`](crate::Config) of the Bursar that this belongs to has bounds under its name,
    /// [`Purgeable::set_bounds`] is called with them before anything else is.
    ///
    /// May be called from anywhere, callbacks included, and for thousands of purgeables: it
    /// costs one lock and a look-up by name, and again as much for one with bounds.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] if the name is empty or not fit for a label,
    /// [`Error::DuplicateName`] if one of this name is registered, [`Error::BoundsNotSet`] if the
    /// configuration has bounds for it that it does not have, or it panicked when given them.
    pub fn register(&self, entry: impl Into<Entry>) -> Result<Registration, Error> {
        let entry = entry.into();
        if !is_valid_name(&entry.name) {
            return Err(Error::InvalidName { given: entry.name.into_owned() });
        }
        let bounds = self.bounds.get(&entry.name);
        let registration = self.insert(Slot::new(entry, bounds))?;
        if bounds.is_some() {
            // Refused, the registration is dropped, and the name is free again.
            registration.slot.set_bounds()?;
            self.bounds.note_use(registration.name());
            let slot = Arc::clone(&registration.slot);
            self.slots.lock().insert(slot.entry.name.clone(), Some(slot));
        }
        Ok(registration)
    }

    /// Takes the name for the slot. One that has bounds to be set is not handed out yet: it takes
    /// its name all the same, so that of two with one name only one is told to set them.
    fn insert(&self, slot: Slot) -> Result<Registration, Error> {
        // Made, and if need be dropped, with no lock held: an entry has user code in it.
        let slot = Arc::new(slot);
        let handed_out = slot.bounds().is_none().then(|| Arc::clone(&slot));
        match self.slots.lock().entry(slot.entry.name.clone()) {
            btree_map::Entry::Occupied(other) => {
                return Err(Error::DuplicateName { given: other.key().to_string() });
            }
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(handed_out);
            }
        }
        Ok(Registration { slot, slots: Arc::downgrade(&self.slots) })
    }

    /// How many purgeables are registered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.lock().values().flatten().count()
    }

    /// Whether nothing is registered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those registered now, by name, to be called with no lock held.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.lock().values().flatten().map(Arc::clone).collect()
    }

    /// The names that the configuration has bounds for and nothing was registered under so far.
    pub(crate) fn unused_bounds(&self) -> Vec<String> {
        self.bounds.unused()
    }
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
    slots: Weak<ChildLock<Slots>>,
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
            let removed = slots.lock().remove(&self.slot.entry.name);
            drop(removed);
        }
        self.slot.gate.close();
    }
}

#[cfg(test)]
mod tests;
