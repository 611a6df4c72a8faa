//! One shard of a [`WeakCache`](super::WeakCache): a least-recently-used map of weak handles
//! under a lock.

use std::borrow::Borrow;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use lru::LruCache;

use super::stats::WeakCacheStats;
use crate::contain::drop_each;
use crate::try_lock::{try_lock, try_lock_briefly};

/// Entries in order of use. Keys are dropped when the lock is no longer held: their destructors
/// may do anything. Of values, only memory goes here: their destructors have run.
pub(super) struct Shard<K: Hash + Eq, V> {
    table: Mutex<Table<K, V>>,
}

struct Table<K: Hash + Eq, V> {
    entries: LruCache<K, Weak<V>>,
    max_entries: usize,
    inserts_since_sweep: usize,
    len_after_sweep: usize,
    /// `entries` is filled in when it is read.
    stats: WeakCacheStats,
}

/// Entries on their way out.
type Removed<K, V> = Vec<(K, Weak<V>)>;

/// Insertions between sweeps at least: fewer entries than this are not worth one.
const SWEEP_EVERY: usize = 16;

/// When full, all entries are looked at for dead ones once in this share of the bound's
/// insertions: so many looks for each insertion, at most.
const LOOKS_WHEN_FULL: usize = 4;

/// Entries looked at, at each end of the order of use, for an estimate.
const SAMPLE: usize = 8;

impl<K: Hash + Eq, V> Shard<K, V> {
    pub(super) fn new(max_entries: usize) -> Self {
        let table = Table {
            entries: LruCache::unbounded(),
            max_entries,
            inserts_since_sweep: 0,
            len_after_sweep: 0,
            stats: WeakCacheStats::default(),
        };
        Self { table: Mutex::new(table) }
    }

    fn lock(&self) -> MutexGuard<'_, Table<K, V>> {
        // A key's `Hash` or `Eq` may have panicked under it; the map survives that.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Table<K, V>>> {
        try_lock(&self.table)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().entries.len()
    }

    pub(super) fn stats(&self) -> WeakCacheStats {
        self.lock().stats()
    }

    /// `None` if someone holds the lock for long.
    pub(super) fn try_stats(&self) -> Option<WeakCacheStats> {
        try_lock_briefly(&self.table).map(|table| table.stats())
    }

    /// The value of `key`, which is then the latest used; an entry whose value is gone goes too.
    pub(super) fn get<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut table = self.lock();
        let found = table.entries.get(key).map(Weak::upgrade);
        if let Some(Some(value)) = found {
            table.stats.hits_total += 1;
            return Some(value);
        }
        table.stats.misses_total += 1;
        if found.is_some() {
            let dead = table.entries.pop_entry(key);
            table.stats.dead_total += 1;
            drop(table);
            drop_each(dead);
        }
        None
    }

    /// Puts `value` in unless `key` has a live one. Answers the one that is in.
    pub(super) fn insert_first(&self, key: K, value: Arc<V>) -> Arc<V> {
        let mut removed = Removed::new();
        let mut table = self.lock();
        let first = table.entries.get(&key).and_then(Weak::upgrade);
        if first.is_none() {
            table.insert(key, Arc::downgrade(&value), &mut removed);
        }
        drop(table);
        drop_each(removed);
        first.unwrap_or(value)
    }

    /// Puts `value` in, instead of one that was there.
    pub(super) fn insert(&self, key: K, value: &Arc<V>) {
        let mut removed = Removed::new();
        let mut table = self.lock();
        table.insert(key, Arc::downgrade(value), &mut removed);
        drop(table);
        drop_each(removed);
    }

    pub(super) fn remove<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut table = self.lock();
        let removed = table.entries.pop_entry(key);
        table.stats.removed_total += u64::from(removed.is_some());
        drop(table);
        let value = removed.as_ref().and_then(|(_, weak)| weak.upgrade());
        drop_each(removed);
        value
    }

    pub(super) fn clear(&self) {
        let mut table = self.lock();
        let mut entries = std::mem::replace(&mut table.entries, LruCache::unbounded());
        table.stats.removed_total += entries.len() as u64;
        table.note_sweep();
        drop(table);
        drop_each(std::iter::from_fn(|| entries.pop_lru()));
    }

    /// Appends what lives, the latest used first.
    pub(super) fn snapshot(&self, live: &mut Vec<(K, Arc<V>)>)
    where
        K: Clone,
    {
        // Made before the lock: should a key's `Clone` panic, they are dropped after it.
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        let table = self.lock();
        for (key, weak) in &table.entries {
            if let Some(value) = weak.upgrade() {
                values.push(value);
                keys.push(key.clone());
            }
        }
        drop(table);
        live.extend(keys.into_iter().zip(values));
    }

    /// Drops the entries whose values are gone, and the room in the table that they took.
    /// Answers how many.
    pub(super) fn sweep(&self) -> usize {
        Self::sweep_locked(self.lock())
    }

    /// As [`sweep`](Self::sweep); `None` if someone holds the lock.
    pub(super) fn try_sweep(&self) -> Option<usize> {
        self.try_lock().map(Self::sweep_locked)
    }

    fn sweep_locked(mut table: MutexGuard<'_, Table<K, V>>) -> usize {
        let mut removed = Removed::new();
        table.sweep(&mut removed);
        table.shrink_to_fit();
        drop(table);
        let swept = removed.len();
        drop_each(removed);
        swept
    }

    pub(super) fn set_max_entries(&self, max_entries: usize) {
        let mut removed = Removed::new();
        let mut table = self.lock();
        table.max_entries = max_entries;
        if table.entries.len() > max_entries {
            table.sweep(&mut removed);
            table.evict_down_to(max_entries, &mut removed);
            table.shrink_to_fit();
        }
        drop(table);
        drop_each(removed);
    }

    /// About how many entries' values are gone, from those used last and those used first;
    /// `None` if someone holds the lock.
    pub(super) fn try_estimate_dead(&self) -> Option<u64> {
        let table = self.try_lock()?;
        let is_dead = |(_, weak): &(&K, &Weak<V>)| weak.strong_count() == 0;
        let len = table.entries.len();
        if len <= 2 * SAMPLE {
            return Some(table.entries.iter().filter(is_dead).count() as u64);
        }
        let latest = table.entries.iter().take(SAMPLE);
        let oldest = table.entries.iter().rev().take(SAMPLE);
        let dead = latest.chain(oldest).filter(is_dead).count();
        Some((len as u64).saturating_mul(dead as u64) / (2 * SAMPLE as u64))
    }
}

impl<K: Hash + Eq, V> Table<K, V> {
    fn stats(&self) -> WeakCacheStats {
        WeakCacheStats { entries: self.entries.len(), ..self.stats }
    }

    fn insert(&mut self, key: K, weak: Weak<V>, removed: &mut Removed<K, V>) {
        if let Some(present) = self.entries.get_mut(&key) {
            // The key that came is dropped by this: hand it out instead.
            let replaced = std::mem::replace(present, weak);
            removed.push((key, replaced));
            return;
        }
        self.make_room(removed);
        removed.extend(self.entries.push(key, weak));
        self.stats.inserted_total += 1;
        self.inserts_since_sweep += 1;
        if self.inserts_since_sweep >= self.len_after_sweep.max(SWEEP_EVERY) {
            self.sweep(removed);
        }
    }

    /// Makes room for one: of entries whose values are gone, if there are any.
    fn make_room(&mut self, removed: &mut Removed<K, V>) {
        if self.entries.len() < self.max_entries {
            return;
        }
        let is_oldest_dead =
            self.entries.peek_lru().is_some_and(|(_, weak)| weak.strong_count() == 0);
        if is_oldest_dead {
            removed.extend(self.entries.pop_lru());
            self.stats.swept_total += 1;
        } else if self.inserts_since_sweep >= self.max_entries / LOOKS_WHEN_FULL {
            self.sweep(removed);
        }
        self.evict_down_to(self.max_entries - 1, removed);
    }

    fn evict_down_to(&mut self, entries: usize, removed: &mut Removed<K, V>) {
        while self.entries.len() > entries {
            removed.extend(self.entries.pop_lru());
            self.stats.evicted_total += 1;
        }
    }

    /// Takes out the entries whose values are gone. The others keep their order: each in turn is
    /// taken from one end and put back at the other.
    fn sweep(&mut self, removed: &mut Removed<K, V>) {
        let is_any_dead = self.entries.iter().any(|(_, weak)| weak.strong_count() == 0);
        let turns = if is_any_dead { self.entries.len() } else { 0 };
        for _ in 0..turns {
            let Some((key, weak)) = self.entries.pop_lru() else { break };
            if weak.strong_count() == 0 {
                removed.push((key, weak));
                self.stats.swept_total += 1;
            } else {
                removed.extend(self.entries.push(key, weak));
            }
        }
        self.note_sweep();
    }

    fn note_sweep(&mut self) {
        self.inserts_since_sweep = 0;
        self.len_after_sweep = self.entries.len();
    }

    fn shrink_to_fit(&mut self) {
        if self.entries.is_empty() {
            self.entries = LruCache::unbounded();
            return;
        }
        // `resize` fits the table to what it holds; the bound is ours to keep.
        let len = NonZeroUsize::new(self.entries.len()).unwrap_or(NonZeroUsize::MIN);
        self.entries.resize(len);
        self.entries.resize(NonZeroUsize::MAX);
    }
}
