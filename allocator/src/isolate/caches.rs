//! A thread's caches for isolated tags: made for threads that allocate often under one, in bounded
//! number over all threads, and unmade at the thread's end.
//!
//! The thread-local is const-initialised and has no destructor, as that of [`thread`]
//! (crate::thread), whose end of a thread unmakes the caches.

use std::cell::Cell;

use super::MAX_ISOLATED_TAGS;
use crate::backend::{self, Home, Partitions};
use crate::primitive::{AtomicUsize, Ordering};
use crate::thread;

/// Caches over all threads. jemalloc has some 4,090 ids for them, at 14 KiB each.
const MAX_CACHES: usize = 512;
/// How often a thread allocates small blocks under a tag before it has a cache for it.
const USES_BEFORE_A_CACHE: u16 = 64;

static CACHES_IN_USE: AtomicUsize = AtomicUsize::new(0);

/// What a thread has for one slot.
#[derive(Debug, Clone, Copy)]
struct Cache {
    /// The slot's partition by way of the cache. There is one in every slot that has a cache.
    home: Option<Home>,
    id: u16,
    /// How often a cache was wanted, while there is none.
    uses: u16,
}

impl Cache {
    const NONE: Self = Self { home: None, id: 0, uses: 0 };
}

thread_local! {
    static CACHES: [Cell<Cache>; MAX_ISOLATED_TAGS] =
        const { [const { Cell::new(Cache::NONE) }; MAX_ISOLATED_TAGS] };
}

/// The calling thread's way to the slot's partition, if it has a cache for it.
#[inline]
pub(super) fn own_home(slot: u8) -> Option<Home> {
    CACHES.with(|caches| of_slot(caches, slot)?.get().home)
}

#[inline]
fn of_slot(caches: &[Cell<Cache>; MAX_ISOLATED_TAGS], slot: u8) -> Option<&Cell<Cache>> {
    caches.get(usize::from(slot).wrapping_sub(1))
}

/// As [`own_home`], for a thread that has no cache and allocates under the slot's tag: one is made
/// when that has proved worth it. Where none can be had, the thread tries again after as many uses.
pub(super) fn make_if_due(slot: u8, partition: u32, backend: &Partitions) -> Option<Home> {
    CACHES.with(|caches| {
        let cache = of_slot(caches, slot)?;
        let uses = cache.get().uses;
        if uses < USES_BEFORE_A_CACHE {
            cache.set(Cache { uses: uses + 1, ..Cache::NONE });
            return None;
        }
        cache.set(Cache::NONE);
        let id = make(backend)?;
        let home = (backend.home)(partition, Some(id));
        cache.set(Cache { home: Some(home), id, uses: 0 });
        Some(home)
    })
}

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

/// Unmakes the calling thread's cache for the slot, and so gives back what it holds. Not by a
/// flush: jemalloc makes a flushed cache anew within the next allocation, and should there be no
/// memory for it then, ends the process at the one after.
pub(super) fn unmake_own_cache(slot: u8, backend: &Partitions) {
    CACHES.with(|caches| {
        if let Some(cache) = of_slot(caches, slot) {
            unmake(cache, backend);
        }
    });
}

/// Unmakes the calling thread's caches: when it collects, before it forks, and at its end.
pub(crate) fn unmake_own_caches() {
    let Some(backend) = backend::partitions() else { return };
    CACHES.with(|caches| caches.iter().for_each(|cache| unmake(cache, backend)));
}

fn unmake(cache: &Cell<Cache>, backend: &Partitions) {
    let had = cache.replace(Cache::NONE);
    if had.home.is_some() {
        (backend.unmake_cache)(had.id);
        CACHES_IN_USE.fetch_sub(1, Ordering::Relaxed);
    }
}

/// In a forked child: the caches of the threads that it does not have are nobody's. What they hold
/// is lost to it, as blocks are that only those threads knew of.
pub(crate) fn forget_other_threads() {
    // None, unless another's handler allocated that often between the thread's own and the fork.
    let own =
        CACHES.with(|caches| caches.iter().filter(|cache| cache.get().home.is_some()).count());
    CACHES_IN_USE.store(own, Ordering::Relaxed);
}
