//! [`WeakCache`]: values that live as long as someone uses them, found by key.

mod builder;
mod shard;
mod stats;

use std::borrow::{Borrow, Cow};
use std::convert::Infallible;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Weak};

use bursar_alloc::TagHandle;
use lru::DefaultHasher;

use self::builder::{check_max_entries, shares};
use self::shard::Shard;
use super::spread::part_of;
use super::weigh::freed;
use crate::error::Error;
use crate::purge::{Bounds, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures, RebuildCost};
use crate::registry::Entry;

pub use self::builder::WeakCacheBuilder;
pub use self::stats::WeakCacheStats;

/// Finds values by key as long as somebody else holds them: what is shared is built once, and
/// goes when its last user lets go.
///
/// It holds [`Weak`] handles, the least recently used out first, up to a bound on their number.
/// Clones share the content.
///
/// # Dead entries
///
/// When the last user of a value lets go, its destructor runs, but the allocation that the `Arc`
/// made for it, `size_of::<V>()` and two counts, stays until the entry goes. Entries go when a
/// look-up finds them dead, when a [`sweep`](Self::sweep) does, and by themselves: as soon as
/// as many entries were put in as lived at the last sweep, and, when the cache is full, before
/// live ones are pushed out (looked for once in a quarter of the bound's insertions).
///
/// # Purges
///
/// A purge sweeps and gives the tables' spare memory back. It never drops the entry of a live
/// value: the value would stay, and be built a second time. What a purge could free is estimated
/// from the sixteen entries of each shard that were used last and first.
///
/// # Your code under a lock
///
/// Keys are hashed and compared under the lock of one shard: `Hash` and `Eq` must not use the
/// cache. Values are built, and keys and values dropped, with no lock held.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{Registry, Tag, WeakCache};
///
/// static SCHEMAS: Tag = Tag::new("schemas");
///
/// let schemas: WeakCache<String, Vec<u8>> = WeakCache::new(&SCHEMAS);
/// # let bursar = Registry::default();
/// let _registration = bursar.register(&schemas)?;
///
/// let mine = schemas.get_or_insert_with("users".to_owned(), || vec![1, 2, 3]);
/// let yours = schemas.get("users").ok_or("somebody holds it")?;
/// assert!(Arc::ptr_eq(&mine, &yours));
///
/// drop((mine, yours));
/// assert!(schemas.get("users").is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WeakCache<K: Hash + Eq, V> {
    inner: Arc<Inner<K, V>>,
}

struct Inner<K: Hash + Eq, V> {
    tag: TagHandle,
    name: Cow<'static, str>,
    shards: Box<[Shard<K, V>]>,
    hasher: DefaultHasher,
}

impl<K: Hash + Eq, V> WeakCache<K, V> {
    /// A cache of up to 10,000 entries under `tag`, registered under the tag's name.
    #[must_use]
    pub fn new(tag: impl Into<TagHandle>) -> Self {
        match Self::builder(tag).build() {
            Ok(cache) => cache,
            Err(_) => unreachable!("no setting was given that could be refused"),
        }
    }

    /// Begins to build a cache with another bound or a name of its own.
    pub fn builder(tag: impl Into<TagHandle>) -> WeakCacheBuilder<K, V> {
        WeakCacheBuilder::new(tag.into())
    }

    /// The tag that the cache's bytes, and those of values built by it, are charged to.
    #[must_use]
    pub fn tag(&self) -> &TagHandle {
        &self.inner.tag
    }

    /// The value of `key` if somebody holds it. Its entry is then the latest used.
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.shard(key).get(key)
    }

    /// The value of `key`, built by `make` under the cache's tag if nobody holds one.
    ///
    /// No lock is held while `make` runs. Of threads that miss the same key at once each builds
    /// one; the first to finish is put in, and all get that one.
    ///
    /// # Panics
    ///
    /// Where `make` does; the cache is as it was.
    pub fn get_or_insert_with(&self, key: K, make: impl FnOnce() -> V) -> Arc<V> {
        match self.try_get_or_insert_with(key, || Ok::<V, Infallible>(make())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_insert_with`](Self::get_or_insert_with), for a `make` that may fail.
    ///
    /// # Errors
    ///
    /// What `make` says; nothing is put in then.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{Tag, WeakCache};
    ///
    /// static NUMBERS: Tag = Tag::new("numbers");
    ///
    /// let numbers: WeakCache<&str, u32> = WeakCache::new(&NUMBERS);
    /// assert!(numbers.try_get_or_insert_with("seven", || "seven".parse()).is_err());
    /// assert_eq!(*numbers.try_get_or_insert_with("seven", || "7".parse())?, 7);
    /// # Ok::<(), std::num::ParseIntError>(())
    /// ```
    pub fn try_get_or_insert_with<E>(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<Arc<V>, E> {
        let shard = self.inner.shard(&key);
        if let Some(value) = shard.get(&key) {
            return Ok(value);
        }
        let _tag = self.inner.tag.enter();
        let value = Arc::new(make()?);
        Ok(shard.insert_first(key, value))
    }

    /// Puts in a value that somebody holds, instead of one that was there, as the latest used.
    pub fn insert(&self, key: K, value: &Arc<V>) {
        let _tag = self.inner.tag.enter();
        self.inner.shard(&key).insert(key, value);
    }

    /// Takes an entry out. Answers its value if somebody holds it.
    pub fn remove<Q>(&self, key: &Q) -> Option<Arc<V>>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.shard(key).remove(key)
    }

    /// Drops every entry; values stay with those who hold them.
    pub fn clear(&self) {
        let _tag = self.inner.tag.enter();
        self.inner.shards.iter().for_each(Shard::clear);
    }

    /// Drops the entries whose values are gone, and the memory that they took. Answers how many.
    ///
    /// Costs a look at every entry, and where some are gone a hash of every key, under one
    /// shard's lock after the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{Tag, WeakCache};
    ///
    /// static FONTS: Tag = Tag::new("fonts");
    ///
    /// let fonts: WeakCache<&str, Vec<u8>> = WeakCache::new(&FONTS);
    /// let held = fonts.get_or_insert_with("serif", || vec![0; 100]);
    /// drop(fonts.get_or_insert_with("mono", || vec![0; 100]));
    /// assert_eq!(fonts.sweep(), 1);
    /// assert_eq!(fonts.len(), 1);
    /// # drop(held);
    /// ```
    pub fn sweep(&self) -> usize {
        let _tag = self.inner.tag.enter();
        self.inner.shards.iter().map(Shard::sweep).sum()
    }

    /// How many entries there are, live and dead.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.shards.iter().map(Shard::len).sum()
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The live entries, shard by shard, in each the latest used first. Their order of use stays.
    ///
    /// Keys are cloned under the lock of their shard: their `Clone` must not use the cache.
    #[must_use]
    pub fn snapshot(&self) -> Vec<(K, Arc<V>)>
    where
        K: Clone,
    {
        let mut live = Vec::new();
        self.inner.shards.iter().for_each(|shard| shard.snapshot(&mut live));
        live
    }

    /// Bounds the entries from now on; what is too many goes at once, dead ones first, then the
    /// least recently used. At least one stays in each of the cache's up to 16 shards.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] if it is none.
    pub fn set_max_entries(&self, max_entries: usize) -> Result<(), Error> {
        check_max_entries(max_entries)?;
        self.inner.set_max_entries(max_entries);
        Ok(())
    }

    /// What it holds and has seen.
    #[must_use]
    pub fn stats(&self) -> WeakCacheStats {
        let mut stats = WeakCacheStats::default();
        self.inner.shards.iter().for_each(|shard| stats.add(&shard.stats()));
        stats
    }
}

impl<K: Hash + Eq, V> Inner<K, V> {
    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &Shard<K, V> {
        &self.shards[part_of(self.hasher.hash_one(key), self.shards.len())]
    }

    fn set_max_entries(&self, max_entries: usize) {
        let _tag = self.tag.enter();
        for (shard, share) in self.shards.iter().zip(shares(max_entries, self.shards.len())) {
            shard.set_max_entries(share);
        }
    }

    /// What an entry takes in the table: key, handle, two links, and its place in the map.
    const NODE_BYTES: u64 = (size_of::<K>() + size_of::<Weak<V>>() + 4 * size_of::<usize>()) as u64;

    /// What a dead value leaves behind: its own size and two counts.
    const SHELL_BYTES: u64 = (size_of::<V>() + 2 * size_of::<usize>()) as u64;

    /// Sweeps a shard. Answers what that gave back to the tag, or else what it should have;
    /// `None` if someone holds its lock.
    fn try_sweep(&self, shard: &Shard<K, V>) -> Option<u64> {
        let (swept, freed_bytes) = freed(&self.tag, || shard.try_sweep());
        let swept = swept? as u64;
        Some(freed_bytes.unwrap_or(swept.saturating_mul(Self::NODE_BYTES)))
    }
}

impl<K: Hash + Eq + Send, V: Send + Sync> Purgeable for Inner<K, V> {
    fn purgeable_bytes(&self) -> u64 {
        let dead: u64 = self.shards.iter().filter_map(Shard::try_estimate_dead).sum();
        dead.saturating_mul(Self::NODE_BYTES + Self::SHELL_BYTES)
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let _tag = self.tag.enter();
        let mut freed_bytes = 0u64;
        let mut is_busy = false;
        for shard in &self.shards {
            if freed_bytes >= request.target_bytes {
                break;
            }
            if request.is_late() {
                is_busy = true;
                break;
            }
            match self.try_sweep(shard) {
                Some(bytes) => freed_bytes = freed_bytes.saturating_add(bytes),
                None => is_busy = true,
            }
        }
        PurgeOutcome::of(freed_bytes, is_busy)
    }

    /// Entries live and dead. Nothing is known while someone holds a shard's lock for long.
    fn figures(&self) -> PurgeableFigures {
        let stats = self.shards.iter().try_fold(WeakCacheStats::default(), |mut sum, shard| {
            sum.add(&shard.try_stats()?);
            Some(sum)
        });
        PurgeableFigures {
            entries: stats.map(|stats| stats.entries as u64),
            hits_total: stats.map(|stats| stats.hits_total),
            misses_total: stats.map(|stats| stats.misses_total),
        }
    }

    /// It has no bound in bytes: those are for the values' holders to answer. A bound of no
    /// entries is taken as one.
    fn set_bounds(&self, bounds: &Bounds) -> bool {
        if bounds.max_bytes.is_some() {
            return false;
        }
        if let Some(max_entries) = bounds.max_entries {
            self.set_max_entries(max_entries.max(1));
        }
        true
    }
}

/// Registers the cache under its name, as cheap to purge, and asks it for as long as a clone of
/// it lives.
impl<K, V> From<&WeakCache<K, V>> for Entry
where
    K: Hash + Eq + Send + 'static,
    V: Send + Sync + 'static,
{
    fn from(cache: &WeakCache<K, V>) -> Self {
        let weak = Arc::downgrade(&cache.inner);
        Entry::new(cache.inner.name.clone(), Arc::new(weak))
            .tag(cache.tag())
            .rebuild_cost(RebuildCost::Low)
    }
}

impl<K: Hash + Eq, V> Clone for WeakCache<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: Hash + Eq, V> fmt::Debug for WeakCache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakCache")
            .field("name", &self.inner.name)
            .field("tag", &self.inner.tag.name())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
