//! What the cache is compared with: `lru` behind locks, and nothing more.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::{DefaultHasher, LruCache};

use super::Value;

/// As many as [`Cache`](bursar::Cache) has.
const SHARDS: usize = 16;

/// Least recently used out first, in each of as many shards as the cache has.
#[derive(Debug)]
pub(super) struct ShardedLru {
    shards: Box<[Mutex<LruCache<u64, Value>>]>,
    hasher: DefaultHasher,
}

impl ShardedLru {
    pub(super) fn unbounded() -> Self {
        Self::of(LruCache::unbounded)
    }

    /// At least so many entries fit, if they fall to the shards evenly.
    pub(super) fn bounded(max_entries: NonZeroUsize) -> Self {
        let of_a_shard = NonZeroUsize::MIN.saturating_add((max_entries.get() - 1) / SHARDS);
        Self::of(|| LruCache::new(of_a_shard))
    }

    fn of(shard: impl Fn() -> LruCache<u64, Value>) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(shard())).collect();
        Self { shards, hasher: DefaultHasher::default() }
    }

    fn shard(&self, key: &u64) -> &Mutex<LruCache<u64, Value>> {
        // One process in some fifty has a hasher whose low bits spread consecutive numbers badly;
        // the high bits of the product have something of all bits in them.
        let mixed = self.hasher.hash_one(key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
        &self.shards[mixed as usize % SHARDS]
    }

    pub(super) fn get(&self, key: &u64) -> Option<Value> {
        self.shard(key).lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Puts a value in. What it pushes out is dropped with no lock held, as the cache does it.
    pub(super) fn insert(&self, key: u64, value: Value) {
        let mut shard = self.shard(&key).lock().unwrap_or_else(PoisonError::into_inner);
        let out = shard.push(key, value);
        drop(shard);
        drop(out);
    }

    pub(super) fn len(&self) -> usize {
        let len = |shard: &Mutex<LruCache<_, _>>| {
            shard.lock().unwrap_or_else(PoisonError::into_inner).len()
        };
        self.shards.iter().map(len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_last_is_found_and_what_has_no_room_is_not() {
        let bounded = ShardedLru::bounded(NonZeroUsize::new(100).unwrap());
        for key in 0..10_000 {
            bounded.insert(key, Value::from([1, 2]));
            assert_eq!(bounded.get(&key).as_deref(), Some([1, 2].as_slice()));
        }
        // Seven in each shard.
        assert_eq!(bounded.len(), 7 * SHARDS);
        assert_eq!(bounded.get(&0), None);
    }

    #[test]
    fn an_unbounded_one_keeps_everything() {
        let unbounded = ShardedLru::unbounded();
        (0..1000).for_each(|key| unbounded.insert(key, Value::from([3])));
        assert!((0..1000).all(|key| unbounded.get(&key).is_some()));
        assert_eq!(unbounded.len(), 1000);
    }
}
