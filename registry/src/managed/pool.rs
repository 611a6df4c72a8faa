//! [`Pool`]: objects that are used again instead of being built anew.

mod builder;
mod idle;
mod pooled;
mod stats;

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bursar_alloc::TagHandle;

use self::builder::{Factory, MOST_ENTRIES, Reset, Weigher, check_max_entries};
use self::idle::{Idle, table_bytes};
use self::stats::{Counter, Counters};
use super::weigh::{freed, weigh};
use crate::contain::contain;
use crate::error::Error;
use crate::ladder::Stage;
use crate::purge::{Bounds, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures, RebuildCost};
use crate::registry::Entry;

pub use self::builder::PoolBuilder;
pub use self::pooled::Pooled;
pub use self::stats::PoolStats;

/// Objects of one kind, built by a factory, handed out, returned, and handed out again; those
/// that are idle are dropped when the [`Bursar`](crate::Bursar) that the pool is registered with
/// asks for memory.
///
/// Clones share the objects. Any number of threads acquire and return at once, without a lock.
/// There are as many objects as are in use at a time: the bound is on those kept idle.
///
/// # Weight
///
/// An object is built under the pool's tag. Idle, it weighs what the pool's
/// [`weigher`](PoolBuilder::weigher) says; without one, what building it left allocated under the
/// tag. What it grew by while it was in use is then not in its weight, though it is in the tag's
/// bytes where a block of the object itself grew: give objects that grow a weigher.
///
/// # Panics of your code
///
/// A panic of the factory reaches who acquires. One of the reset, of the weigher or of an
/// object's destructor, when an object comes back or is purged, ends there: the object is
/// dropped and the panic counted, also where an object comes back since its user panics.
///
/// # Examples
///
/// ```
/// use bursar::{Pool, Registry, Tag};
///
/// static BUFFERS: Tag = Tag::new("buffers");
///
/// let buffers = Pool::builder(&BUFFERS, || Vec::<u8>::with_capacity(4096))
///     .reset(|buffer| buffer.clear())
///     .build()?;
/// # let bursar = Registry::default();
/// let _registration = bursar.register(&buffers)?;
///
/// let mut buffer = buffers.acquire();
/// buffer.extend(b"hello");
/// drop(buffer);
/// assert!(buffers.acquire().is_empty());
/// assert_eq!(buffers.stats().reuse_ratio(), 0.5);
/// # Ok::<(), bursar::Error>(())
/// ```
pub struct Pool<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    tag: TagHandle,
    name: Cow<'static, str>,
    factory: Factory<T>,
    reset: Option<Reset<T>>,
    weigher: Option<Weigher<T>>,
    max_object_bytes: u64,
    max_bytes: AtomicU64,
    idle: Idle<Object<T>>,
    /// Of the idle ones. An object's is added before it is put in and taken off after it is
    /// taken out, so that the sum is never less than nothing.
    weight_bytes: AtomicU64,
    counters: Counters,
}

struct Object<T> {
    value: T,
    weight_bytes: u64,
}

impl<T> Pool<T> {
    /// A pool under `tag` of what `factory` builds, which keeps up to 64 objects idle. It is
    /// registered under the tag's name.
    #[must_use]
    pub fn new(tag: impl Into<TagHandle>, factory: impl Fn() -> T + Send + Sync + 'static) -> Self {
        match Self::builder(tag, factory).build() {
            Ok(pool) => pool,
            Err(_) => unreachable!("no setting was given that could be refused"),
        }
    }

    /// Begins to build a pool with a reset, bounds or a name of its own.
    pub fn builder(
        tag: impl Into<TagHandle>,
        factory: impl Fn() -> T + Send + Sync + 'static,
    ) -> PoolBuilder<T> {
        PoolBuilder::new(tag.into(), Box::new(factory))
    }

    /// The tag that the objects are built under.
    #[must_use]
    pub fn tag(&self) -> &TagHandle {
        &self.inner.tag
    }

    /// An object to use: the one that is idle for longest, or a new one. It goes back to the
    /// pool when it is dropped.
    ///
    /// # Panics
    ///
    /// Where the factory does; the pool is as it was.
    pub fn acquire(&self) -> Pooled<T> {
        let inner = &self.inner;
        let object = match inner.take_idle() {
            Some(object) => {
                inner.counters.reused.add(1);
                object
            }
            None => inner.create(),
        };
        Pooled { object: Some(object), pool: Arc::clone(inner) }
    }

    /// Keeps at most so many objects idle from now on: 1 to 1,048,576. What is too many is
    /// dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] if it is none or more.
    pub fn set_max_entries(&self, max_entries: usize) -> Result<(), Error> {
        check_max_entries(max_entries)?;
        self.inner.set_max_entries(max_entries);
        Ok(())
    }

    /// Drops the idle objects.
    pub fn clear(&self) {
        self.inner.drain(u64::MAX, || false);
    }

    /// What it holds and has done.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        let inner = &*self.inner;
        inner.counters.stats(inner.idle.len(), inner.weight_bytes.load(Ordering::Relaxed))
    }
}

impl<T> Inner<T> {
    fn take_idle(&self) -> Option<Object<T>> {
        let object = self.idle.pop()?;
        self.weight_bytes.fetch_sub(object.weight_bytes, Ordering::Relaxed);
        Some(object)
    }

    fn create(&self) -> Object<T> {
        let build = || weigh(&self.tag, || (self.factory)());
        match catch_unwind(AssertUnwindSafe(build)) {
            Ok((value, weight_bytes)) => {
                self.counters.created.add(1);
                Object { value, weight_bytes }
            }
            Err(panic) => {
                self.counters.panics.add(1);
                resume_unwind(panic)
            }
        }
    }

    /// Keeps an object that came back, or drops it. Lets no panic out: it may be run by a thread
    /// that panics already.
    fn take_back(&self, mut object: Object<T>) {
        let _tag = self.tag.enter();
        let counters = &self.counters;
        counters.returned.add(1);
        match self.prepare(&mut object) {
            None => {
                counters.panics.add(1);
                self.discard(object, &counters.discarded_panicked);
            }
            Some(weight_bytes) if weight_bytes > self.max_object_bytes => {
                self.discard(object, &counters.discarded_oversized);
            }
            Some(weight_bytes) => self.keep(Object { weight_bytes, ..object }),
        }
    }

    /// Resets an object and weighs it; `None` if that panicked.
    fn prepare(&self, object: &mut Object<T>) -> Option<u64> {
        if let Some(reset) = &self.reset {
            contain(|| reset(&mut object.value))?;
        }
        match &self.weigher {
            Some(weigher) => contain(|| weigher(&object.value)),
            None => Some(object.weight_bytes),
        }
    }

    /// Makes an object idle if there is room for it.
    fn keep(&self, object: Object<T>) {
        let weight_bytes = object.weight_bytes;
        let add = |sum: u64| {
            let sum = sum.checked_add(weight_bytes)?;
            (sum <= self.max_bytes.load(Ordering::Relaxed)).then_some(sum)
        };
        let has_room = self.weight_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
        if has_room.is_err() {
            self.discard(object, &self.counters.discarded_full);
        } else if let Err(object) = self.idle.push(object) {
            self.weight_bytes.fetch_sub(object.weight_bytes, Ordering::Relaxed);
            self.discard(object, &self.counters.discarded_full);
        }
    }

    /// Drops an object; answers what that gave back to the tag as far as this thread knows it,
    /// or else what the object weighed.
    fn discard(&self, object: Object<T>, cause: &Counter) -> u64 {
        cause.add(1);
        let Object { value, weight_bytes } = object;
        let (dropped, freed_bytes) = freed(&self.tag, || contain(|| drop(value)));
        if dropped.is_none() {
            self.counters.panics.add(1);
        }
        freed_bytes.unwrap_or(0).max(weight_bytes)
    }

    fn set_max_entries(&self, max_entries: usize) {
        let _tag = self.tag.enter();
        let Some(queue) = self.idle.set_max_entries(max_entries) else { return };
        while let Some(object) = queue.pop() {
            if let Err(object) = self.idle.push(object) {
                self.weight_bytes.fetch_sub(object.weight_bytes, Ordering::Relaxed);
                self.discard(object, &self.counters.discarded_full);
            }
        }
    }

    /// Drops idle objects until `target_bytes` came back, those idle for longest first; where
    /// that is not enough, the queue's own memory too. What comes back meanwhile stays.
    fn drain(&self, target_bytes: u64, is_late: impl Fn() -> bool) -> PurgeOutcome {
        let _tag = self.tag.enter();
        let purged = &self.counters.purged;
        let mut freed_bytes = 0u64;
        for _ in 0..self.idle.len() {
            if freed_bytes >= target_bytes {
                return PurgeOutcome::Freed(freed_bytes);
            }
            if is_late() {
                return PurgeOutcome::of(freed_bytes, true);
            }
            let Some(object) = self.take_idle() else { break };
            freed_bytes = freed_bytes.saturating_add(self.discard(object, purged));
        }
        if freed_bytes < target_bytes
            && let Some(queue) = self.idle.take_queue()
        {
            freed_bytes = freed_bytes.saturating_add(table_bytes(&queue));
            while let Some(object) = queue.pop() {
                self.weight_bytes.fetch_sub(object.weight_bytes, Ordering::Relaxed);
                freed_bytes = freed_bytes.saturating_add(self.discard(object, purged));
            }
        }
        PurgeOutcome::of(freed_bytes, false)
    }
}

impl<T> Drop for Inner<T> {
    /// One by one: a destructor that panics is not to meet another.
    fn drop(&mut self) {
        self.drain(u64::MAX, || false);
    }
}

impl<T: Send> Purgeable for Inner<T> {
    fn purgeable_bytes(&self) -> u64 {
        self.weight_bytes.load(Ordering::Relaxed).saturating_add(self.idle.table_bytes())
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        self.drain(request.target_bytes, || request.is_late())
    }

    /// Objects that were handed out again are hits, those that were built for it misses.
    fn figures(&self) -> PurgeableFigures {
        PurgeableFigures {
            entries: Some(self.idle.len() as u64),
            hits_total: Some(self.counters.reused.get()),
            misses_total: Some(self.counters.created.get()),
        }
    }

    /// Bounds of nothing, or of more than there may be, are taken as the next that may be.
    fn set_bounds(&self, bounds: &Bounds) -> bool {
        if let Some(max_bytes) = bounds.max_bytes {
            self.max_bytes.store(max_bytes.max(1), Ordering::Relaxed);
            let surplus = self.weight_bytes.load(Ordering::Relaxed).saturating_sub(max_bytes);
            if surplus > 0 {
                self.drain(surplus, || false);
            }
        }
        if let Some(max_entries) = bounds.max_entries {
            self.set_max_entries(max_entries.clamp(1, MOST_ENTRIES));
        }
        true
    }
}

/// Registers the pool under its name at [`Stage::Release`], as cheap to build anew, and asks it
/// for as long as a clone of it or an object in use lives.
impl<T: Send + 'static> From<&Pool<T>> for Entry {
    fn from(pool: &Pool<T>) -> Self {
        let weak = Arc::downgrade(&pool.inner);
        Entry::new(pool.inner.name.clone(), Arc::new(weak))
            .tag(pool.tag())
            .stage(Stage::Release)
            .rebuild_cost(RebuildCost::Low)
    }
}

impl<T> Clone for Pool<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for Pool<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("name", &self.inner.name)
            .field("tag", &self.inner.tag.name())
            .field("max_entries", &self.inner.idle.max_entries())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
