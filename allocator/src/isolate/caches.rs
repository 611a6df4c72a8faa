//! A thread's caches for isolated tags: made for threads that allocate often under one, in bounded
//! number over all threads, and unmade at the thread's end.
//!
//! The thread-local is const-initialised and has no destructor, as that of [`thread`]
//! (crate::thread), whose end of a thread unmakes the caches.

use std::cell::Cell;

use super::MAX_ISOLATED_TAGS;
use crate::backend::{self, Partitions};
use crate::primitive::{AtomicUsize, Ordering};
use crate::thread;

/// Caches over all threads. jemalloc has some 4,090 ids for them, at 14 KiB each.
const MAX_CACHES: usize = 512;
/// How often a thread allocates small blocks under a tag before it has a cache for it.
const USES_BEFORE_A_CACHE: u16 = 64;

static CACHES_IN_USE: AtomicUsize = AtomicUsize::new(0);

/// A thread's cache for one slot.
#[derive(Debug, Clone, Copy)]
enum Cache {
    /// There is none yet, after so many uses.
    Unmade(u16),
    Made(u16),
}

thread_local! {
    static CACHES: [Cell<Cache>; MAX_ISOLATED_TAGS] =
        const { [const { Cell::new(Cache::Unmade(0)) }; MAX_ISOLATED_TAGS] };
}

/// What the calling thread has for a slot that has a partition.
fn of_slot<T>(slot: u8, f: impl FnOnce(&Cell<Cache>) -> T) -> T {
    CACHES.with(|caches| f(&caches[usize::from(slot) - 1]))
}

pub(super) fn own_cache(slot: u8) -> Option<u16> {
    of_slot(slot, |cache| cache.get().id())
}

/// As [`own_cache`], for a thread that allocates under the slot's tag: it is made when that has
/// proved worth it. Where none can be had, the thread tries again after as many uses.
pub(super) fn own_or_new_cache(slot: u8, backend: &Partitions) -> Option<u16> {
    of_slot(slot, |cache| {
        if let Cache::Unmade(uses) = cache.get() {
            cache.set(match uses {
                ..USES_BEFORE_A_CACHE => Cache::Unmade(uses + 1),
                _ => make(backend).map_or(Cache::Unmade(0), Cache::Made),
            });
        }
        cache.get().id()
    })
}

impl Cache {
    fn id(self) -> Option<u16> {
        match self {
            Self::Made(id) => Some(id),
            Self::Unmade(_) => None,
        }
    }
}

#[cold]
fn make(backend: &Partitions) -> Option<u16> {
    // A thread that owns a shard runs its exit hook; any other would leave the cache behind.
    if !thread::owns_a_shard() || !reserve() {
        return None;
    }
    let made = (backend.make_cache)();
    if made.is_none() {
        CACHES_IN_USE.fetch_sub(1, Ordering::Relaxed);
    }
    made
}

/// Counts one more cache, unless there are as many as there may be.
fn reserve() -> bool {
    if CACHES_IN_USE.fetch_add(1, Ordering::Relaxed) < MAX_CACHES {
        return true;
    }
    CACHES_IN_USE.fetch_sub(1, Ordering::Relaxed);
    false
}

/// Caches over all threads.
pub(crate) fn caches_in_use() -> usize {
    CACHES_IN_USE.load(Ordering::Relaxed)
}

/// Gives back what the calling thread's cache for the slot holds.
pub(super) fn flush_own_cache(slot: u8, backend: &Partitions) {
    if let Some(id) = own_cache(slot) {
        (backend.flush_cache)(id);
    }
}

/// Gives back what the calling thread's caches hold.
pub(crate) fn flush_own_caches() {
    let Some(backend) = backend::partitions() else { return };
    CACHES.with(|caches| {
        for id in caches.iter().filter_map(|cache| cache.get().id()) {
            (backend.flush_cache)(id);
        }
    });
}

/// Unmakes the calling thread's caches, at its end.
pub(crate) fn unmake_own_caches() {
    let Some(backend) = backend::partitions() else { return };
    CACHES.with(|caches| {
        for cache in caches {
            if let Some(id) = cache.replace(Cache::Unmade(0)).id() {
                (backend.unmake_cache)(id);
                CACHES_IN_USE.fetch_sub(1, Ordering::Relaxed);
            }
        }
    });
}

/// In a forked child: the caches of the threads that it does not have are nobody's. What they hold
/// is lost to it, as blocks are that only those threads knew of.
pub(crate) fn forget_other_threads() {
    let own = CACHES.with(|caches| caches.iter().filter_map(|cache| cache.get().id()).count());
    CACHES_IN_USE.store(own, Ordering::Relaxed);
}
