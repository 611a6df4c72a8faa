//! [`BoundedLog`]: the latest of what happened, within bounds.

mod builder;
mod ring;
mod stats;

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bursar_alloc::TagHandle;

use self::builder::Weigher;
use self::ring::{Removed, Ring, Slot};
use super::weigh::weigh;
use crate::contain::drop_each;
use crate::purge::{Bounds, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures, RebuildCost};
use crate::registry::Entry;
use crate::try_lock::{try_lock, try_lock_briefly};

pub use self::builder::BoundedLogBuilder;
pub use self::stats::BoundedLogStats;

/// The latest entries of a log that is bounded by entries, by bytes, or by both, and that gives
/// up its oldest when the [`Bursar`](crate::Bursar) it is registered with asks.
///
/// Clones share the content; a push costs one lock. Entries are dropped with no lock held; a
/// panic of an entry's destructor ends there and is counted.
///
/// # Weight
///
/// An entry that [`push_with`](Self::push_with) builds weighs what its building left allocated
/// under the log's tag. One that is handed in by [`push`](Self::push) weighs what the
/// [`weigher`](BoundedLogBuilder::weigher) says, or nothing without one: its heap bytes are those
/// of the tag that it was made under. The ring's own memory counts towards `max_bytes` as well,
/// free places included. What weighs more than the bound by itself is not taken in, and counted
/// as rejected.
///
/// # Examples
///
/// ```
/// use bursar::{BoundedLog, Registry, Tag};
///
/// static EVENTS: Tag = Tag::new("events");
///
/// let events: BoundedLog<String> = BoundedLog::builder(&EVENTS).max_entries(3).build()?;
/// # let bursar = Registry::default();
/// let _registration = bursar.register(&events)?;
///
/// for turn in 1..=5 {
///     events.push_with(|| format!("turn {turn}"));
/// }
/// assert_eq!(events.recent(2), ["turn 4", "turn 5"]);
/// assert_eq!(events.stats().evicted_total, 2);
/// # Ok::<(), bursar::Error>(())
/// ```
pub struct BoundedLog<T> {
    inner: Arc<Inner<T>>,
}

struct Inner<T> {
    tag: TagHandle,
    name: Cow<'static, str>,
    weigher: Option<Weigher<T>>,
    content: Mutex<Content<T>>,
}

struct Content<T> {
    ring: Ring<T>,
    /// `entries` and the bytes are filled in when it is read.
    stats: BoundedLogStats,
}

/// Entries that a purge takes out between two looks at its deadline.
const BATCH: usize = 256;

impl<T> BoundedLog<T> {
    /// Begins to build a log, which needs a bound.
    pub fn builder(tag: impl Into<TagHandle>) -> BoundedLogBuilder<T> {
        BoundedLogBuilder::new(tag.into())
    }

    /// The tag that the log's bytes are charged to.
    #[must_use]
    pub fn tag(&self) -> &TagHandle {
        &self.inner.tag
    }

    /// Puts an entry last; the oldest go if there is no room for it.
    ///
    /// # Panics
    ///
    /// Where the weigher does; the log is as it was.
    pub fn push(&self, entry: T) {
        let weight_bytes = self.inner.weigher.as_ref().map_or(0, |weigher| weigher(&entry));
        self.inner.push(Slot { value: entry, weight_bytes });
    }

    /// Builds an entry under the log's tag, weighs it by what that left allocated, and puts it
    /// last. No lock is held while `make` runs.
    ///
    /// # Panics
    ///
    /// Where `make` does; the log is as it was.
    pub fn push_with(&self, make: impl FnOnce() -> T) {
        let (value, weight_bytes) = weigh(&self.inner.tag, make);
        self.inner.push(Slot { value, weight_bytes });
    }

    /// Pushes each in turn; entries that others push meanwhile come in between.
    ///
    /// # Panics
    ///
    /// As [`push`](Self::push), and where the iterator does; what came before is in.
    pub fn extend(&self, entries: impl IntoIterator<Item = T>) {
        entries.into_iter().for_each(|entry| self.push(entry));
    }

    /// Copies of the latest `count` entries, or of as many as there are: in the order in which
    /// they were pushed, the latest last.
    ///
    /// They are cloned under the log's lock: their `Clone` must not use the log, and pushes wait
    /// for it. Make entries cheap to clone, such as an `Arc`.
    #[must_use]
    pub fn recent(&self, count: usize) -> Vec<T>
    where
        T: Clone,
    {
        // Made before the lock: should a `Clone` panic, the copies are dropped after it.
        let mut copies = Vec::with_capacity(count.min(self.len()));
        let content = self.inner.lock();
        for entry in content.ring.latest(count) {
            copies.push(entry.clone());
        }
        drop(content);
        copies
    }

    /// Copies of all entries, as [`recent`](Self::recent) makes them.
    #[must_use]
    pub fn snapshot(&self) -> Vec<T>
    where
        T: Clone,
    {
        self.recent(usize::MAX)
    }

    /// How many entries are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.lock().ring.len()
    }

    /// Whether no entries are held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops every entry, and the ring's memory.
    pub fn clear(&self) {
        let mut content = self.inner.lock();
        let removed = content.ring.take_all();
        content.stats.removed_total += removed.len() as u64;
        drop(content);
        self.inner.drop_all(removed);
    }

    /// What it holds and has dropped.
    #[must_use]
    pub fn stats(&self) -> BoundedLogStats {
        let content = self.inner.lock();
        BoundedLogStats {
            entries: content.ring.len(),
            weight_bytes: content.ring.weight_bytes(),
            table_bytes: content.ring.table_bytes(),
            ..content.stats
        }
    }
}

impl<T> Content<T> {
    fn new(ring: Ring<T>) -> Self {
        Self { ring, stats: BoundedLogStats::default() }
    }
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, Content<T>> {
        // An entry's `Clone` may have panicked under it; that changes nothing.
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Content<T>>> {
        try_lock(&self.content)
    }

    fn push(&self, slot: Slot<T>) {
        let _tag = self.tag.enter();
        let mut removed = Removed::new();
        let mut content = self.lock();
        let pushed = content.ring.push(slot, &mut removed);
        content.stats.pushed_total += 1;
        content.stats.evicted_total += removed.len() as u64;
        content.stats.rejected_total += u64::from(pushed.is_err());
        drop(content);
        self.drop_all(removed);
        self.drop_all(pushed.err());
    }

    /// Drops what was taken out. No lock is held.
    fn drop_all(&self, removed: impl IntoIterator<Item = Slot<T>>) {
        let panics = drop_each(removed);
        if panics > 0 {
            self.lock().stats.panics_total += panics;
        }
    }

    fn change_bounds(&self, max_entries: Option<usize>, max_bytes: Option<u64>) {
        let _tag = self.tag.enter();
        let mut removed = Removed::new();
        let mut content = self.lock();
        let ring = &mut content.ring;
        ring.max_entries = max_entries.unwrap_or(ring.max_entries);
        ring.max_bytes = max_bytes.unwrap_or(ring.max_bytes);
        ring.trim(&mut removed);
        content.stats.evicted_total += removed.len() as u64;
        drop(content);
        self.drop_all(removed);
    }

    /// Takes out a batch of the oldest, until their weights and places come to `target_bytes`.
    /// Answers how many and what they weighed; `None` if someone holds the lock.
    fn try_evict(&self, target_bytes: u64) -> Option<(u64, u64)> {
        let mut removed = Removed::with_capacity(BATCH);
        let mut weight_bytes = 0u64;
        let mut content = self.try_lock()?;
        let is_enough = |count: usize, weight_bytes: u64| {
            (count as u64 * Ring::<T>::SLOT_BYTES).saturating_add(weight_bytes) >= target_bytes
        };
        while removed.len() < BATCH && !is_enough(removed.len(), weight_bytes) {
            let Some(oldest) = content.ring.pop() else { break };
            weight_bytes += oldest.weight_bytes;
            removed.push(oldest);
        }
        let count = removed.len() as u64;
        content.stats.purged_total += count;
        drop(content);
        self.drop_all(removed);
        Some((count, weight_bytes))
    }

    /// Takes out the oldest, a batch at a time, and then the places that are free. What is pushed
    /// meanwhile is not waited for.
    fn evict(&self, request: &PurgeRequest) -> PurgeOutcome {
        let Some(held) = self.try_lock().map(|content| content.ring.len()) else {
            return PurgeOutcome::Busy;
        };
        let mut is_busy = false;
        // Of the entries, and of the places that they leave: the latter only once they are given
        // back.
        let (mut freed_bytes, mut places_bytes) = (0u64, 0u64);
        for _ in 0..=held / BATCH {
            let missing_bytes =
                request.target_bytes.saturating_sub(freed_bytes.saturating_add(places_bytes));
            is_busy |= missing_bytes > 0 && request.is_late();
            if missing_bytes == 0 || is_busy {
                break;
            }
            match self.try_evict(missing_bytes) {
                Some((count, weight_bytes)) => {
                    freed_bytes += weight_bytes;
                    places_bytes += count * Ring::<T>::SLOT_BYTES;
                }
                None => is_busy = true,
            }
        }
        let is_cut_short = is_busy && places_bytes == 0;
        if !is_cut_short && let Some(mut content) = self.try_lock() {
            freed_bytes = freed_bytes.saturating_add(content.ring.shrink_to_fit());
        }
        PurgeOutcome::of(freed_bytes, is_busy)
    }
}

impl<T: Send> Purgeable for Inner<T> {
    /// 0 while someone holds the log's lock.
    fn purgeable_bytes(&self) -> u64 {
        self.try_lock().map_or(0, |content| content.ring.held_bytes())
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let _tag = self.tag.enter();
        self.evict(request)
    }

    /// A log is read as a whole: there are no hits. Nothing is known while someone holds the
    /// log's lock for long.
    fn figures(&self) -> PurgeableFigures {
        let content = try_lock_briefly(&self.content);
        let entries = content.map(|content| content.ring.len() as u64);
        PurgeableFigures { entries, ..PurgeableFigures::default() }
    }

    /// Bounds of nothing are taken as one entry, or one byte: none is kept then.
    fn set_bounds(&self, bounds: &Bounds) -> bool {
        let max_entries = bounds.max_entries.map(|max_entries| max_entries.max(1));
        self.change_bounds(max_entries, bounds.max_bytes.map(|max_bytes| max_bytes.max(1)));
        true
    }
}

impl<T> Drop for Inner<T> {
    /// One by one: a destructor that panics is not to meet another.
    fn drop(&mut self) {
        let content = self.content.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop_each(content.ring.take_all());
    }
}

/// Registers the log under its name, as what cannot be had again, and asks it for as long as a
/// clone of it lives.
impl<T: Send + 'static> From<&BoundedLog<T>> for Entry {
    fn from(log: &BoundedLog<T>) -> Self {
        let weak = Arc::downgrade(&log.inner);
        Entry::new(log.inner.name.clone(), Arc::new(weak))
            .tag(log.tag())
            .rebuild_cost(RebuildCost::High)
    }
}

impl<T> Clone for BoundedLog<T> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<T> fmt::Debug for BoundedLog<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedLog")
            .field("name", &self.inner.name)
            .field("tag", &self.inner.tag.name())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
