//! One name of a [`Singletons`](super::Singletons): its type, its tag, and the present value.

use std::any::{Any, TypeId, type_name};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bursar_alloc::{TagHandle, tag_usage};
use once_cell::sync::OnceCell;

use super::stats::SingletonStats;
use crate::error::Error;

/// A value with its type forgotten; the slot knows it.
pub(super) type Value = Arc<dyn Any + Send + Sync>;

/// Where a value is built once. Dropping the value swaps in an empty cell.
pub(super) type Cell = OnceCell<Built>;

pub(super) type Factory = Box<dyn Fn() -> Value + Send + Sync>;

/// A value, when it was put in and what building it left allocated.
pub(super) struct Built {
    pub(super) value: Value,
    pub(super) created_at: Duration,
    pub(super) weight_bytes: u64,
}

/// A type, by which it is told apart and by which it is shown.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    id: TypeId,
    name: &'static str,
}

impl Kind {
    pub(super) fn of<T: 'static>() -> Self {
        Self { id: TypeId::of::<T>(), name: type_name::<T>() }
    }
}

/// A tag that is one name's alone, out of those that a `Singletons` may take.
pub(super) struct OwnTag {
    handle: TagHandle,
    taken: Arc<AtomicUsize>,
}

impl OwnTag {
    /// `None` if `max_tags` are taken, no number is left, or the name would be too long.
    pub(super) fn acquire(
        name: &str,
        tag: &TagHandle,
        taken: &Arc<AtomicUsize>,
        max_tags: usize,
    ) -> Option<Arc<Self>> {
        let one_more = |taken: usize| (taken < max_tags).then_some(taken + 1);
        // Relaxed: it is only a count.
        taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        match TagHandle::with_parent(&format!("{}/{name}", tag.name()), tag) {
            Ok(handle) => Some(Arc::new(Self { handle, taken: Arc::clone(taken) })),
            Err(_) => {
                taken.fetch_sub(1, Ordering::Relaxed);
                None
            }
        }
    }
}

impl Drop for OwnTag {
    fn drop(&mut self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A name, and what is held under it.
pub(super) struct Slot {
    pub(super) name: Arc<str>,
    kind: Kind,
    /// Entered where there is no own tag.
    given_tag: TagHandle,
    own_tag: Option<Arc<OwnTag>>,
    factory: Option<Factory>,
    cell: ArcSwap<Cell>,
    /// Threads that build or wait for a value. Raised with the table locked, and lowered to
    /// nothing with the table locked for writing or with a value there: so whoever has the table
    /// for writing and sees none knows that none comes.
    visitors: AtomicUsize,
    counters: Counters,
}

#[derive(Default)]
struct Counters {
    accesses: AtomicU64,
    builds: AtomicU64,
    /// In nanoseconds since the `Singletons` was made.
    last_used: AtomicU64,
}

/// What a slot has counted so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    pub(super) is_built: bool,
    pub(super) accesses: u64,
    pub(super) builds: u64,
}

impl Slot {
    pub(super) fn new(
        name: &str,
        kind: Kind,
        given_tag: TagHandle,
        own_tag: Option<Arc<OwnTag>>,
        factory: Option<Factory>,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            given_tag,
            own_tag,
            factory,
            cell: ArcSwap::default(),
            visitors: AtomicUsize::new(0),
            counters: Counters::default(),
        }
    }

    /// As it is once a value was put in.
    pub(super) fn holding(self, built: Built) -> Self {
        Self { cell: ArcSwap::from_pointee(OnceCell::with_value(built)), ..self }
    }

    /// The tag under which its values are built.
    pub(super) fn tag(&self) -> &TagHandle {
        self.own_tag.as_ref().map_or(&self.given_tag, |own| &own.handle)
    }

    pub(super) fn own_tag(&self) -> Option<Arc<OwnTag>> {
        self.own_tag.clone()
    }

    pub(super) fn factory(&self) -> Option<&Factory> {
        self.factory.as_ref()
    }

    pub(super) fn check(&self, asked: Kind) -> Result<(), Error> {
        if self.kind.id == asked.id { Ok(()) } else { Err(self.wrong_type(asked)) }
    }

    fn wrong_type(&self, asked: Kind) -> Error {
        Error::WrongType { name: self.name.to_string(), held: self.kind.name, asked: asked.name }
    }

    /// `value`, which is of this slot, as what it is.
    pub(super) fn downcast<T: Send + Sync + 'static>(&self, value: Value) -> Result<Arc<T>, Error> {
        value.downcast().map_err(|_| self.wrong_type(Kind::of::<T>()))
    }

    /// The present value, if it is built.
    pub(super) fn present(&self) -> Option<Value> {
        self.cell.load().get().map(|built| Arc::clone(&built.value))
    }

    /// The present cell, to be built in or waited for.
    pub(super) fn cell(&self) -> Arc<Cell> {
        self.cell.load_full()
    }

    /// Whether a look-up finds something here.
    pub(super) fn is_contained(&self) -> bool {
        self.factory.is_some() || self.cell.load().get().is_some()
    }

    /// Whether a purge might find it idle. Sure is only [`take_idle`](Self::take_idle).
    pub(super) fn looks_idle(&self) -> bool {
        let is_unshared = |built: &Built| Arc::strong_count(&built.value) == 1;
        self.factory.is_some() && self.cell.load().get().is_some_and(is_unshared)
    }

    /// Takes the value out if nobody else has it or is about to. To be called with the table
    /// locked for writing, so that nobody looks it up, and on a slot that has a factory.
    pub(super) fn take_idle(&self) -> Option<Value> {
        let mut cell = self.cell.swap(Arc::default());
        // Alone in the cell, nobody builds there or waits; alone in the value, no handle is out,
        // not even a weak one.
        let is_idle = Arc::get_mut(&mut cell)
            .and_then(OnceCell::get_mut)
            .is_some_and(|built| Arc::get_mut(&mut built.value).is_some());
        if !is_idle {
            self.cell.store(cell);
            return None;
        }
        Arc::into_inner(cell).and_then(OnceCell::into_inner).map(|built| built.value)
    }

    pub(super) fn enter(&self) {
        self.visitors.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether that was the last visitor.
    pub(super) fn leave(&self) -> bool {
        self.visitors.fetch_sub(1, Ordering::Relaxed) == 1
    }

    pub(super) fn note_use(&self, now: Duration) {
        self.counters.accesses.fetch_add(1, Ordering::Relaxed);
        // Ends after 584 years.
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.counters.last_used.store(nanos, Ordering::Relaxed);
    }

    pub(super) fn note_build(&self) {
        self.counters.builds.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn last_used(&self) -> Duration {
        Duration::from_nanos(self.counters.last_used.load(Ordering::Relaxed))
    }

    pub(super) fn counted(&self) -> Counted {
        Counted {
            is_built: self.cell.load().get().is_some(),
            // Before the builds: one in between is no look-up yet.
            accesses: self.counters.accesses.load(Ordering::Relaxed),
            builds: self.counters.builds.load(Ordering::Relaxed),
        }
    }

    pub(super) fn reset_counters(&self) {
        self.counters.accesses.store(0, Ordering::Relaxed);
        self.counters.builds.store(0, Ordering::Relaxed);
    }

    fn deep_bytes(&self) -> Option<u64> {
        self.own_tag.as_ref().map(|own| tag_usage(&own.handle).live_bytes)
    }

    /// What dropping the value would free, about.
    pub(super) fn weight_bytes(&self) -> u64 {
        let when_built = || self.cell.load().get().map_or(0, |built| built.weight_bytes);
        self.deep_bytes().unwrap_or_else(when_built)
    }

    pub(super) fn stats(&self) -> SingletonStats {
        let cell = self.cell.load();
        let built = cell.get();
        SingletonStats {
            name: self.name.to_string(),
            type_name: self.kind.name.into(),
            is_built: built.is_some(),
            is_rebuildable: self.factory.is_some(),
            handles: built.map_or(0, |built| Arc::strong_count(&built.value).saturating_sub(1)),
            created_at: built.map(|built| built.created_at),
            last_used_at: built.map(|_| self.last_used()),
            accesses_total: self.counters.accesses.load(Ordering::Relaxed),
            builds_total: self.counters.builds.load(Ordering::Relaxed),
            deep_bytes: self.deep_bytes(),
        }
    }
}
