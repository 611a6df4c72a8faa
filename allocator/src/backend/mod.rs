//! What stands behind the accounting: an allocator that can say what it holds and give pages
//! back.

#[cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]
mod jemalloc;
mod system;

use std::alloc::GlobalAlloc;

use crate::primitive::AtomicRef;

#[cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]
pub use jemalloc::Jemalloc;
pub use system::System;

/// An allocator that [`AccountingAllocator`](crate::AccountingAllocator) can wrap.
///
/// The functions beside those of [`GlobalAlloc`] take no `self`: there is one such allocator in
/// a process, and they speak of it as a whole. They are never called on the allocation path.
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

    /// What the allocator knows of its memory. Costs up to some 30 us with jemalloc.
    fn stats() -> BackendStats;

    /// Gives pages that hold no live block back to the system.
    fn collect(how: Collect) -> Collected;
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
    /// The allocator was told, and did it.
    Done,
    /// This allocator has no such call.
    Unsupported,
}

/// What a backend knows of its memory, in bytes; `None` where it cannot know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BackendStats {
    /// Bytes in pages that hold live blocks.
    pub active_bytes: Option<u64>,
    /// Bytes in freed pages that are still held: what collecting gives back.
    pub dirty_bytes: Option<u64>,
    /// Bytes of address space without memory behind it: not a cost.
    pub retained_bytes: Option<u64>,
}

/// A backend's calls beside allocation, without its type.
#[derive(Debug)]
pub(crate) struct Controls {
    name: &'static str,
    stats: fn() -> BackendStats,
    collect: fn(Collect) -> Collected,
}

impl Controls {
    pub(crate) const fn of<B: Backend>() -> Self {
        Self { name: B::NAME, stats: B::stats, collect: B::collect }
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

/// Has the backend in use give free pages back to the system: some 20 ms for 100 MB of them with
/// jemalloc, well under a microsecond when there are none.
pub fn collect(how: Collect) -> Collected {
    INSTALLED.get().map_or(Collected::Unsupported, |controls| (controls.collect)(how))
}
