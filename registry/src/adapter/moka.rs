//! [`MokaAdapter`] and [`MokaFutureAdapter`]: moka's caches.

use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::thread;

use bursar_alloc::{TagHandle, tag_usage};

use super::poll::poll_briefly;
use super::share::{self, Due, Evict, Evicted};
use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures};
use crate::registry::Entry;

/// Makes a [`moka::sync::Cache`] purgeable.
///
/// Insert into the cache with the tag entered: what is charged to it, over the entries, is what
/// an entry is taken to weigh, unless the cache's weigher says bytes and
/// [`weighted_in_bytes`](Self::weighted_in_bytes) says so.
///
/// What a purge takes are entries in the arbitrary order of moka's iterator, not the oldest: moka
/// can be asked for nothing else while it runs. Its capacity cannot be changed either: there are
/// no bounds to set, and the cache grows back as it is used. Each entry that goes is cloned once,
/// as that iterator does, so values should be cheap to clone; its eviction listener is called on
/// the purging thread.
///
/// moka frees an entry only when no thread is in the middle of a look-up that might see it, and
/// leaves that to whichever thread comes by. A purge frees what it can of this at once, batch by
/// batch; where a thread stands still inside a look-up, or others free it first, that part is not
/// claimed. It waits for moka's own maintenance if that is at work, so an eviction listener must
/// not ask for a cleanup. A purge of everything is one such maintenance, with no look at the clock
/// inside.
///
/// Of a purge of everything stays what moka does not give back: its key table, about 24 bytes an
/// entry of the most there were, and the sketch of how often keys are used.
///
/// The adapter holds a clone: moka has no weak handle. The cache lives as long as its
/// registration, at least.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{MokaAdapter, Registry, Tag};
///
/// static PAGES: Tag = Tag::new("pages");
///
/// let pages: moka::sync::Cache<String, Arc<str>> = moka::sync::Cache::new(10_000);
/// let registry = Registry::default();
/// let _registration = registry.register(MokaAdapter::new(&PAGES, &pages))?;
///
/// PAGES.scope(|| pages.get_with("/".to_owned(), || "<h1>hello</h1>".into()));
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "it does nothing before it is registered"]
pub struct MokaAdapter<K, V, S = RandomState>(Moka<moka::sync::Cache<K, V, S>>);

/// Makes a [`moka::future::Cache`] purgeable: as [`MokaAdapter`] does, with no runtime.
///
/// moka's maintenance is a future there. A purge polls it a few times, with nobody to be woken,
/// and is busy if it does not come to its end: when some task is at the same work, or an eviction
/// listener waits for something. moka goes on with it at the next use. A listener that needs a
/// runtime to be polled in is not for this adapter: purge such a cache from a task of your own,
/// which a [`Subscription`](crate::Subscription) tells of the level.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{MokaFutureAdapter, Registry, Tag, TagExt};
///
/// static PAGES: Tag = Tag::new("pages");
///
/// let pages: moka::future::Cache<u32, Arc<str>> = moka::future::Cache::new(10_000);
/// let registry = Registry::default();
/// let _registration = registry.register(MokaFutureAdapter::new(&PAGES, &pages))?;
///
/// let insert = async { pages.insert(7, "<h1>hello</h1>".into()).await }.tagged(&PAGES);
/// # drop(insert);
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "it does nothing before it is registered"]
pub struct MokaFutureAdapter<K, V, S = RandomState>(Moka<moka::future::Cache<K, V, S>>);

struct Moka<C> {
    tag: TagHandle,
    cache: C,
    is_in_bytes: bool,
}

/// What both caches do; the one by futures that may not be done, `None` then.
trait MokaCache {
    type Key;

    fn entry_count(&self) -> u64;
    fn weighted_size(&self) -> u64;
    fn keys(&self) -> impl Iterator<Item = Arc<Self::Key>>;
    fn invalidate(&self, key: &Self::Key) -> Option<()>;
    fn invalidate_all(&self);
    fn run_pending_tasks(&self) -> Option<()>;
}

/// Entries thrown out between two looks at the clock.
const BATCH: usize = 256;

/// Runs of the collector in a row that free nothing: then nothing is left that can be freed at
/// this moment. An entry is freed two runs after it went.
const IDLE_RUNS: u32 = 4;

/// Times that other threads, interrupted in the middle of a look-up, are let run at the end.
const YIELDS: u32 = 8;

impl<C: MokaCache> Moka<C> {
    fn purgeable_bytes(&self) -> u64 {
        match (self.cache.entry_count(), self.is_in_bytes) {
            (0, _) => 0,
            (_, true) => self.cache.weighted_size(),
            (_, false) => tag_usage(&self.tag).live_bytes,
        }
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        share::purge(&self.tag, request, self.is_in_bytes, &mut &*self)
    }

    /// As of moka's last maintenance; it counts no look-ups.
    fn figures(&self) -> PurgeableFigures {
        let entries = Some(self.cache.entry_count());
        PurgeableFigures { entries, ..PurgeableFigures::default() }
    }

    fn counted_units(&self) -> u64 {
        if self.is_in_bytes { self.cache.weighted_size() } else { self.cache.entry_count() }
    }

    /// Throws out entries, whichever come first; answers how many, and whether some could not be.
    ///
    /// moka hands each entry to the epoch collector by itself, in a bag of 2 KiB, for any thread
    /// to free. While this thread is pinned none does: so a batch goes, and is freed here, before
    /// the next.
    fn invalidate(&self, entries: u64, due: &Due<'_>) -> (u64, bool) {
        let mut gone = 0;
        // Up to the number of entries, and no further: some may come in meanwhile.
        let mut keys = self.cache.keys().take(usize::try_from(entries).unwrap_or(usize::MAX));
        while !due.is_late() {
            let pinned = crossbeam_epoch::pin();
            let before = gone;
            for key in keys.by_ref().take(BATCH) {
                if self.cache.invalidate(&key).is_none() {
                    return (gone, true);
                }
                gone += 1;
            }
            let is_busy = self.cache.run_pending_tasks().is_none();
            drop(pinned);
            collect(due);
            if is_busy || gone == before {
                return (gone, is_busy);
            }
        }
        (gone, false)
    }
}

/// Has the collector free what it can.
fn collect(due: &Due<'_>) {
    // Each run may put something to be freed into a bag, and empties older ones: what is freed
    // goes up and down by a bag.
    let mut most_freed_bytes = due.freed_here_bytes();
    let mut idle_runs = 0;
    while idle_runs < IDLE_RUNS && !due.is_late() {
        crossbeam_epoch::pin().flush();
        let freed_bytes = due.freed_here_bytes();
        if freed_bytes > most_freed_bytes {
            (most_freed_bytes, idle_runs) = (freed_bytes, 0);
        } else {
            idle_runs += 1;
        }
    }
}

impl<C: MokaCache> Evict for &Moka<C> {
    fn units(&self) -> u64 {
        // Its counts are those of the last maintenance, which may have been cut short.
        let before = self.counted_units();
        let _ = self.cache.run_pending_tasks();
        self.counted_units().max(before)
    }

    fn evict(&mut self, units: u64, due: &Due<'_>) -> Evicted {
        let entries = self.cache.entry_count();
        let units_per_entry =
            (self.counted_units() as f64 / entries.max(1) as f64).max(f64::MIN_POSITIVE);
        let wanted = (units as f64 / units_per_entry).ceil() as u64;
        let (gone, is_busy) = self.invalidate(wanted, due);
        for _ in 0..YIELDS {
            if due.is_late() {
                break;
            }
            collect(due);
            thread::yield_now();
        }
        Evicted { units: (gone as f64 * units_per_entry).ceil() as u64, is_busy }
    }

    /// Maintenance does the most of it, in one go and without a bag for each entry; what was put
    /// in at the very same time may be left by it.
    fn evict_all(&mut self, held: u64, due: &Due<'_>) -> Evicted {
        self.cache.invalidate_all();
        let is_busy = self.cache.run_pending_tasks().is_none();
        collect(due);
        let rest = self.evict(u64::MAX, due);
        Evicted { units: held.max(rest.units), is_busy: is_busy || rest.is_busy }
    }
}

/// The same for both, but for the cache and how what it does comes to its end.
macro_rules! adapter {
    ($adapter:ident, $cache:ty, $finish:expr) => {
        impl<K, V, S> MokaCache for $cache
        where
            K: Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
            S: BuildHasher + Clone + Send + Sync + 'static,
        {
            type Key = K;

            fn entry_count(&self) -> u64 {
                self.entry_count()
            }

            fn weighted_size(&self) -> u64 {
                self.weighted_size()
            }

            fn keys(&self) -> impl Iterator<Item = Arc<K>> {
                self.iter().map(|(key, _)| key)
            }

            fn invalidate(&self, key: &K) -> Option<()> {
                $finish(self.invalidate(key))
            }

            fn invalidate_all(&self) {
                self.invalidate_all();
            }

            fn run_pending_tasks(&self) -> Option<()> {
                $finish(self.run_pending_tasks())
            }
        }

        impl<K, V, S> $adapter<K, V, S>
        where
            K: Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
            S: BuildHasher + Clone + Send + Sync + 'static,
        {
            /// For `cache`, whose bytes are charged to `tag`.
            pub fn new(tag: impl Into<TagHandle>, cache: &$cache) -> Self {
                Self(Moka { tag: tag.into(), cache: cache.clone(), is_in_bytes: false })
            }

            /// The cache's weigher says how many bytes an entry keeps: they are what is claimed.
            pub fn weighted_in_bytes(mut self) -> Self {
                self.0.is_in_bytes = true;
                self
            }
        }

        impl<K, V, S> Purgeable for $adapter<K, V, S>
        where
            K: Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
            S: BuildHasher + Clone + Send + Sync + 'static,
        {
            fn purgeable_bytes(&self) -> u64 {
                self.0.purgeable_bytes()
            }

            fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
                self.0.purge(request)
            }

            fn figures(&self) -> PurgeableFigures {
                self.0.figures()
            }
        }

        /// Registered under its tag's name.
        impl<K, V, S> From<$adapter<K, V, S>> for Entry
        where
            K: Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
            S: BuildHasher + Clone + Send + Sync + 'static,
        {
            fn from(adapter: $adapter<K, V, S>) -> Self {
                let tag = adapter.0.tag.clone();
                Entry::new(tag.name(), Arc::new(adapter)).tag(tag)
            }
        }

        impl<K, V, S> fmt::Debug for $adapter<K, V, S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($adapter))
                    .field("tag", &self.0.tag.name())
                    .field("is_in_bytes", &self.0.is_in_bytes)
                    .finish_non_exhaustive()
            }
        }
    };
}

adapter!(MokaAdapter, moka::sync::Cache<K, V, S>, |()| Some(()));
adapter!(MokaFutureAdapter, moka::future::Cache<K, V, S>, poll_briefly);
