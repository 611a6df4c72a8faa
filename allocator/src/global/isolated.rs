//! Blocks of isolated tags: outlined whole, so that those of other tags pay for two tests and no
//! more. Where the backend cannot isolate, there is nothing of it.

use std::alloc::Layout;

use super::AccountingAllocator;
use crate::backend::{Backend, Home, Partitions};
use crate::block::{self, Place};
use crate::isolate::{self, NOT_ISOLATED};
use crate::tag_table::SAMPLED;
use crate::thread::{self, TAGS};

impl<B: Backend> AccountingAllocator<B> {
    /// Whether what the thread allocates now goes to its tag's own memory.
    #[inline(always)]
    pub(super) fn is_current_tag_isolated() -> bool {
        B::PARTITIONS.is_some() && thread::current_slot() != NOT_ISOLATED
    }

    /// Whether a block that bears this tag is freed and resized off the way that is always taken:
    /// it lies in its tag's own memory, or it was sampled.
    #[inline(always)]
    pub(super) fn is_set_apart(tag: u8) -> bool {
        if B::PARTITIONS.is_some() {
            return TAGS.slot(tag) != NOT_ISOLATED;
        }
        cfg!(feature = "profile") && tag == SAMPLED
    }

    /// # Safety
    ///
    /// As for [`GlobalAlloc::alloc`](std::alloc::GlobalAlloc::alloc).
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn alloc_isolated(&self, layout: Layout) -> *mut u8 {
        let place = Place::of(layout.size());
        let outer = block::outer(layout, place);
        let ptr = match Self::new_home(place) {
            // SAFETY: the outer size is never zero; the cache is this thread's.
            Some((backend, home)) => unsafe { (backend.alloc)(home, outer) },
            // SAFETY: the outer size is never zero.
            None => unsafe { self.backend.alloc(outer) },
        };
        // SAFETY: `ptr` is null or of the outer layout.
        unsafe { Self::admit(ptr, layout.size(), place) }
    }

    /// # Safety
    ///
    /// As for [`GlobalAlloc::alloc_zeroed`](std::alloc::GlobalAlloc::alloc_zeroed).
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn alloc_zeroed_isolated(&self, layout: Layout) -> *mut u8 {
        let place = Place::of(layout.size());
        let outer = block::outer(layout, place);
        let ptr = match Self::new_home(place) {
            // SAFETY: the outer size is never zero; the cache is this thread's.
            Some((backend, home)) => unsafe { (backend.alloc_zeroed)(home, outer) },
            // SAFETY: the outer size is never zero.
            None => unsafe { self.backend.alloc_zeroed(outer) },
        };
        // SAFETY: `ptr` is null or of the outer layout.
        unsafe { Self::admit(ptr, layout.size(), place) }
    }

    /// Uncounts and frees a block; the order of the parameters as in `dealloc_slowly`.
    ///
    /// # Safety
    ///
    /// `ptr` is a block of ours, of a layout of this size and alignment and of this tag, not to
    /// be used any more.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn dealloc_isolated(
        ptr: *mut u8,
        size: usize,
        align: usize,
        tag: u8,
        backend: &B,
    ) {
        #[cfg(feature = "profile")]
        let tag = Self::forget_sample(ptr, tag);
        // Before the block is uncounted: once it is, the tag's number may go to another.
        let slot = TAGS.slot(tag);
        if !thread::uncharge(tag, size) {
            thread::uncharge_slowly(tag, size);
        }
        let place = Place::of(size);
        // SAFETY: they are a layout's.
        let outer = block::outer(unsafe { Layout::from_size_align_unchecked(size, align) }, place);
        match Self::home_of(slot, place) {
            // SAFETY: this is what the backend gave, at the layout it gave it for; the cache is
            // this thread's.
            Some((partitions, home)) => unsafe { (partitions.dealloc)(home, ptr, outer) },
            // SAFETY: as above.
            None => unsafe { backend.dealloc(ptr, outer) },
        }
    }

    /// # Safety
    ///
    /// As for the backend's own `realloc`, of a block of this tag.
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn realloc_isolated(
        &self,
        ptr: *mut u8,
        outer: Layout,
        new_outer_size: usize,
        tag: u8,
    ) -> *mut u8 {
        // Blocks go by way of the cache that are small before and after.
        let place = Place::of_outer(outer.size().max(new_outer_size));
        match Self::home_of(TAGS.slot(tag), place) {
            // SAFETY: the caller's promise; the cache is this thread's.
            Some((partitions, home)) => unsafe {
                (partitions.realloc)(home, ptr, outer, new_outer_size)
            },
            // SAFETY: the caller's promise.
            None => unsafe { self.backend.realloc(ptr, outer, new_outer_size) },
        }
    }

    /// Where a block came from that bears the tag of this slot, if that has memory of its own.
    #[inline(always)]
    fn home_of(slot: u8, place: Place) -> Option<(&'static Partitions, Home)> {
        let partitions = B::PARTITIONS?;
        Some((partitions, isolate::home_of(slot, place, partitions)?))
    }

    /// Where a new block of the thread's tag goes, if that has memory of its own.
    #[inline(always)]
    fn new_home(place: Place) -> Option<(&'static Partitions, Home)> {
        let partitions = B::PARTITIONS?;
        Some((partitions, isolate::new_home_of(thread::current_slot(), place, partitions)?))
    }
}
