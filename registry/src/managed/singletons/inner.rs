//! The table behind a [`Singletons`](super::Singletons): names looked up, added and taken out.
//!
//! No user code runs under its lock, and what is taken out is dropped after it. A value is only
//! ever cloned out under the lock, so that whoever has it for writing can tell what is idle.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::mem;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{
    Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, TryLockResult,
};
use std::time::{Duration, SystemTime};

use bursar_alloc::TagHandle;

use super::builds::Wanted;
use super::error::SingletonError;
use super::slot::{Built, Cell, Factory, Kind, OwnTag, Slot, Value};
use super::stats::SingletonsStats;
use crate::clock::Clock;
use crate::error::Error;
use crate::managed::rate_limit::Window;
use crate::managed::weigh::weigh;
use crate::purge::is_valid_name;

type Table = BTreeMap<Arc<str>, Arc<Slot>>;

pub(super) struct Inner {
    pub(super) name: Cow<'static, str>,
    pub(super) tag: TagHandle,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) window: Option<Window>,
    pub(super) max_tags: usize,
    /// The clock's time when it was made, and the system's.
    pub(super) made_after: Duration,
    pub(super) made_at: SystemTime,
    pub(super) table: RwLock<Table>,
    pub(super) tags_taken: Arc<AtomicUsize>,
    pub(super) refused: AtomicU64,
    /// Of the names that were taken out.
    pub(super) gone: Gone,
}

/// What names that are there no more had counted. Written with the table locked for writing.
#[derive(Debug, Default)]
pub(super) struct Gone {
    accesses: AtomicU64,
    builds: AtomicU64,
}

impl Gone {
    fn add(&self, slot: &Slot) {
        let counted = slot.counted();
        self.accesses.fetch_add(counted.accesses, Ordering::Relaxed);
        self.builds.fetch_add(counted.builds, Ordering::Relaxed);
    }
}

/// What a look-up found under a name that is there.
pub(super) enum Found<'a, T> {
    Value(Arc<T>),
    /// There is no value at this moment.
    Vacant(Visit<'a>),
}

/// Takes a slot out; an empty map keeps no memory.
fn take(table: &mut Table, name: &str, gone: &Gone) -> Option<Arc<Slot>> {
    let slot = table.remove(name);
    if let Some(slot) = &slot {
        gone.add(slot);
    }
    if table.is_empty() {
        *table = Table::new();
    }
    slot
}

/// How often a lock that is held for a moment at a time is tried.
const TRIES: usize = 8;

fn retry<G>(mut try_lock: impl FnMut() -> TryLockResult<G>) -> Option<G> {
    for _ in 0..TRIES {
        match try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
    None
}

impl Inner {
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time since it was made.
    pub(super) fn now(&self) -> Duration {
        self.clock.now().saturating_sub(self.made_after)
    }

    /// Checks a call's name and counts it against the rate limit. Answers the time.
    pub(super) fn admit(&self, name: &str) -> Result<Duration, Error> {
        if !is_valid_name(name) {
            return Err(Error::InvalidName { given: name.to_owned() });
        }
        let now = self.now();
        let is_refused = |window: &&Window| !self.tag.scope(|| window.try_pass(now));
        let Some(window) = self.window.as_ref().filter(is_refused) else {
            return Ok(now);
        };
        self.refused.fetch_add(1, Ordering::Relaxed);
        let limit = window.limit();
        let (name, operations, per) = (self.name.to_string(), limit.operations, limit.per);
        Err(Error::RateLimited { name, operations, per })
    }

    /// A slot that is not in the table yet.
    pub(super) fn new_slot(
        &self,
        name: &str,
        kind: Kind,
        own_tag: Option<Arc<OwnTag>>,
        factory: Option<Factory>,
    ) -> Slot {
        let acquire = || OwnTag::acquire(name, &self.tag, &self.tags_taken, self.max_tags);
        Slot::new(name, kind, self.tag.clone(), own_tag.or_else(acquire), factory)
    }

    /// Looks a name up; `None` if it is not there.
    pub(super) fn find<T: Send + Sync + 'static>(
        &self,
        name: &str,
        now: Duration,
    ) -> Result<Option<Found<'_, T>>, Error> {
        self.find_in(&self.read(), name, now)
    }

    /// As [`find`](Self::find), with the name added if it is not there.
    pub(super) fn find_or_add<T: Send + Sync + 'static>(
        &self,
        name: &str,
        now: Duration,
    ) -> Result<Found<'_, T>, Error> {
        if let Some(found) = self.find(name, now)? {
            return Ok(found);
        }
        let _tag = self.tag.enter();
        let slot = Arc::new(self.new_slot(name, Kind::of::<T>(), None, None));
        let mut table = self.write();
        // Another thread may have added it meanwhile.
        if let Some(found) = self.find_in(&table, name, now)? {
            return Ok(found);
        }
        table.insert(Arc::clone(&slot.name), Arc::clone(&slot));
        Ok(Found::Vacant(Visit::new(self, &slot)))
    }

    /// Looks a name up in the table, which is locked.
    fn find_in<T: Send + Sync + 'static>(
        &self,
        table: &Table,
        name: &str,
        now: Duration,
    ) -> Result<Option<Found<'_, T>>, Error> {
        let Some(slot) = table.get(name) else {
            return Ok(None);
        };
        slot.check(Kind::of::<T>())?;
        Ok(Some(match slot.present() {
            Some(value) => {
                slot.note_use(now);
                Found::Value(slot.downcast(value)?)
            }
            None => Found::Vacant(Visit::new(self, slot)),
        }))
    }

    /// Puts a value in. Answers the one that it replaces.
    pub(super) fn set<T: Send + Sync + 'static>(
        &self,
        name: &str,
        value: T,
        now: Duration,
    ) -> Result<Option<Arc<T>>, Error> {
        let _tag = self.tag.enter();
        let own_tag = self.read().get(name).and_then(|slot| slot.own_tag());
        let slot = self.new_slot(name, Kind::of::<T>(), own_tag, None);
        let (value, weight_bytes) = weigh(slot.tag(), || Arc::new(value) as Value);
        let slot = Arc::new(slot.holding(Built { value, created_at: now, weight_bytes }));
        // Declared after the slot, so that one that is refused is dropped after the lock.
        let mut table = self.write();
        if let Some(other) = table.get(name) {
            other.check(Kind::of::<T>())?;
        }
        let replaced = table.insert(Arc::clone(&slot.name), slot);
        if let Some(replaced) = &replaced {
            self.gone.add(replaced);
        }
        drop(table);
        let Some(replaced) = replaced else {
            return Ok(None);
        };
        replaced.present().map(|value| replaced.downcast(value)).transpose()
    }

    /// Adds a slot whose name must be free.
    pub(super) fn define(&self, name: &str, kind: Kind, factory: Factory) -> Result<(), Error> {
        let _tag = self.tag.enter();
        let slot = Arc::new(self.new_slot(name, kind, None, Some(factory)));
        let mut table = self.write();
        if table.contains_key(name) {
            return Err(Error::NameTaken { name: name.to_owned() });
        }
        table.insert(Arc::clone(&slot.name), slot);
        Ok(())
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.read().get(name).is_some_and(|slot| slot.is_contained())
    }

    /// Takes a slot out, for the caller to drop.
    pub(super) fn remove(&self, name: &str) -> Option<Arc<Slot>> {
        let _tag = self.tag.enter();
        take(&mut self.write(), name, &self.gone)
    }

    pub(super) fn clear(&self) {
        let mut table = self.write();
        table.values().for_each(|slot| self.gone.add(slot));
        let taken = mem::take(&mut *table);
        drop(table);
        drop(taken);
    }

    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.read().values().map(Arc::clone).collect()
    }

    /// Those that a purge might drop; `None` if the table is locked for writing.
    pub(super) fn try_idle_slots(&self) -> Option<Vec<Arc<Slot>>> {
        let table = retry(|| self.table.try_read())?;
        Some(table.values().filter(|slot| slot.looks_idle()).map(Arc::clone).collect())
    }

    /// Takes a slot's value if it is idle; `None` if the table is locked.
    pub(super) fn try_take_idle(&self, slot: &Slot) -> Option<Option<Value>> {
        let _table = retry(|| self.table.try_write())?;
        Some(slot.take_idle())
    }

    pub(super) fn reset_stats(&self) {
        self.refused.store(0, Ordering::Relaxed);
        self.gone.accesses.store(0, Ordering::Relaxed);
        self.gone.builds.store(0, Ordering::Relaxed);
        self.slots().iter().for_each(|slot| slot.reset_counters());
    }

    /// How many are built; how often one was found, and how often built, by look-ups so far.
    /// `None` if the table is locked for writing.
    pub(super) fn try_lookups(&self) -> Option<(u64, u64, u64)> {
        let table = retry(|| self.table.try_read())?;
        let mut built = 0;
        let mut accesses = self.gone.accesses.load(Ordering::Relaxed);
        let mut builds = self.gone.builds.load(Ordering::Relaxed);
        for counted in table.values().map(|slot| slot.counted()) {
            built += u64::from(counted.is_built);
            accesses += counted.accesses;
            builds += counted.builds;
        }
        // Whoever builds is counted as a build first, and as a look-up when he has the value.
        Some((built, accesses.saturating_sub(builds), builds))
    }

    pub(super) fn stats(&self) -> SingletonsStats {
        SingletonsStats {
            entries: self.slots().iter().map(|slot| slot.stats()).collect(),
            refused_total: self.refused.load(Ordering::Relaxed),
            made_at: self.made_at,
        }
    }
}

/// A thread at a slot that had no value. Dropped, it takes a slot out that is left with nothing.
pub(super) struct Visit<'a> {
    inner: &'a Inner,
    slot: Arc<Slot>,
    cell: Arc<Cell>,
}

impl<'a> Visit<'a> {
    /// To be called with the table locked.
    fn new(inner: &'a Inner, slot: &Arc<Slot>) -> Self {
        slot.enter();
        Self { inner, slot: Arc::clone(slot), cell: slot.cell() }
    }

    /// The value, built by `build`, or by another thread that was first; a defined name's is
    /// built by its own factory.
    pub(super) fn build<T: Send + Sync + 'static, E>(
        &self,
        build: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, SingletonError<E>> {
        match self.slot.factory() {
            Some(factory) => self.fill(|| Ok(factory())),
            None => self.fill(|| Ok(Arc::new(build()?))),
        }
    }

    /// The value of a defined name; `None` if it has no factory.
    pub(super) fn build_if_defined<T: Send + Sync + 'static>(
        &self,
    ) -> Result<Option<Arc<T>>, Error> {
        let Some(factory) = self.slot.factory() else {
            return Ok(None);
        };
        Ok(Some(self.fill(|| Ok::<_, Infallible>(factory()))?))
    }

    fn fill<T: Send + Sync + 'static, E>(
        &self,
        build: impl FnOnce() -> Result<Value, E>,
    ) -> Result<Arc<T>, SingletonError<E>> {
        let wanted = Wanted::note(&self.cell, &self.slot.name)?;
        let built = self.cell.get_or_try_init(|| {
            let _building = wanted.begin();
            let (value, weight_bytes) = weigh(self.slot.tag(), build);
            let built = Built { value: value?, created_at: self.inner.now(), weight_bytes };
            self.slot.note_build();
            Ok(built)
        });
        let value = Arc::clone(&built.map_err(SingletonError::Build)?.value);
        self.slot.note_use(self.inner.now());
        Ok(self.slot.downcast(value)?)
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if self.cell.get().is_some() || self.slot.factory().is_some() {
            self.slot.leave();
            return;
        }
        let mut table = self.inner.write();
        let is_last = self.slot.leave();
        let is_listed = table.get(&self.slot.name).is_some_and(|it| Arc::ptr_eq(it, &self.slot));
        // It holds nothing that a user made, and this visit keeps it beyond the lock.
        if is_last && is_listed && self.cell.get().is_none() {
            take(&mut table, &self.slot.name, &self.inner.gone);
        }
    }
}
