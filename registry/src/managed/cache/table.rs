//! [`Table`]: entries in the order of their use, and the memory that holds them.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::mem::MaybeUninit;
use std::num::NonZeroUsize;

use bursar_alloc::TagHandle;
use lru::LruCache;

use crate::managed::weigh::kept;

/// A value, what it weighs and when it expires.
pub(super) struct Slot<V> {
    pub(super) value: V,
    pub(super) weight_bytes: u64,
    /// By the cache's clock; [`NEVER`] for one that stays.
    pub(super) expires_at: Nanos,
}

/// A time by a cache's clock, in nanoseconds. Such a clock ends after 584 years.
pub(super) type Nanos = u64;

/// When that does not expire which has no time to live.
pub(super) const NEVER: Nanos = Nanos::MAX;

impl<V> Slot<V> {
    pub(super) fn is_expired(&self, now: Nanos) -> bool {
        self.expires_at <= now
    }
}

/// Entries on their way out, to be dropped when no lock is held: destructors may do anything.
pub(super) type Removed<K, V> = Vec<(K, Slot<V>)>;

/// A least-recently-used map that knows what its entries and its own memory come to.
///
/// It drops no key and no value itself, but for those that are in it when it is dropped.
pub(super) struct Table<K, V> {
    entries: LruCache<K, Slot<V>>,
    weight_bytes: u64,
    /// The hash map's memory, as it was measured when it grew and shrank.
    map_bytes: u64,
    /// Most entries since the map was last made to fit.
    peak_len: usize,
    /// No entry expires before.
    earliest_expiry: Nanos,
    /// False within what a panicking `Hash` or `Eq` leaves half done: list and map differ then.
    is_whole: bool,
}

impl<K: Hash + Eq, V> Table<K, V> {
    /// What the list has for each entry: key, slot and two links.
    pub(super) const NODE_BYTES: u64 =
        size_of::<(MaybeUninit<K>, MaybeUninit<Slot<V>>, usize, usize)>() as u64;

    pub(super) fn new() -> Self {
        Self {
            entries: LruCache::unbounded(),
            weight_bytes: 0,
            map_bytes: 0,
            peak_len: 0,
            earliest_expiry: NEVER,
            is_whole: true,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// What the entries weigh.
    pub(super) fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// What the nodes and the map take up. The two ends of the list, which stay, are not counted.
    pub(super) fn table_bytes(&self) -> u64 {
        Self::NODE_BYTES * self.len() as u64 + self.map_bytes
    }

    /// Whether it can be used: it cannot once a key has panicked in the middle of a change.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Whether something in it may have expired.
    pub(super) fn may_have_expired(&self, now: Nanos) -> bool {
        self.earliest_expiry <= now
    }

    /// The slot of `key`, which is then the latest used.
    pub(super) fn get<Q>(&mut self, key: &Q) -> Option<&Slot<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.get(key)
    }

    pub(super) fn peek<Q>(&self, key: &Q) -> Option<&Slot<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.entries.peek(key)
    }

    /// Latest used first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &Slot<V>)> {
        self.entries.iter()
    }

    /// Puts an entry in as the latest used. Answers the slot that it replaces, with the key that
    /// was not needed. `tag` is entered by the caller.
    pub(super) fn push(&mut self, tag: &TagHandle, key: K, slot: Slot<V>) -> Option<(K, Slot<V>)> {
        self.weight_bytes += slot.weight_bytes;
        self.earliest_expiry = self.earliest_expiry.min(slot.expires_at);
        let len_before = self.len();
        let (replaced, kept_bytes) = self.change(tag, |entries| entries.push(key, slot));
        if let Some((_, old)) = &replaced {
            self.weight_bytes -= old.weight_bytes;
        }
        if self.len() > len_before {
            // What was not the node was the map's growth. Where nothing can be measured, nodes
            // alone are counted.
            let grown = kept_bytes.saturating_sub_unsigned(Self::NODE_BYTES);
            self.map_bytes += u64::try_from(grown).unwrap_or(0);
            self.peak_len = self.peak_len.max(self.len());
        }
        replaced
    }

    pub(super) fn remove<Q>(&mut self, key: &Q) -> Option<(K, Slot<V>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let removed = self.entries.pop_entry(key);
        self.weight_bytes -= removed.as_ref().map_or(0, |(_, slot)| slot.weight_bytes);
        removed
    }

    pub(super) fn remove_oldest(&mut self) -> Option<(K, Slot<V>)> {
        // A key whose `Hash` or `Eq` panics here, or has changed, would stand in the way for ever.
        self.is_whole = false;
        let removed = self.entries.pop_lru();
        self.is_whole = true;
        self.weight_bytes -= removed.as_ref().map_or(0, |(_, slot)| slot.weight_bytes);
        removed
    }

    /// Takes out all that has expired, and keeps the order of the others. Looks at every entry,
    /// and puts those that stay in anew if one has to go. `tag` is entered by the caller.
    pub(super) fn remove_expired(&mut self, tag: &TagHandle, now: Nanos, out: &mut Removed<K, V>) {
        let mut has_expired = false;
        let mut earliest = NEVER;
        for (_, slot) in self.entries.iter() {
            if slot.is_expired(now) {
                has_expired = true;
            } else {
                earliest = earliest.min(slot.expires_at);
            }
        }
        if has_expired {
            for _ in 0..self.len() {
                let Some((key, slot)) = self.remove_oldest() else { break };
                if slot.is_expired(now) {
                    out.push((key, slot));
                } else {
                    self.push(tag, key, slot);
                }
            }
        }
        self.earliest_expiry = earliest;
    }

    /// Gives the map's spare memory back once half of what it was made for is gone: by then as
    /// many entries have left as are to be placed anew. `tag` is entered by the caller.
    pub(super) fn shrink_if_half_empty(&mut self, tag: &TagHandle) {
        /// A smaller map is not worth the trouble, unless it is empty.
        const WORTH_SHRINKING: usize = 32;
        let len = self.len();
        if len > self.peak_len / 2 || (len > 0 && self.peak_len < WORTH_SHRINKING) {
            return;
        }
        // Each new bound has the map made to fit; none of these is ever reached.
        let other_bound = match self.entries.cap() {
            NonZeroUsize::MAX => NonZeroUsize::MAX.get() - 1,
            _ => usize::MAX,
        };
        let Some(other_bound) = NonZeroUsize::new(other_bound) else { return };
        let ((), kept_bytes) = self.change(tag, |entries| entries.resize(other_bound));
        self.map_bytes = self.map_bytes.saturating_add_signed(kept_bytes);
        self.peak_len = len;
    }

    /// Runs a change that moves entries about, and measures what it kept.
    fn change<T>(
        &mut self,
        tag: &TagHandle,
        change: impl FnOnce(&mut LruCache<K, Slot<V>>) -> T,
    ) -> (T, i64) {
        self.is_whole = false;
        let changed = kept(tag, || change(&mut self.entries));
        self.is_whole = true;
        changed
    }

    /// All entries, oldest first.
    pub(super) fn into_entries(self) -> impl Iterator<Item = (K, Slot<V>)> {
        self.entries.into_iter()
    }
}

impl<K, V> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("weight_bytes", &self.weight_bytes)
            .field("map_bytes", &self.map_bytes)
            .finish_non_exhaustive()
    }
}
