//! [`Inner`]: what the clones of a cache share, and how it stays within its bounds.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_utils::CachePadded;

use super::books::Books;
use super::flight::Flights;
use super::shard::{PutRight, Room, Shard};
use super::table::{NEVER, Nanos, Removed, Slot, Table};
use crate::clock::Clock;
use crate::contain::drop_each_then_panic;
use crate::managed::spread::part_of;

/// What tells the weight of a value that was made elsewhere.
pub(super) type Weigher<K, V> = Box<dyn Fn(&K, &V) -> u64 + Send + Sync>;

pub(super) struct Inner<K, V> {
    pub(super) name: String,
    pub(super) books: Books,
    pub(super) parts: Box<[CachePadded<Part<K, V>>]>,
    /// What the parts themselves take up under the tag.
    pub(super) fixed_bytes: u64,
    pub(super) hasher: lru::DefaultHasher,
    pub(super) expiry: Option<Expiry>,
    pub(super) weigher: Option<Weigher<K, V>>,
    /// Whose turn it is to make room for others.
    pub(super) turn: AtomicUsize,
}

/// One of the parts that keys are spread over.
#[derive(Debug)]
pub(super) struct Part<K, V> {
    pub(super) shard: Shard<K, V>,
    pub(super) flights: Flights<K, V>,
}

/// How long entries live, and by which clock.
#[derive(Debug)]
pub(super) struct Expiry {
    pub(super) time_to_live: Duration,
    pub(super) clock: Arc<dyn Clock>,
}

/// A value to be put in.
pub(super) struct Incoming<V> {
    pub(super) value: V,
    pub(super) weight_bytes: u64,
    pub(super) is_loaded: bool,
}

/// An entry that another took the place of, and all that had to leave for it.
pub(super) struct Stored<K, V> {
    pub(super) replaced: Option<(K, Slot<V>)>,
    pub(super) out: Removed<K, V>,
}

/// Entries that a shard gives up at once for room in another's.
const ROOM_BATCH: usize = 8;

impl<K: Hash + Eq, V> Inner<K, V> {
    pub(super) fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        self.hasher.hash_one(key)
    }

    fn index(&self, hash: u64) -> usize {
        part_of(hash, self.parts.len())
    }

    pub(super) fn part(&self, hash: u64) -> &Part<K, V> {
        &self.parts[self.index(hash)]
    }

    pub(super) fn shards(&self) -> impl Iterator<Item = &Shard<K, V>> {
        self.parts.iter().map(|part| &part.shard)
    }

    /// The clock's time; it is not read if nothing expires.
    pub(super) fn now(&self) -> Nanos {
        self.expiry.as_ref().map_or(0, |expiry| nanos(expiry.clock.now()))
    }

    /// The live value of `key`, which is then the latest used; counted.
    pub(super) fn get<Q>(&self, hash: u64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        let now = self.now();
        let shard = &self.part(hash).shard;
        shard.find(key, now).unwrap_or_else(|PutRight| {
            self.put_right(shard, key, now);
            None
        })
    }

    /// Has a look-up that found an expired entry, or a broken table, end as a miss.
    #[cold]
    fn put_right<Q>(&self, shard: &Shard<K, V>, key: &Q, now: Nanos)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut locked = shard.lock(&self.books);
        let is_expired = locked.table.peek(key).is_some_and(|slot| slot.is_expired(now));
        let expired = if is_expired { locked.remove(key, now) } else { None };
        locked.counts.misses += 1;
        drop(locked);
        drop(expired);
    }

    /// What `look` sees of the live value of `key`, which keeps its place; not counted.
    pub(super) fn peek<Q, T>(&self, hash: u64, key: &Q, look: impl FnOnce(&V) -> T) -> Option<T>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let now = self.now();
        let locked = self.part(hash).shard.lock(&self.books);
        let slot = locked.table.peek(key).filter(|slot| !slot.is_expired(now))?;
        Some(look(&slot.value))
    }

    /// Puts a value in as the latest used, and makes room for it in its own shard. What leaves is
    /// handed out; [`settle`](Self::settle) is to be called when no lock is held.
    pub(super) fn store(&self, hash: u64, key: K, incoming: Incoming<V>) -> Stored<K, V> {
        let now = self.now();
        let expires_at = self
            .expiry
            .as_ref()
            .map_or(NEVER, |expiry| now.saturating_add(nanos(expiry.time_to_live)));
        let Incoming { value, weight_bytes, is_loaded } = incoming;
        let slot = Slot { value, weight_bytes, expires_at };
        let mut out = Removed::new();
        let _tag = self.books.tag.enter();
        let mut locked = self.part(hash).shard.lock(&self.books);
        locked.counts.loads += u64::from(is_loaded);
        let alone_bytes = weight_bytes.saturating_add(Table::<K, V>::NODE_BYTES);
        if alone_bytes > self.books.max_bytes() {
            locked.counts.rejected += 1;
            let replaced = locked.remove(&key, now);
            out.push((key, slot));
            return Stored { replaced, out };
        }
        let replaced = locked.insert(key, slot, now);
        // A shard that has little beside the new entry is spared, and the others asked: or the
        // entries beside a large one would all have to go.
        let half_a_share = self.books.bytes() / (2 * self.parts.len() as u64);
        let floor_bytes = half_a_share.saturating_add(alone_bytes);
        let room = Room { down_to: 1, batch: usize::MAX, floor_bytes };
        locked.make_room(room, now, &mut out);
        Stored { replaced, out }
    }

    /// Drops what had to leave for the value of `hash`, and has other shards make the room that
    /// its own could not. Answers the value that was replaced. No lock is held by the caller.
    pub(super) fn settle(&self, hash: u64, stored: Stored<K, V>) -> Option<V> {
        if self.books.is_over() {
            self.make_room(Some(self.index(hash)));
        }
        drop_each_then_panic(stored.out);
        let (_key, slot) = stored.replaced?;
        (!slot.is_expired(self.now())).then_some(slot.value)
    }

    /// Has all shards in turn give up their oldest until the cache is within its bounds. The one
    /// that has just been given an entry (`keeps_one`) keeps it, if it may stay at all.
    pub(super) fn make_room(&self, keeps_one: Option<usize>) {
        let down_to = |index| usize::from(Some(index) == keeps_one);
        let mut has_more = true;
        while has_more && self.books.is_over() {
            has_more = false;
            for _ in 0..self.parts.len() {
                let index = self.next_turn();
                let evicted = self.make_room_in(index, down_to(index), ROOM_BATCH);
                has_more |= evicted > 0;
                if !self.books.is_over() {
                    return;
                }
            }
        }
        if let Some(index) = keeps_one {
            self.make_room_in(index, 0, usize::MAX);
        }
    }

    /// Answers how many entries were evicted; they are dropped.
    fn make_room_in(&self, index: usize, down_to: usize, batch: usize) -> usize {
        let now = self.now();
        let mut out = Removed::new();
        {
            let _tag = self.books.tag.enter();
            let mut locked = self.parts[index].shard.lock(&self.books);
            locked.make_room(Room { down_to, batch, floor_bytes: 0 }, now, &mut out);
        }
        let evicted = out.len();
        drop_each_then_panic(out);
        evicted
    }

    /// The next shard in turn, for all who ask.
    pub(super) fn next_turn(&self) -> usize {
        // Relaxed: any shard will do.
        self.turn.fetch_add(1, Ordering::Relaxed) & (self.parts.len() - 1)
    }
}

fn nanos(duration: Duration) -> Nanos {
    Nanos::try_from(duration.as_nanos()).unwrap_or(NEVER)
}

impl<K, V> fmt::Debug for Inner<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").field("name", &self.name).finish_non_exhaustive()
    }
}
