//! [`QuickCacheAdapter`]: quick_cache's concurrent cache.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bursar_alloc::{TagHandle, tag_usage};
use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, Lifecycle, UnitWeighter, Weighter};

use super::share::{self, Due, Evict, Evicted};
use crate::purge::{Bounds, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures};
use crate::registry::Entry;

/// Makes a [`quick_cache::sync::Cache`] purgeable.
///
/// Insert into the cache with the tag entered: what is charged to it, over the cache's weight, is
/// what a unit of weight is taken to be, unless its weigher says bytes and
/// [`weighted_in_bytes`](Self::weighted_in_bytes) says so. Holds a [`Weak`]: a cache that is gone
/// has nothing to free.
///
/// A purge lowers the capacity below what the cache holds, and the cache evicts by its own policy
/// until it fits. It stays that low, so that the cache does not grow straight back, but never
/// below a sixteenth of what the cache held before the first purge. When pressure has passed the
/// whole capacity comes back at once: it is said only once, and the cache fills up no faster than
/// it is used. A capacity that is set by someone else meanwhile stays.
///
/// What it evicts, the cache drops with the lock of a shard held, but for the first two entries:
/// destructors must not use the cache. It waits for these locks, which are held for the length of
/// a look-up or an insertion: do not ask for a cleanup from a closure that runs inside one.
/// Of a purge of everything stay the cache's tables, which it never gives back: about 70 bytes for
/// each of the most entries there were, with small keys and values that are an `Arc`.
///
/// Of the bounds under its name, it has `max_bytes` if it is weighted in bytes, and otherwise
/// `max_entries`: the capacity.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{QuickCacheAdapter, Registry, Tag};
/// use quick_cache::sync::Cache;
///
/// static PAGES: Tag = Tag::new("pages");
///
/// let pages: Arc<Cache<u32, Arc<str>>> = Arc::new(Cache::new(10_000));
/// let registry = Registry::default();
/// let _registration = registry.register(QuickCacheAdapter::new(&PAGES, &pages))?;
///
/// PAGES.scope(|| pages.insert(7, "<h1>hello</h1>".into()));
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "it does nothing before it is registered"]
pub struct QuickCacheAdapter<
    K,
    V,
    We = UnitWeighter,
    B = DefaultHashBuilder,
    L = DefaultLifecycle<K, V>,
> {
    tag: TagHandle,
    cache: Weak<Cache<K, V, We, B, L>>,
    is_in_bytes: bool,
    lowered: Mutex<Option<Lowered>>,
}

/// A capacity that was lowered.
#[derive(Debug, Clone, Copy)]
struct Lowered {
    from: u64,
    to: u64,
    /// What the cache weighed then.
    held: u64,
}

/// Purges leave a capacity for at least this part of what the cache held before the first.
const LEAST_HELD: u64 = 16;

/// Steps in which the capacity is lowered, with a look at the clock between. Few: at each, the
/// cache rounds down how many evicted keys it remembers.
const STEPS: u64 = 4;

impl<K, V, We, B, L> QuickCacheAdapter<K, V, We, B, L>
where
    K: Hash + Eq,
    V: Clone,
    We: Weighter<K, V> + Clone,
    B: BuildHasher + Clone,
    L: Lifecycle<K, V> + Clone,
{
    /// For `cache`, whose bytes are charged to `tag`.
    pub fn new(tag: impl Into<TagHandle>, cache: &Arc<Cache<K, V, We, B, L>>) -> Self {
        let cache = Arc::downgrade(cache);
        Self { tag: tag.into(), cache, is_in_bytes: false, lowered: Mutex::default() }
    }

    /// The cache's weigher says how many bytes an entry keeps: they are what is claimed.
    pub fn weighted_in_bytes(self) -> Self {
        Self { is_in_bytes: true, ..self }
    }

    /// Lowers the capacity; the cache evicts what no longer fits.
    fn lower(&self, cache: &Cache<K, V, We, B, L>, capacity: u64) {
        let now = cache.capacity();
        let (from, held) = match self.lowered().filter(|lowered| lowered.to == now) {
            Some(lowered) => (lowered.from, lowered.held),
            None => (now, cache.weight()),
        };
        let capacity = capacity.max(held / LEAST_HELD).max(1);
        if capacity < now {
            cache.set_capacity(capacity);
            let to = cache.capacity();
            *self.lowered.lock().unwrap_or_else(PoisonError::into_inner) =
                Some(Lowered { from, held, to });
        }
    }

    fn lowered(&self) -> Option<Lowered> {
        *self.lowered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_lowered(&self) -> Option<Lowered> {
        self.lowered.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<K, V, We, B, L> Purgeable for QuickCacheAdapter<K, V, We, B, L>
where
    K: Hash + Eq,
    V: Clone,
    We: Weighter<K, V> + Clone,
    B: BuildHasher + Clone,
    L: Lifecycle<K, V> + Clone,
    Cache<K, V, We, B, L>: Send + Sync,
{
    fn purgeable_bytes(&self) -> u64 {
        let weight = self.cache.upgrade().map_or(0, |cache| cache.weight());
        match self.is_in_bytes {
            true => weight,
            false if weight == 0 => 0,
            false => tag_usage(&self.tag).live_bytes,
        }
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let Some(cache) = self.cache.upgrade() else { return PurgeOutcome::Empty };
        share::purge(&self.tag, request, self.is_in_bytes, &mut Lowering(self, &cache))
    }

    fn pressure_passed(&self) {
        let Some(cache) = self.cache.upgrade() else { return };
        let now = cache.capacity();
        if let Some(lowered) = self.take_lowered().filter(|lowered| lowered.to == now) {
            let _tag = self.tag.enter();
            cache.set_capacity(lowered.from);
        }
    }

    /// Look-ups are counted by quick_cache's feature `stats` only, which is the program's to
    /// turn on.
    fn figures(&self) -> PurgeableFigures {
        let entries = self.cache.upgrade().map(|cache| cache.len() as u64);
        PurgeableFigures { entries, ..PurgeableFigures::default() }
    }

    fn set_bounds(&self, bounds: &Bounds) -> bool {
        let Some(cache) = self.cache.upgrade() else { return false };
        let max_entries = bounds.max_entries.map(|entries| entries as u64);
        let (own, other) = match self.is_in_bytes {
            true => (bounds.max_bytes, max_entries),
            false => (max_entries, bounds.max_bytes),
        };
        if other.is_some() || own == Some(0) {
            return false;
        }
        if let Some(capacity) = own {
            let _tag = self.tag.enter();
            self.take_lowered();
            cache.set_capacity(capacity);
        }
        true
    }
}

struct Lowering<'a, K, V, We, B, L>(
    &'a QuickCacheAdapter<K, V, We, B, L>,
    &'a Cache<K, V, We, B, L>,
);

impl<K, V, We, B, L> Evict for Lowering<'_, K, V, We, B, L>
where
    K: Hash + Eq,
    V: Clone,
    We: Weighter<K, V> + Clone,
    B: BuildHasher + Clone,
    L: Lifecycle<K, V> + Clone,
{
    fn units(&self) -> u64 {
        self.1.weight()
    }

    fn evict(&mut self, units: u64, due: &Due<'_>) -> Evicted {
        let Self(adapter, cache) = *self;
        let before = cache.weight();
        for step in 1..=STEPS {
            let gone = if step == STEPS { units } else { units / STEPS * step };
            adapter.lower(cache, before.saturating_sub(gone));
            if due.is_late() {
                break;
            }
        }
        Evicted { units: before.saturating_sub(cache.weight()), is_busy: false }
    }

    fn evict_all(&mut self, held: u64, due: &Due<'_>) -> Evicted {
        let evicted = self.evict(held, due);
        if due.is_late() {
            return evicted;
        }
        self.1.clear();
        Evicted { units: held, is_busy: false }
    }
}

/// Registered under its tag's name.
impl<K, V, We, B, L> From<QuickCacheAdapter<K, V, We, B, L>> for Entry
where
    K: Hash + Eq + 'static,
    V: Clone + 'static,
    We: Weighter<K, V> + Clone + 'static,
    B: BuildHasher + Clone + 'static,
    L: Lifecycle<K, V> + Clone + 'static,
    Cache<K, V, We, B, L>: Send + Sync,
{
    fn from(adapter: QuickCacheAdapter<K, V, We, B, L>) -> Self {
        let tag = adapter.tag.clone();
        Entry::new(tag.name(), Arc::new(adapter)).tag(tag)
    }
}

impl<K, V, We, B, L> fmt::Debug for QuickCacheAdapter<K, V, We, B, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuickCacheAdapter")
            .field("tag", &self.tag.name())
            .field("is_in_bytes", &self.is_in_bytes)
            .field("lowered", &self.lowered)
            .finish_non_exhaustive()
    }
}
