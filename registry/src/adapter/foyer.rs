//! [`FoyerAdapter`]: foyer's in-memory cache.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use bursar_alloc::{TagHandle, tag_usage};
use foyer_memory::Cache;

use super::poll::poll_briefly;
use super::share::{self, Due, Evict, Evicted};
use crate::purge::{Bounds, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures};
use crate::registry::Entry;

/// Makes a `foyer::Cache` purgeable: foyer's in-memory cache, not the memory of a hybrid one.
///
/// Insert into the cache with the tag entered: what is charged to it, over the cache's usage, is
/// what a unit of its weight is taken to be, unless its weigher says bytes and
/// [`weighted_in_bytes`](Self::weighted_in_bytes) says so.
///
/// A purge takes its share evenly out of the table, not the oldest: foyer evicts by its own policy
/// only for a new capacity, and does that on threads that it starts for it, where nobody sees
/// whose memory they free. So the capacity stays as it is under pressure, and nothing is left to
/// come back after. The locks of shards are waited for; foyer holds them for the length of a
/// look-up or an insertion. An entry that someone holds is freed when he lets it go. Of a purge of
/// everything stay the tables, about 20 bytes for each of the most entries there were.
///
/// Of the bounds under its name, it has `max_bytes` if it is weighted in bytes, and otherwise
/// `max_entries`: the capacity.
///
/// The adapter holds a clone: foyer has no weak handle. The cache lives as long as its
/// registration, at least.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{FoyerAdapter, Registry, Tag};
/// // In a program: foyer::{Cache, CacheBuilder}.
/// use foyer_memory::{Cache, CacheBuilder};
///
/// static PAGES: Tag = Tag::new("pages");
///
/// let pages: Cache<u32, Arc<str>> = CacheBuilder::new(10_000).build();
/// let registry = Registry::default();
/// let _registration = registry.register(FoyerAdapter::new(&PAGES, &pages))?;
///
/// PAGES.scope(|| pages.insert(7, "<h1>hello</h1>".into()));
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "it does nothing before it is registered"]
pub struct FoyerAdapter<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    tag: TagHandle,
    cache: Cache<K, V, S>,
    is_in_bytes: bool,
}

impl<K, V, S> FoyerAdapter<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    /// For `cache`, whose bytes are charged to `tag`.
    pub fn new(tag: impl Into<TagHandle>, cache: &Cache<K, V, S>) -> Self {
        Self { tag: tag.into(), cache: cache.clone(), is_in_bytes: false }
    }

    /// The cache's weigher says how many bytes an entry keeps: they are what is claimed.
    pub fn weighted_in_bytes(self) -> Self {
        Self { is_in_bytes: true, ..self }
    }
}

impl<K, V, S> Purgeable for FoyerAdapter<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    fn purgeable_bytes(&self) -> u64 {
        match self.cache.usage() as u64 {
            0 => 0,
            bytes if self.is_in_bytes => bytes,
            _ => tag_usage(&self.tag).live_bytes,
        }
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        share::purge(&self.tag, request, self.is_in_bytes, &mut Thinning(&self.cache))
    }

    /// foyer tells of look-ups by a metrics registry of its own, if at all.
    fn figures(&self) -> PurgeableFigures {
        let entries = Some(self.cache.entries() as u64);
        PurgeableFigures { entries, ..PurgeableFigures::default() }
    }

    fn set_bounds(&self, bounds: &Bounds) -> bool {
        let max_bytes = bounds.max_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let (own, other) = match self.is_in_bytes {
            true => (max_bytes, bounds.max_entries),
            false => (bounds.max_entries, max_bytes),
        };
        if other.is_some() || own == Some(0) {
            return false;
        }
        let _tag = self.tag.enter();
        own.is_none_or(|capacity| self.cache.resize(capacity).is_ok())
    }
}

struct Thinning<'a, K, V, S>(&'a Cache<K, V, S>)
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static;

/// Entries looked at between two looks at the clock.
const BATCH: u64 = 64;

impl<K, V, S> Evict for Thinning<'_, K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    fn units(&self) -> u64 {
        self.0.usage() as u64
    }

    fn evict(&mut self, units: u64, due: &Due<'_>) -> Evicted {
        let usage = self.units();
        let share = units as f64 / usage.max(1) as f64;
        let (mut seen, mut gone) = (0u64, 0u64);
        let mut is_late = false;
        // Called under the lock of a shard: counts, and reads the clock now and then.
        let goes = |_: &K, _: &V| {
            seen += 1;
            is_late |= seen % BATCH == 0 && due.is_late();
            let takes = !is_late && (gone as f64) < seen as f64 * share;
            gone += u64::from(takes);
            takes
        };
        // Done at the first poll: there is no disk to write to.
        let done = poll_briefly(self.0.flush_if(goes));
        Evicted { units: usage.saturating_sub(self.units()), is_busy: done.is_none() }
    }

    /// `Cache::clear` would leave the usage as it was, and so the capacity taken.
    fn evict_all(&mut self, _: u64, due: &Due<'_>) -> Evicted {
        self.evict(u64::MAX, due)
    }
}

/// Registered under its tag's name.
impl<K, V, S> From<FoyerAdapter<K, V, S>> for Entry
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    fn from(adapter: FoyerAdapter<K, V, S>) -> Self {
        let tag = adapter.tag.clone();
        Entry::new(tag.name(), Arc::new(adapter)).tag(tag)
    }
}

impl<K, V, S> fmt::Debug for FoyerAdapter<K, V, S>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: BuildHasher + Send + Sync + 'static,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoyerAdapter")
            .field("tag", &self.tag.name())
            .field("is_in_bytes", &self.is_in_bytes)
            .finish_non_exhaustive()
    }
}
