//! What stands behind the accounting: an allocator that can say what it holds and give pages
//! back.

#[cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]
mod jemalloc;
#[cfg(feature = "mimalloc")]
mod mimalloc;
mod partitions;
mod system;

use std::alloc::GlobalAlloc;

use crate::isolate;
use crate::primitive::AtomicRef;

#[cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]
pub use jemalloc::Jemalloc;
#[cfg(feature = "mimalloc")]
pub use mimalloc::Mimalloc;
pub(crate) use partitions::{Home, Partitions};
pub use system::System;

/// An allocator that [`AccountingAllocator`](crate::AccountingAllocator) can wrap.
///
/// The functions beside those of [`GlobalAlloc`] take no `self`: there is one such allocator in
/// a process, and they speak of it as a whole. They are never called on the allocation path.
///
/// | backend | gives back the pages of | reports | isolates tags |
/// |---|---|---|---|
/// | `Jemalloc` | all threads | active, dirty; with `jemalloc-stats` the rest too | yes |
/// | `Mimalloc` | the calling thread | nothing | no |
/// | [`System`], glibc | all threads, by `Purge` alone | nothing | no |
/// | [`System`], elsewhere | nobody | nothing | no |
///
/// # Safety
///
/// As for [`GlobalAlloc`]. `realloc` and `alloc_zeroed` are forwarded, so they should be the
/// allocator's own.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{Backend, System};
///
/// assert_eq!(System::NAME, "system");
/// assert_eq!(System::stats().dirty_bytes, None); // what it cannot know is None, never zero
/// ```
pub unsafe trait Backend: GlobalAlloc + Sync + 'static {
    /// The allocator's name, for people and metrics.
    const NAME: &'static str;

    /// Whose free pages [`Collect::Purge`] gives back.
    const COLLECTS: CollectScope;

    /// How it keeps the blocks of isolated tags apart, if it can: of the backends here alone.
    #[doc(hidden)]
    const PARTITIONS: Option<&'static Partitions> = None;

    /// What the allocator knows of its memory. Called as often as a monitor looks, a thousand
    /// times a second under pressure; costs up to some 30 us with jemalloc.
    fn stats() -> BackendStats;

    /// Gives pages that hold no live block back to the system.
    fn collect(how: Collect) -> Collected;

    /// As [`collect`](Self::collect), for one part of the allocator (jemalloc: an arena), so that
    /// who collects can do something else in between. `None` past the last part. By default all
    /// is one part.
    fn collect_part(how: Collect, part: usize) -> Option<Collected> {
        (part == 0).then(|| Self::collect(how))
    }
}

/// Whose free pages a backend can give back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CollectScope {
    /// Those of every thread, whoever asks. What a thread caches for its own next allocations,
    /// some blocks of each size, may stay.
    AllThreads,
    /// Those of the calling thread; of other threads hardly any. Each has to collect its own.
    CallingThread,
    /// None: the allocator gives pages back when it likes.
    Nothing,
}

/// How hard [`Backend::collect`] tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Collect {
    /// What is due by the allocator's own decay times.
    Decay,
    /// Every free page there is, now.
    Purge,
}

/// Whether [`Backend::collect`] could do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Collected {
    /// The allocator was told, and did it, for the threads of [`Backend::COLLECTS`].
    Done,
    /// This allocator has no such call, and nothing was done.
    Unsupported,
}

/// What a backend knows of its memory, in bytes; `None` where it cannot know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BackendStats {
    /// Bytes in live blocks as the backend counts them, rounded up to its size classes. jemalloc
    /// counts them with the feature `jemalloc-stats`.
    pub allocated_bytes: Option<u64>,
    /// Bytes in pages that hold live blocks.
    pub active_bytes: Option<u64>,
    /// Bytes in freed pages that are still held: what collecting gives back.
    pub dirty_bytes: Option<u64>,
    /// Bytes of address space without memory behind it: not a cost. jemalloc counts them with the
    /// feature `jemalloc-stats`.
    pub retained_bytes: Option<u64>,
    /// Bytes of memory behind the backend's pages at most, its own books included: active and
    /// dirty pages that were never touched count too. Not the process's resident bytes, which
    /// the kernel knows. jemalloc counts them with the feature `jemalloc-stats`.
    pub resident_bytes: Option<u64>,
}

/// A backend's calls beside allocation, without its type.
#[derive(Debug)]
pub(crate) struct Controls {
    name: &'static str,
    collects: CollectScope,
    partitions: Option<&'static Partitions>,
    stats: fn() -> BackendStats,
    collect: fn(Collect) -> Collected,
    collect_part: fn(Collect, usize) -> Option<Collected>,
}

impl Controls {
    pub(crate) const fn of<B: Backend>() -> Self {
        Self {
            name: B::NAME,
            collects: B::COLLECTS,
            partitions: B::PARTITIONS,
            stats: B::stats,
            collect: B::collect,
            collect_part: B::collect_part,
        }
    }
}

/// The backend that served this process's first allocation.
static INSTALLED: AtomicRef<Controls> = AtomicRef::empty();

/// Notes the backend in use. Part of the slow path of an allocation.
pub(crate) fn note_installed(controls: &'static Controls) {
    if INSTALLED.get().is_none() {
        INSTALLED.set(Some(controls));
    }
}

/// How the backend in use keeps blocks apart, if it can.
pub(crate) fn partitions() -> Option<&'static Partitions> {
    INSTALLED.get()?.partitions
}

/// The name of the backend in use, or `None` before the first counted allocation.
#[must_use]
pub fn backend_name() -> Option<&'static str> {
    INSTALLED.get().map(|controls| controls.name)
}

/// What the backend in use knows of its memory; all `None` before the first counted allocation.
/// Costs what [`Backend::stats`] does.
#[must_use]
pub fn backend_stats() -> BackendStats {
    INSTALLED.get().map_or_else(BackendStats::default, |controls| (controls.stats)())
}

/// Has the backend in use give free pages back to the system, those of
/// [`collect_scope`]'s threads: some 20 ms for 100 MB of them with jemalloc, well under a
/// microsecond when there are none. The caches that the calling thread has for isolated tags are
/// given up first.
pub fn collect(how: Collect) -> Collected {
    isolate::unmake_own_caches();
    INSTALLED.get().map_or(Collected::Unsupported, |controls| (controls.collect)(how))
}

/// As [`collect`], for one part of the allocator: with jemalloc an arena, of which there are some
/// four a core, and one for each isolated tag; otherwise all is one part. `None` past the last part.
/// With the first part, the caches that the calling thread has for isolated tags are given up.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{Collect, collect_part};
///
/// for part in 0.. {
///     if collect_part(Collect::Decay, part).is_none() {
///         break;
///     }
///     // ... look after something else ...
/// }
/// ```
pub fn collect_part(how: Collect, part: usize) -> Option<Collected> {
    if part == 0 {
        isolate::unmake_own_caches();
    }
    INSTALLED.get().and_then(|controls| (controls.collect_part)(how, part))
}

/// Whose free pages [`collect`] gives back with the backend in use; nobody's before the first
/// counted allocation.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{Collect, CollectScope, collect, collect_scope};
///
/// // At the end of a worker thread's batch: nobody else can do it for this thread.
/// if collect_scope() == CollectScope::CallingThread {
///     collect(Collect::Purge);
/// }
/// ```
#[must_use]
pub fn collect_scope() -> CollectScope {
    INSTALLED.get().map_or(CollectScope::Nothing, |controls| controls.collects)
}
