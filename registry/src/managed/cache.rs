//! [`Cache`]: a sharded cache, least recently used out first, that weighs its entries itself.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::marker::PhantomData;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bursar_alloc::Tag;

use super::shard::{Found, Inserted, Removed, Shard, Slot};
use super::weigh::weigh;
use crate::error::Error;
use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable};
use crate::registry::Entry;

/// A cache whose bytes are counted under a tag, and that gives up its oldest entries when the
/// [`Bursar`](crate::Bursar) it is registered with asks.
///
/// Unbounded by default: the budget is the bound. Clones share the content. Values are handed
/// out as clones, so make them cheap to clone: an `Arc`, or `Bytes`.
///
/// A value that [`get_or_insert_with`](Self::get_or_insert_with) builds is weighed by what its
/// building left allocated under the cache's tag. One that is handed in by
/// [`insert`](Self::insert) weighs what `size_of` says and the cache's own node: its heap bytes
/// are those of the tag that it was made under.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{Cache, Tag};
///
/// static PAGES: Tag = Tag::new("pages");
///
/// let pages: Cache<&str, Arc<str>> = Cache::new(&PAGES);
/// let page = pages.get_or_insert_with("/", || "<h1>hello</h1>".into());
/// assert_eq!(pages.get(&"/"), Some(page));
/// assert_eq!(pages.stats().hits_total, 1);
/// ```
pub struct Cache<K: Hash + Eq, V> {
    inner: Arc<Inner<K, V>>,
}

struct Inner<K: Hash + Eq, V> {
    tag: &'static Tag,
    shards: Box<[Shard<K, V>]>,
    hasher: RandomState,
    time_to_live: Option<Duration>,
    counters: Counters,
}

#[derive(Debug, Default)]
struct Counters {
    hits: AtomicU64,
    misses: AtomicU64,
    evicted: AtomicU64,
    expired: AtomicU64,
}

/// Most shards a cache has; fewer when it is bounded to fewer entries.
const SHARDS: usize = 16;

/// What a cache holds and has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CacheStats {
    /// Entries held, expired ones that nobody looked up included.
    pub entries: usize,
    /// What the entries weigh; shards that are locked at this moment are left out.
    pub weight_bytes: u64,
    /// Look-ups that found a value.
    pub hits_total: u64,
    /// Look-ups that found none.
    pub misses_total: u64,
    /// Entries dropped for want of room, or when asked for memory.
    pub evicted_total: u64,
    /// Entries dropped since their time was up.
    pub expired_total: u64,
}

impl CacheStats {
    /// The share of look-ups that found a value; 0 before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> f64 {
        let lookups = self.hits_total + self.misses_total;
        if lookups == 0 { 0.0 } else { self.hits_total as f64 / lookups as f64 }
    }
}

/// Settings of a [`Cache`] to be.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bursar::{Cache, Tag};
///
/// static SESSIONS: Tag = Tag::new("sessions");
///
/// let sessions: Cache<u64, String> = Cache::builder(&SESSIONS)
///     .max_entries(10_000)
///     .time_to_live(Duration::from_secs(600))
///     .build()?;
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "no cache is made before `build`"]
pub struct CacheBuilder<K, V> {
    tag: &'static Tag,
    max_entries: Option<usize>,
    time_to_live: Option<Duration>,
    _of: PhantomData<fn(K) -> V>,
}

impl<K: Hash + Eq, V> CacheBuilder<K, V> {
    /// Bounds the entries: at least so many fit, rounded up to the same number in each shard.
    pub fn max_entries(self, max_entries: usize) -> Self {
        Self { max_entries: Some(max_entries), ..self }
    }

    /// Drops an entry when it is looked up later than this after it was put in.
    pub fn time_to_live(self, time_to_live: Duration) -> Self {
        Self { time_to_live: Some(time_to_live), ..self }
    }

    /// Makes the cache.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] if it is bounded to no entries, or to no time.
    pub fn build(self) -> Result<Cache<K, V>, Error> {
        let refuse = |name, given| Error::InvalidSetting { name, given, allowed: "above zero" };
        if self.max_entries == Some(0) {
            return Err(refuse("max_entries", "0".to_owned()));
        }
        if self.time_to_live == Some(Duration::ZERO) {
            return Err(refuse("time_to_live", "0s".to_owned()));
        }
        let shards = self.max_entries.map_or(SHARDS, |max| max.min(SHARDS));
        let max_entries = self.max_entries.and_then(|max| NonZeroUsize::new(max.div_ceil(shards)));
        let inner = self.tag.scope(|| Inner {
            tag: self.tag,
            shards: (0..shards).map(|_| Shard::new(max_entries)).collect(),
            hasher: RandomState::new(),
            time_to_live: self.time_to_live,
            counters: Counters::default(),
        });
        Ok(Cache { inner: Arc::new(inner) })
    }
}

impl<K: Hash + Eq, V> Cache<K, V> {
    /// An unbounded cache under `tag`, registered under the tag's name.
    #[must_use]
    pub fn new(tag: &'static Tag) -> Self {
        match Self::builder(tag).build() {
            Ok(cache) => cache,
            Err(_) => unreachable!("no setting was given that could be refused"),
        }
    }

    /// Begins to build a cache with bounds.
    pub fn builder(tag: &'static Tag) -> CacheBuilder<K, V> {
        CacheBuilder { tag, max_entries: None, time_to_live: None, _of: PhantomData }
    }

    /// The tag that the cache's bytes are charged to.
    #[must_use]
    pub fn tag(&self) -> &'static Tag {
        self.inner.tag
    }

    /// The value of `key`, which is then the latest used.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<V>
    where
        V: Clone,
    {
        let counters = &self.inner.counters;
        match self.inner.shard(key).get(key) {
            Found::Live(value) => {
                counters.hits.fetch_add(1, Ordering::Relaxed);
                return Some(value);
            }
            Found::Expired(removed) => {
                counters.expired.fetch_add(removed.len() as u64, Ordering::Relaxed);
            }
            Found::Nothing => {}
        }
        counters.misses.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// The value of `key`, built by `load` under the cache's tag if there is none.
    ///
    /// No lock is held while `load` runs. Two threads that miss the same key at once both load
    /// it, and the later value stays.
    pub fn get_or_insert_with(&self, key: K, load: impl FnOnce() -> V) -> V
    where
        V: Clone,
    {
        if let Some(value) = self.get(&key) {
            return value;
        }
        let _tag = self.inner.tag.enter();
        let (value, weight_bytes) = weigh(&self.inner.tag.into(), load);
        self.inner.insert(key, value.clone(), weight_bytes);
        value
    }

    /// Puts a value in, as the latest used. Returns the one it replaces.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        let _tag = self.inner.tag.enter();
        self.inner.insert(key, value, 0)
    }

    /// Takes a value out.
    pub fn remove(&self, key: &K) -> Option<V> {
        self.inner.shard(key).remove(key).pop().map(|(_, slot)| slot.value)
    }

    /// Drops every entry.
    pub fn clear(&self) {
        let _tag = self.inner.tag.enter();
        self.inner.shards.iter().for_each(Shard::clear);
    }

    /// What it holds and has seen.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let inner = &*self.inner;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            entries: inner.shards.iter().map(Shard::len).sum(),
            weight_bytes: inner.shards.iter().filter_map(Shard::try_weight_bytes).sum(),
            hits_total: read(&inner.counters.hits),
            misses_total: read(&inner.counters.misses),
            evicted_total: read(&inner.counters.evicted),
            expired_total: read(&inner.counters.expired),
        }
    }
}

impl<K: Hash + Eq, V> Inner<K, V> {
    fn shard(&self, key: &K) -> &Shard<K, V> {
        let hash = self.hasher.hash_one(key);
        &self.shards[(hash % self.shards.len() as u64) as usize]
    }

    /// Inserts a value whose heap weighs `heap_bytes`. The tag is entered by the caller.
    fn insert(&self, key: K, value: V, heap_bytes: u64) -> Option<V> {
        let weight_bytes = heap_bytes + Self::NODE_BYTES;
        let slot = Slot::new(value, weight_bytes, self.time_to_live);
        match self.shard(&key).insert(key, slot) {
            Inserted::Added => None,
            Inserted::Replaced(value) => Some(value),
            Inserted::PushedOut(entry) => {
                self.counters.evicted.fetch_add(1, Ordering::Relaxed);
                drop(entry);
                None
            }
        }
    }

    /// An entry's node: key, slot and two links.
    const NODE_BYTES: u64 = (size_of::<K>() + size_of::<Slot<V>>() + 2 * size_of::<usize>()) as u64;

    /// Drops what was evicted, with no lock held; answers its weight.
    fn drop_evicted(&self, removed: Removed<K, V>) -> u64 {
        self.counters.evicted.fetch_add(removed.len() as u64, Ordering::Relaxed);
        removed.iter().map(|(_, slot)| slot.weight_bytes).sum()
    }

    /// Takes the oldest of each shard in turn, a batch at a time, so that the shards stay
    /// equally old. Past the deadline it takes no more.
    fn evict(&self, target_bytes: u64, deadline: Option<Instant>) -> PurgeOutcome {
        let shards = self.shards.len() as u64;
        let is_late = || deadline.is_some_and(|at| Instant::now() >= at);
        let mut freed_bytes = 0;
        let mut is_busy = false;
        while freed_bytes < target_bytes && !is_late() {
            let batch_bytes = (target_bytes - freed_bytes).div_ceil(shards);
            let freed_before = freed_bytes;
            for shard in &self.shards {
                if freed_bytes >= target_bytes || is_late() {
                    break;
                }
                match shard.try_evict(batch_bytes) {
                    Some(removed) => freed_bytes += self.drop_evicted(removed),
                    None => is_busy = true,
                }
            }
            if freed_bytes == freed_before {
                break;
            }
        }
        outcome(freed_bytes, is_busy || is_late())
    }

    /// Takes everything, tables included.
    fn evict_all(&self) -> PurgeOutcome {
        let mut freed_bytes = 0;
        let mut is_busy = false;
        for shard in &self.shards {
            match shard.try_clear() {
                Some(cleared) => {
                    self.counters.evicted.fetch_add(cleared.len as u64, Ordering::Relaxed);
                    freed_bytes += cleared.weight_bytes;
                }
                None => is_busy = true,
            }
        }
        outcome(freed_bytes, is_busy)
    }
}

fn outcome(freed_bytes: u64, is_busy: bool) -> PurgeOutcome {
    match (freed_bytes, is_busy) {
        (0, true) => PurgeOutcome::Busy,
        (0, false) => PurgeOutcome::Empty,
        (bytes, _) => PurgeOutcome::Freed(bytes),
    }
}

impl<K: Hash + Eq + Send, V: Send> Purgeable for Inner<K, V> {
    fn purgeable_bytes(&self) -> u64 {
        self.shards.iter().filter_map(Shard::try_weight_bytes).sum()
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let _tag = self.tag.enter();
        match request.target_bytes {
            u64::MAX => self.evict_all(),
            target_bytes => self.evict(target_bytes, request.deadline),
        }
    }
}

/// Registers the cache under its tag's name, and asks it for as long as a clone of it lives.
impl<K, V> From<&Cache<K, V>> for Entry
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
{
    fn from(cache: &Cache<K, V>) -> Self {
        let weak = Arc::downgrade(&cache.inner);
        Entry::new(cache.tag().name(), Arc::new(weak)).tag(cache.tag())
    }
}

impl<K: Hash + Eq, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: Hash + Eq, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("tag", &self.inner.tag.name())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
