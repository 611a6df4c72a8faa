//! What a backend does that can keep some blocks apart from all others.

use std::alloc::Layout;

use super::{BackendStats, Collect, Collected};

/// A backend's calls for memory of a tag's own. Each partition keeps its blocks in pages of its
/// own; a cache is one thread's, of one partition. Partitions are never unmade: an isolated tag
/// that ends leaves its own to the next.
///
/// A block may be freed with another home than it was allocated with: it goes back to its own
/// partition in the end, but meanwhile that cache may hand it out.
#[derive(Debug)]
pub struct Partitions {
    /// Makes one, if there is room for it. Takes locks.
    pub(crate) make: fn() -> Option<u32>,
    /// Unmakes one that was never used.
    pub(crate) unmake: fn(u32),
    pub(crate) make_cache: fn() -> Option<u16>,
    /// Gives back what the cache holds. For its thread alone.
    pub(crate) flush_cache: fn(u16),
    /// Ends a cache that nobody will name again.
    pub(crate) unmake_cache: fn(u16),
    /// As `GlobalAlloc::alloc`, in a partition.
    pub(crate) alloc: unsafe fn(Home, Layout) -> *mut u8,
    pub(crate) alloc_zeroed: unsafe fn(Home, Layout) -> *mut u8,
    pub(crate) dealloc: unsafe fn(Home, *mut u8, Layout),
    pub(crate) realloc: unsafe fn(Home, *mut u8, Layout, usize) -> *mut u8,
    /// Gives back the free pages of one partition.
    pub(crate) collect: fn(u32, Collect) -> Collected,
    /// Has `stats` speak of now.
    pub(crate) refresh_stats: fn(),
    pub(crate) stats: fn(u32) -> BackendStats,
}

/// Where a block goes or came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home {
    pub(crate) partition: u32,
    /// The calling thread's cache for it.
    pub(crate) cache: Option<u16>,
}
