//! What a backend does that can keep some blocks apart from all others.

use std::alloc::Layout;
use std::num::NonZeroU32;

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
    /// Gives back what a cache holds, and ends it: nobody will name it again. For its thread alone.
    pub(crate) unmake_cache: fn(u16),
    /// Where a partition's blocks are, by way of a cache of the calling thread's or of none.
    pub(crate) home: fn(u32, Option<u16>) -> Home,
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

/// Where a block goes or came from: a partition, and the calling thread's cache for it or none, in
/// the backend's own terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Home(pub(crate) NonZeroU32);
