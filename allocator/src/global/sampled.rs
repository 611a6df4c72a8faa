//! Blocks that the heap profile has sampled: they bear [`SAMPLED`] in the place of their tag.
//! Outlined whole, behind the test that there is for isolated tags; where the backend cannot
//! isolate, a free and a `realloc` pay for a test of their own.

use std::alloc::Layout;

use super::AccountingAllocator;
use crate::backend::Backend;
use crate::block::{self, Place};
use crate::profile::{self, Held, Hit};
use crate::tag_table::{SAMPLED, UNTAGGED};
use crate::thread::{self, Due};

impl<B: Backend> AccountingAllocator<B> {
    /// Samples a block that was counted under `tag`, if it is due.
    ///
    /// # Safety
    ///
    /// `ptr` is a block of ours of `size` bytes that bears this tag, and that nobody frees or
    /// resizes meanwhile.
    #[inline(never)]
    pub(super) unsafe fn sample_if_due(ptr: *mut u8, size: usize, tag: u8, due: Due) {
        let Some(interval_bytes) = due else { return };
        let marker = 0u8;
        let (address, below) = (ptr.addr(), &raw const marker);
        if profile::sample(Hit { address, size, tag, interval_bytes, below }) {
            // SAFETY: the caller's promise.
            let is_marked = unsafe { block::write_tag(ptr, size, Place::of(size), SAMPLED) };
            if !is_marked {
                // Its address has no map: the block would not be known again.
                profile::lose(ptr.addr());
            }
        }
    }

    /// The tag of a block that bears this one, whose sample ends if it has one.
    #[inline(always)]
    pub(super) fn forget_sample(ptr: *mut u8, tag: u8) -> u8 {
        if tag == SAMPLED { profile::forget(ptr.addr()) } else { tag }
    }

    /// `realloc` of a sampled block.
    ///
    /// While the backend is at it the sample is in the thread's hands: the old address may be
    /// another thread's before this one is back.
    ///
    /// # Safety
    ///
    /// As for [`GlobalAlloc::realloc`](std::alloc::GlobalAlloc::realloc), of a block that bears
    /// [`SAMPLED`].
    #[cold]
    #[inline(never)]
    pub(super) unsafe fn realloc_sampled(
        &self,
        ptr: *mut u8,
        layout: Layout,
        new_size: usize,
    ) -> *mut u8 {
        let old_size = layout.size();
        let (old_place, new_place) = (Place::of(old_size), Place::of(new_size));
        let held = profile::hold(ptr.addr());
        let tag = held.as_ref().map_or(UNTAGGED, Held::tag);
        let outer = block::outer(layout, old_place);
        let new_outer_size = new_place.outer_size(new_size);
        // SAFETY: this is what the backend gave for a block of this tag; the new outer size is not
        // zero, and valid since the new size is, as the caller promises.
        let new_ptr = unsafe { self.realloc_isolated(ptr, outer, new_outer_size, tag) };
        if new_ptr.is_null() {
            if !held.is_some_and(Held::put_back) {
                // SAFETY: the old block stands as it was.
                unsafe { block::write_tag(ptr, old_size, old_place, tag) };
            }
            return new_ptr;
        }
        // SAFETY: the block is now of the outer layout of `new_size` bytes.
        if !unsafe { block::write_tag(new_ptr, new_size, new_place, tag) } {
            held.map(Held::forget);
            return Self::resize_unmapped(new_ptr, tag, old_size, new_size);
        }
        // That a sample may be due in what it grew by is nothing new of it.
        let due = Self::count_resized(tag, old_size, new_size);
        let Some(held) = held else {
            // SAFETY: as above; nobody else has it yet.
            unsafe { Self::sample_if_due(new_ptr, new_size, tag, due) };
            return new_ptr;
        };
        if held.resized(new_ptr.addr(), new_size, thread::draw_lots) {
            // SAFETY: as above.
            unsafe { block::write_tag(new_ptr, new_size, new_place, SAMPLED) };
        }
        new_ptr
    }
}
