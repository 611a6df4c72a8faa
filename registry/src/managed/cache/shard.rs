//! [`Shard`]: a part of a cache under a lock of its own.

use std::borrow::Borrow;
use std::hash::Hash;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::books::{Books, Held};
use super::stats::Counts;
use super::table::{Nanos, Removed, Slot, Table};
use crate::managed::weigh::attribute;
use crate::try_lock::{try_lock, try_lock_briefly};

/// Entries, and counts of what happened to them.
#[derive(Debug)]
pub(super) struct Shard<K, V> {
    state: Mutex<State<K, V>>,
}

#[derive(Debug)]
pub(super) struct State<K, V> {
    pub(super) table: Table<K, V>,
    pub(super) counts: Counts,
    /// What the books have of it.
    noted: Held,
}

/// Something is in the way of a look-up that takes more than looking.
#[derive(Debug, Clone, Copy)]
pub(super) struct PutRight;

/// Why entries leave, as far as the shard does not see it by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// For want of room.
    Room,
    /// Asked for memory.
    Purge,
}

/// How far a shard goes to make room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Entries that stay.
    pub(super) down_to: usize,
    /// Entries that go at once, at most.
    pub(super) batch: usize,
    /// It stops below so many bytes.
    pub(super) floor_bytes: u64,
}

/// A shard that is locked. What it holds goes into the books when the lock is let go.
pub(super) struct Locked<'a, K: Hash + Eq, V> {
    state: MutexGuard<'a, State<K, V>>,
    books: &'a Books,
}

impl<K: Hash + Eq, V> Shard<K, V> {
    pub(super) fn new() -> Self {
        let state =
            State { table: Table::new(), counts: Counts::default(), noted: Held::default() };
        Self { state: Mutex::new(state) }
    }

    #[inline]
    pub(super) fn lock<'a>(&'a self, books: &'a Books) -> Locked<'a, K, V> {
        loop {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let locked = Locked { state, books };
            if locked.table.is_whole() {
                return locked;
            }
            locked.start_anew();
        }
    }

    /// Looks a key up, which is then the latest used; counted. `Err` where something has to be put
    /// right first: the entry has expired, or the table is broken. What a hit costs is all there
    /// is to it: nothing comes, goes or has to be noted.
    #[inline]
    pub(super) fn find<Q>(&self, key: &Q, now: Nanos) -> Result<Option<V>, PutRight>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        if !state.table.is_whole() {
            return Err(PutRight);
        }
        match state.table.get(key) {
            Some(slot) if slot.is_expired(now) => Err(PutRight),
            Some(slot) => {
                let value = slot.value.clone();
                state.counts.hits += 1;
                Ok(Some(value))
            }
            None => {
                state.counts.misses += 1;
                Ok(None)
            }
        }
    }

    /// Look-ups that hit and that missed; `None` if someone holds the lock for long.
    pub(super) fn try_lookups(&self) -> Option<(u64, u64)> {
        try_lock_briefly(&self.state).map(|state| (state.counts.hits, state.counts.misses))
    }

    /// `None` if someone holds the lock.
    pub(super) fn try_lock<'a>(&'a self, books: &'a Books) -> Option<Locked<'a, K, V>> {
        loop {
            let state = try_lock(&self.state)?;
            let locked = Locked { state, books };
            if locked.table.is_whole() {
                return Some(locked);
            }
            locked.start_anew();
        }
    }
}

impl<'a, K: Hash + Eq, V> Locked<'a, K, V> {
    /// A table that a panicking key has left half changed is dropped, and the next try finds an
    /// empty one.
    #[cold]
    fn start_anew(mut self) {
        let broken = self.take_table();
        self.counts.evicted += broken.len() as u64;
        drop(self);
        drop(broken);
    }

    /// Has the books know what is held now.
    fn note(&mut self) {
        let now = self.state.held();
        let before = self.state.noted;
        if now != before {
            self.books.note(before, now);
            attribute(&self.books.tag, now.bytes.wrapping_sub(before.bytes) as i64);
            self.state.noted = now;
        }
    }

    /// Puts an entry in as the latest used. Answers the slot that it replaces, with the key that
    /// was not needed.
    pub(super) fn insert(&mut self, key: K, slot: Slot<V>, now: Nanos) -> Option<(K, Slot<V>)> {
        let state = &mut *self.state;
        let replaced = state.table.push(&self.books.tag, key, slot);
        state.counts.inserted += 1;
        match &replaced {
            Some((_, old)) if old.is_expired(now) => state.counts.expired += 1,
            Some(_) => state.counts.replaced += 1,
            None => {}
        }
        replaced
    }

    /// Takes an entry out, to be counted as removed unless it has expired.
    pub(super) fn remove<Q>(&mut self, key: &Q, now: Nanos) -> Option<(K, Slot<V>)>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let removed = self.table.remove(key)?;
        if removed.1.is_expired(now) {
            self.counts.expired += 1;
        } else {
            self.counts.removed += 1;
        }
        Some(removed)
    }

    /// Takes out the oldest while the cache is over a bound and `room` allows it.
    pub(super) fn make_room(&mut self, room: Room, now: Nanos, out: &mut Removed<K, V>) {
        let len_before = self.table.len();
        let down_to = room.down_to.max(len_before.saturating_sub(room.batch));
        while self.table.len() > down_to
            && self.books.is_over_with(self.state.noted, self.state.held())
            && self.bytes() >= room.floor_bytes
            && self.evict_oldest(Cause::Room, now, out)
        {}
        if self.table.len() < len_before {
            self.shrink();
        }
    }

    /// Takes out the oldest until `target_bytes` are freed, `max_entries` at most. Answers what
    /// was freed, of the table too.
    pub(super) fn evict(
        &mut self,
        target_bytes: u64,
        max_entries: usize,
        now: Nanos,
        out: &mut Removed<K, V>,
    ) -> u64 {
        let before = self.state.held().bytes;
        for _ in 0..max_entries {
            if before.saturating_sub(self.state.held().bytes) >= target_bytes {
                break;
            }
            if !self.evict_oldest(Cause::Purge, now, out) {
                break;
            }
        }
        self.shrink();
        before.saturating_sub(self.state.held().bytes)
    }

    fn evict_oldest(&mut self, cause: Cause, now: Nanos, out: &mut Removed<K, V>) -> bool {
        let Some(oldest) = self.table.remove_oldest() else {
            return false;
        };
        match cause {
            _ if oldest.1.is_expired(now) => self.counts.expired += 1,
            Cause::Room => self.counts.evicted += 1,
            Cause::Purge => self.counts.purged += 1,
        }
        out.push(oldest);
        true
    }

    fn shrink(&mut self) {
        let tag = &self.books.tag;
        self.state.table.shrink_if_half_empty(tag);
        self.note();
    }

    /// Takes out what has expired, if anything can have. Answers what that freed.
    pub(super) fn remove_expired(&mut self, now: Nanos, out: &mut Removed<K, V>) -> u64 {
        if !self.table.may_have_expired(now) {
            return 0;
        }
        let (before, len_before) = (self.state.held().bytes, out.len());
        let tag = &self.books.tag;
        self.state.table.remove_expired(tag, now, out);
        self.counts.expired += (out.len() - len_before) as u64;
        self.shrink();
        before.saturating_sub(self.state.held().bytes)
    }

    /// Takes everything, the tables included.
    pub(super) fn take_table(&mut self) -> Table<K, V> {
        let table = std::mem::replace(&mut self.table, Table::new());
        self.note();
        table
    }

    /// What it holds, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.state.held().bytes
    }
}

impl<K: Hash + Eq, V> State<K, V> {
    fn held(&self) -> Held {
        let table = &self.table;
        Held { entries: table.len(), bytes: table.weight_bytes() + table.table_bytes() }
    }
}

impl<K: Hash + Eq, V> Deref for Locked<'_, K, V> {
    type Target = State<K, V>;

    fn deref(&self) -> &State<K, V> {
        &self.state
    }
}

impl<K: Hash + Eq, V> DerefMut for Locked<'_, K, V> {
    fn deref_mut(&mut self) -> &mut State<K, V> {
        &mut self.state
    }
}

impl<K: Hash + Eq, V> Drop for Locked<'_, K, V> {
    fn drop(&mut self) {
        self.note();
    }
}
