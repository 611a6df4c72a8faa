//! One shard of a [`Cache`](super::Cache): a least-recently-used map under a lock.

use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use lru::LruCache;

/// A value, what it weighs and when it expires.
#[derive(Debug)]
pub(super) struct Slot<V> {
    pub(super) value: V,
    pub(super) weight_bytes: u64,
    expires_at: Option<Instant>,
}

impl<V> Slot<V> {
    pub(super) fn new(value: V, weight_bytes: u64, time_to_live: Option<Duration>) -> Self {
        // A time to live past the clock's range is as good as none.
        let expires_at = time_to_live.and_then(|ttl| Instant::now().checked_add(ttl));
        Self { value, weight_bytes, expires_at }
    }

    fn is_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| Instant::now() >= at)
    }
}

#[derive(Debug)]
struct Inner<K: Hash + Eq, V> {
    entries: LruCache<K, Slot<V>>,
    weight_bytes: u64,
}

/// Entries in order of use, and their weight. What is taken out is handed out, to be dropped
/// when the lock is no longer held: values' destructors may do anything.
#[derive(Debug)]
pub(super) struct Shard<K: Hash + Eq, V> {
    inner: Mutex<Inner<K, V>>,
    max_entries: Option<NonZeroUsize>,
}

/// What a look-up found.
pub(super) enum Found<K, V> {
    Live(V),
    Expired(Removed<K, V>),
    Nothing,
}

/// Entries on their way out.
pub(super) type Removed<K, V> = Vec<(K, Slot<V>)>;

impl<K: Hash + Eq, V> Shard<K, V> {
    pub(super) fn new(max_entries: Option<NonZeroUsize>) -> Self {
        let inner = Inner { entries: new_table(max_entries), weight_bytes: 0 };
        Self { inner: Mutex::new(inner), max_entries }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<K, V>> {
        // A key's `Hash` or `Eq` may have panicked under it; the map survives that.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Inner<K, V>>> {
        match self.inner.try_lock() {
            Ok(inner) => Some(inner),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// `None` if someone holds the lock.
    pub(super) fn try_weight_bytes(&self) -> Option<u64> {
        Some(self.try_lock()?.weight_bytes)
    }

    pub(super) fn get(&self, key: &K) -> Found<K, V>
    where
        V: Clone,
    {
        let mut inner = self.lock();
        match inner.entries.get(key) {
            None => Found::Nothing,
            Some(slot) if slot.is_expired() => Found::Expired(inner.remove(key)),
            Some(slot) => Found::Live(slot.value.clone()),
        }
    }

    /// Puts an entry in as the latest used. Answers what it replaced or pushed out.
    pub(super) fn insert(&self, key: K, slot: Slot<V>) -> Inserted<K, V> {
        let mut inner = self.lock();
        inner.weight_bytes += slot.weight_bytes;
        let is_replaced = inner.entries.contains(&key);
        let out = inner.entries.push(key, slot);
        if let Some((_, out)) = &out {
            inner.weight_bytes -= out.weight_bytes;
        }
        match out {
            Some((_, slot)) if is_replaced => Inserted::Replaced(slot.value),
            Some(entry) => Inserted::PushedOut(entry),
            None => Inserted::Added,
        }
    }

    pub(super) fn remove(&self, key: &K) -> Removed<K, V> {
        self.lock().remove(key)
    }

    /// Takes out the oldest until they weigh `target_bytes`; `None` if someone holds the lock.
    pub(super) fn try_evict(&self, target_bytes: u64) -> Option<Removed<K, V>> {
        let mut inner = self.try_lock()?;
        let mut removed = Vec::new();
        let mut freed_bytes = 0;
        while freed_bytes < target_bytes {
            let Some((key, slot)) = inner.entries.pop_lru() else {
                break;
            };
            freed_bytes += slot.weight_bytes;
            removed.push((key, slot));
        }
        inner.weight_bytes -= freed_bytes;
        Some(removed)
    }

    /// Takes out everything, the table's memory included; `None` if someone holds the lock.
    pub(super) fn try_clear(&self) -> Option<Cleared<K, V>> {
        let mut inner = self.try_lock()?;
        let weight_bytes = std::mem::take(&mut inner.weight_bytes);
        let entries = std::mem::replace(&mut inner.entries, new_table(self.max_entries));
        Some(Cleared { len: entries.len(), weight_bytes, _entries: entries })
    }

    /// As [`try_clear`](Self::try_clear), waiting for the lock.
    pub(super) fn clear(&self) {
        let mut inner = self.lock();
        inner.weight_bytes = 0;
        let entries = std::mem::replace(&mut inner.entries, new_table(self.max_entries));
        drop(inner);
        drop(entries);
    }
}

/// What an insertion did to the entries before.
pub(super) enum Inserted<K, V> {
    Added,
    Replaced(V),
    PushedOut((K, Slot<V>)),
}

/// A shard's whole content, to be dropped with no lock held.
pub(super) struct Cleared<K: Hash + Eq, V> {
    pub(super) len: usize,
    pub(super) weight_bytes: u64,
    _entries: LruCache<K, Slot<V>>,
}

impl<K: Hash + Eq, V> Inner<K, V> {
    fn remove(&mut self, key: &K) -> Removed<K, V> {
        let removed = self.entries.pop_entry(key);
        if let Some((_, slot)) = &removed {
            self.weight_bytes -= slot.weight_bytes;
        }
        removed.into_iter().collect()
    }
}

fn new_table<K: Hash + Eq, V>(max_entries: Option<NonZeroUsize>) -> LruCache<K, Slot<V>> {
    // A bounded `LruCache` has its table made whole at once; ours grows as it fills.
    let mut table = LruCache::unbounded();
    if let Some(max_entries) = max_entries {
        table.resize(max_entries);
    }
    table
}
