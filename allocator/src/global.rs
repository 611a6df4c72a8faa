//! [`AccountingAllocator`]: a backend whose every block is counted under a tag.

mod isolated;
mod retag;
#[cfg(feature = "profile")]
mod sampled;

use std::alloc::{GlobalAlloc, Layout};

use crate::backend::{Backend, Controls};
use crate::block::{self, Place};
#[cfg(feature = "profile")]
use crate::tag_table::SAMPLED;
use crate::thread::{self, Due};

pub use retag::Retag;

/// A global allocator that counts live bytes and blocks per [`Tag`](crate::Tag).
///
/// Each block carries the number of the tag it was allocated under, so its free is credited to
/// that tag whatever thread frees it. Counted are the bytes asked for, not what the backend
/// rounds them up to. `realloc` keeps a block's tag.
///
/// The path of an allocation takes no lock, allocates nothing, calls no user code and does not
/// panic; it costs some plain loads and stores on the thread's own counters. A failed allocation
/// is null, as with the backend, and counts nothing.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{AccountingAllocator, System, Tag};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// static THUMBNAILS: Tag = Tag::new("thumbnails");
///
/// fn main() {
///     let thumbnail = THUMBNAILS.scope(|| vec![0u8; 4096]);
///     assert_eq!(bursar_alloc::tag_usage(&THUMBNAILS).live_bytes, 4096);
///     drop(thumbnail);
///     assert_eq!(bursar_alloc::tag_usage(&THUMBNAILS).live_bytes, 0);
/// }
/// ```
#[derive(Debug, Default)]
pub struct AccountingAllocator<B> {
    backend: B,
}

impl<B: Backend> AccountingAllocator<B> {
    /// Wraps a backend.
    pub const fn new(backend: B) -> Self {
        Self { backend }
    }

    const CONTROLS: &'static Controls = &Controls::of::<B>();

    /// # Safety
    ///
    /// As for [`GlobalAlloc::alloc`], and `place` is that of the layout's size.
    #[inline(always)]
    unsafe fn alloc_with_tag_in(&self, place: Place, layout: Layout) -> *mut u8 {
        // SAFETY: the outer size is never zero.
        let ptr = unsafe { self.backend.alloc(block::outer(layout, place)) };
        // SAFETY: `ptr` is null or of the outer layout.
        unsafe { Self::admit(ptr, layout.size(), place) }
    }

    /// # Safety
    ///
    /// As for [`GlobalAlloc::dealloc`], and `place` is that of the layout's size.
    #[inline(always)]
    unsafe fn dealloc_with_tag_in(&self, place: Place, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's block is ours, of this layout, and not yet freed.
        let tag = unsafe { block::read_tag(ptr, layout.size(), place) };
        if Self::is_set_apart(tag) {
            let (size, align) = (layout.size(), layout.align());
            // SAFETY: the caller's block, whose layout and tag these are.
            return unsafe { Self::dealloc_isolated(ptr, size, align, tag, &self.backend) };
        }
        if !thread::uncharge(tag, layout.size()) {
            let (size, align) = (layout.size(), layout.align());
            // SAFETY: the caller's block, whose layout and tag these are.
            return unsafe { Self::dealloc_slowly(ptr, size, align, tag, &self.backend) };
        }
        // SAFETY: this is what the backend gave, at the layout it gave it for.
        unsafe { self.backend.dealloc(ptr, block::outer(layout, place)) };
    }

    /// Marks the new block at `ptr` with the thread's tag and counts it; null is handed on.
    ///
    /// # Safety
    ///
    /// `ptr` is null, or the backend has just made it a block of the outer layout of `size`,
    /// whose place `place` is.
    #[inline(always)]
    unsafe fn admit(ptr: *mut u8, size: usize, place: Place) -> *mut u8 {
        if ptr.is_null() {
            return ptr;
        }
        let tag = thread::current_tag();
        // SAFETY: it is a block of that outer layout, and nobody else has it yet.
        if !unsafe { block::write_tag(ptr, size, place, tag) } {
            return Self::admit_unmapped(ptr, size, tag);
        }
        if thread::charge(tag, size) { ptr } else { Self::admit_slowly(ptr, size, tag) }
    }

    /// The rest of [`admit`](Self::admit), where the block's address has no map yet. Outlined
    /// whole, as the other slow paths, so that nothing is saved across a call on the way that is
    /// always taken.
    #[cold]
    #[inline(never)]
    fn admit_unmapped(ptr: *mut u8, size: usize, tag: u8) -> *mut u8 {
        let tag = block::write_tag_slowly(ptr, tag);
        let due = Self::count(tag, size);
        // SAFETY: `admit` has handed its block on, which nobody else has yet.
        unsafe { Self::sample_if_due(ptr, size, tag, due) };
        ptr
    }

    /// The rest of [`admit`](Self::admit), where the thread's fuel is used up.
    #[cold]
    #[inline(never)]
    fn admit_slowly(ptr: *mut u8, size: usize, tag: u8) -> *mut u8 {
        let due = thread::charge_slowly(tag, size, Self::CONTROLS);
        // SAFETY: `admit` has handed its block on, which nobody else has yet.
        unsafe { Self::sample_if_due(ptr, size, tag, due) };
        ptr
    }

    /// Uncounts and frees a block, where the thread has no shard of its own. The parameters are in
    /// the order in which the compiler has them, so that nothing is moved on the way that is
    /// always taken.
    ///
    /// # Safety
    ///
    /// `ptr` is a block of ours, of a layout of this size and alignment and of this tag, not to
    /// be used any more.
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_slowly(ptr: *mut u8, size: usize, align: usize, tag: u8, backend: &B) {
        thread::uncharge_slowly(tag, size);
        // SAFETY: they are a layout's.
        let layout = unsafe { Layout::from_size_align_unchecked(size, align) };
        // SAFETY: this is what the backend gave, at the layout it gave it for.
        unsafe { backend.dealloc(ptr, block::outer(layout, Place::of(size))) };
    }

    /// The rest of `realloc`, where the block's new address has no map yet. If it cannot have
    /// one, the whole charge goes where the tag goes.
    #[cold]
    #[inline(never)]
    fn resize_unmapped(ptr: *mut u8, tag: u8, old_size: usize, new_size: usize) -> *mut u8 {
        let new_tag = block::write_tag_slowly(ptr, tag);
        let due = if new_tag == tag {
            Self::count_resized(tag, old_size, new_size)
        } else {
            thread::uncharge_slowly(tag, old_size);
            Self::count(new_tag, new_size)
        };
        // SAFETY: `realloc` has handed its block on, which nobody else has yet.
        unsafe { Self::sample_if_due(ptr, new_size, new_tag, due) };
        ptr
    }

    /// Counts a new block, on whatever way.
    fn count(tag: u8, size: usize) -> Due {
        if thread::charge(tag, size) {
            return None;
        }
        thread::charge_slowly(tag, size, Self::CONTROLS)
    }

    /// Counts what a block grew or shrank by.
    #[inline(always)]
    fn count_resized(tag: u8, old_size: usize, new_size: usize) -> Due {
        if new_size >= old_size {
            return thread::grow(tag, new_size - old_size, Self::CONTROLS);
        }
        thread::shrink(tag, old_size - new_size);
        None
    }

    /// There is no heap profile.
    ///
    /// # Safety
    ///
    /// None: nothing is done.
    #[cfg(not(feature = "profile"))]
    #[inline(always)]
    unsafe fn sample_if_due(_: *mut u8, _: usize, _: u8, _: Due) {}
}

// SAFETY: blocks are the backend's own, of at least the size and the alignment asked for; the
// byte behind those asked for is never handed out.
unsafe impl<B: Backend> GlobalAlloc for AccountingAllocator<B> {
    // The two places part at the first branch, so that neither way tests for the other again.
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::is_current_tag_isolated() {
            // SAFETY: the caller's promise.
            return unsafe { self.alloc_isolated(layout) };
        }
        match Place::of(layout.size()) {
            // SAFETY: the caller's promise, and this is the place.
            Place::Trailer => unsafe { self.alloc_with_tag_in(Place::Trailer, layout) },
            // SAFETY: as above.
            Place::Map => unsafe { self.alloc_with_tag_in(Place::Map, layout) },
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if Self::is_current_tag_isolated() {
            // SAFETY: the caller's promise.
            return unsafe { self.alloc_zeroed_isolated(layout) };
        }
        let place = Place::of(layout.size());
        // SAFETY: as in `alloc`.
        let ptr = unsafe { self.backend.alloc_zeroed(block::outer(layout, place)) };
        // SAFETY: `ptr` is null or of the outer layout.
        unsafe { Self::admit(ptr, layout.size(), place) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        match Place::of(layout.size()) {
            // SAFETY: the caller's promise, and this is the place.
            Place::Trailer => unsafe { self.dealloc_with_tag_in(Place::Trailer, ptr, layout) },
            // SAFETY: as above.
            Place::Map => unsafe { self.dealloc_with_tag_in(Place::Map, ptr, layout) },
        }
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let old_size = layout.size();
        let (old_place, new_place) = (Place::of(old_size), Place::of(new_size));
        // SAFETY: the caller's block is ours, of this layout, and not yet freed.
        let tag = unsafe { block::read_tag(ptr, old_size, old_place) };
        let outer = block::outer(layout, old_place);
        let new_outer_size = new_place.outer_size(new_size);
        let new_ptr = if Self::is_set_apart(tag) {
            #[cfg(feature = "profile")]
            if tag == SAMPLED {
                // SAFETY: the caller's promise.
                return unsafe { self.realloc_sampled(ptr, layout, new_size) };
            }
            // SAFETY: as below.
            unsafe { self.realloc_isolated(ptr, outer, new_outer_size, tag) }
        } else {
            // SAFETY: this is what the backend gave; the new outer size is not zero, and valid
            // since the new size is, as the caller promises.
            unsafe { self.backend.realloc(ptr, outer, new_outer_size) }
        };
        if new_ptr.is_null() {
            // The old block stands as it was, its tag included.
            return new_ptr;
        }
        // SAFETY: the block is now of the outer layout of `new_size` bytes.
        if !unsafe { block::write_tag(new_ptr, new_size, new_place, tag) } {
            return Self::resize_unmapped(new_ptr, tag, old_size, new_size);
        }
        let due = Self::count_resized(tag, old_size, new_size);
        if due.is_some() {
            // SAFETY: nobody else has the block yet, and it bears the tag.
            unsafe { Self::sample_if_due(new_ptr, new_size, tag, due) };
        }
        new_ptr
    }
}

#[cfg(test)]
mod tests;
