//! [`LruAdapter`]: an [`LruCache`] behind a mutex.

use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bursar_alloc::{TagHandle, tag_usage};
use lru::{DefaultHasher, LruCache};

use super::share::{self, Due, Evict, Evicted};
use crate::purge::{Bounds, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures};
use crate::registry::Entry;
use crate::try_lock::{try_lock, try_lock_briefly};

/// Makes an `LruCache` behind a mutex purgeable: the least recently used go first.
///
/// Insert into the cache with the tag entered: what is charged to it, over the entries, is what
/// an entry is taken to weigh. Holds a [`Weak`]: a cache that is gone has nothing to free.
///
/// A purge tries the lock, and is busy if it is held. Entries are taken out by 64 and dropped
/// with the lock given back, so that their destructors may use the cache. Purged of everything,
/// it gives its table back, too. Nothing is left to come back when pressure has passed: the
/// capacity stays as it is.
///
/// Of the bounds under its name, it has `max_entries`: the capacity. Setting them waits for the
/// lock.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use bursar::{LruAdapter, Registry, Tag};
/// use lru::LruCache;
///
/// static ROUTES: Tag = Tag::new("routes");
///
/// let routes = Arc::new(Mutex::new(LruCache::unbounded()));
/// let registry = Registry::default();
/// let _registration = registry.register(LruAdapter::new(&ROUTES, &routes))?;
///
/// ROUTES.scope(|| routes.lock().unwrap().put(7, vec![0; 4096]));
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "it does nothing before it is registered"]
pub struct LruAdapter<K, V, S = DefaultHasher> {
    tag: TagHandle,
    cache: Weak<Mutex<LruCache<K, V, S>>>,
}

impl<K: Hash + Eq, V, S: BuildHasher> LruAdapter<K, V, S> {
    /// For `cache`, whose bytes are charged to `tag`.
    pub fn new(tag: impl Into<TagHandle>, cache: &Arc<Mutex<LruCache<K, V, S>>>) -> Self {
        Self { tag: tag.into(), cache: Arc::downgrade(cache) }
    }
}

impl<K, V, S> Purgeable for LruAdapter<K, V, S>
where
    K: Hash + Eq + Send,
    V: Send,
    S: BuildHasher + Send,
{
    fn purgeable_bytes(&self) -> u64 {
        match self.cache.upgrade() {
            Some(cache) if try_lock(&cache).is_none_or(|cache| !cache.is_empty()) => {
                tag_usage(&self.tag).live_bytes
            }
            _ => 0,
        }
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let Some(cache) = self.cache.upgrade() else { return PurgeOutcome::Empty };
        if try_lock(&cache).is_none() {
            return PurgeOutcome::Busy;
        }
        share::purge(&self.tag, request, false, &mut Locked(&cache))
    }

    /// Nothing is known while someone holds the lock for long.
    fn figures(&self) -> PurgeableFigures {
        let entries = self.cache.upgrade().and_then(|cache| {
            let locked = try_lock_briefly(&cache)?;
            Some(locked.len() as u64)
        });
        PurgeableFigures { entries, ..PurgeableFigures::default() }
    }

    fn set_bounds(&self, bounds: &Bounds) -> bool {
        let Some(cache) = self.cache.upgrade() else { return false };
        if bounds.max_bytes.is_some() {
            return false;
        }
        let Some(max_entries) = bounds.max_entries else { return true };
        let Some(max_entries) = NonZeroUsize::new(max_entries) else { return false };
        let _tag = self.tag.enter();
        let mut locked = cache.lock().unwrap_or_else(PoisonError::into_inner);
        let excess = locked.len().saturating_sub(max_entries.get());
        let removed = take_oldest(&mut locked, excess);
        locked.resize(max_entries);
        drop(locked);
        drop(removed);
        true
    }
}

fn take_oldest<K, V, S>(cache: &mut LruCache<K, V, S>, count: usize) -> Vec<(K, V)>
where
    K: Hash + Eq,
    S: BuildHasher,
{
    std::iter::from_fn(|| cache.pop_lru()).take(count).collect()
}

struct Locked<'a, K, V, S>(&'a Mutex<LruCache<K, V, S>>);

/// Entries taken out under one locking.
const BATCH: usize = 64;

impl<K: Hash + Eq, V, S: BuildHasher> Evict for Locked<'_, K, V, S> {
    fn units(&self) -> u64 {
        try_lock(self.0).map_or(0, |cache| cache.len() as u64)
    }

    fn evict(&mut self, units: u64, due: &Due<'_>) -> Evicted {
        let mut evicted = Evicted::default();
        while evicted.units < units && !due.is_late() {
            let batch =
                usize::try_from(units - evicted.units).map_or(BATCH, |left| left.min(BATCH));
            let Some(mut cache) = try_lock(self.0) else {
                return Evicted { is_busy: true, ..evicted };
            };
            let removed = take_oldest(&mut cache, batch);
            drop(cache);
            evicted.units += removed.len() as u64;
            if removed.len() < batch {
                break;
            }
        }
        evicted
    }

    fn evict_all(&mut self, _: u64, due: &Due<'_>) -> Evicted {
        let evicted = self.evict(u64::MAX, due);
        if let Some(mut cache) = try_lock(self.0).filter(|cache| cache.is_empty()) {
            shrink(&mut cache);
        }
        evicted
    }
}

/// Has an empty cache give its table back: it does so when its capacity changes.
fn shrink<K: Hash + Eq, V, S: BuildHasher>(cache: &mut LruCache<K, V, S>) {
    let capacity = cache.cap();
    let other = if capacity == NonZeroUsize::MIN { NonZeroUsize::MAX } else { NonZeroUsize::MIN };
    cache.resize(other);
    cache.resize(capacity);
}

/// Registered under its tag's name.
impl<K, V, S> From<LruAdapter<K, V, S>> for Entry
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
    S: BuildHasher + Send + 'static,
{
    fn from(adapter: LruAdapter<K, V, S>) -> Self {
        let tag = adapter.tag.clone();
        Entry::new(tag.name(), Arc::new(adapter)).tag(tag)
    }
}

impl<K, V, S> fmt::Debug for LruAdapter<K, V, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LruAdapter").field("tag", &self.tag.name()).finish_non_exhaustive()
    }
}
