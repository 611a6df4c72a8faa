//! [`AccountingAllocator`]: a backend whose every block is counted under a tag.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;

use crate::backend::{Backend, Controls};
use crate::{block, thread};

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

    /// Counts the new block at `ptr` and marks it with its tag; null is handed on.
    #[inline(always)]
    unsafe fn admit(ptr: *mut u8, size: usize) -> *mut u8 {
        if ptr.is_null() {
            return ptr;
        }
        let Some(tag) = thread::charge(size) else {
            // SAFETY: as promised by the caller.
            return unsafe { Self::admit_slowly(ptr, size) };
        };
        // SAFETY: the backend has just made a block of the outer layout of this size.
        unsafe { block::write_tag(ptr, size, tag) };
        ptr
    }

    /// As [`admit`](Self::admit), where the thread's fuel is used up. Outlined whole, so that
    /// nothing is saved across a call on the way that is always taken.
    #[cold]
    #[inline(never)]
    unsafe fn admit_slowly(ptr: *mut u8, size: usize) -> *mut u8 {
        let tag = thread::charge_slowly(size, Self::CONTROLS);
        // SAFETY: the backend has just made a block of the outer layout of this size.
        unsafe { block::write_tag(ptr, size, tag) };
        ptr
    }

    /// Uncounts and frees a block, where the thread has no shard of its own.
    #[cold]
    #[inline(never)]
    unsafe fn dealloc_slowly(&self, ptr: *mut u8, layout: Layout, tag: u8) {
        thread::uncharge_slowly(tag, layout.size());
        // SAFETY: the block was allocated, so its outer layout exists.
        let outer = unsafe { block::outer_of_block(layout) };
        // SAFETY: this is what the backend gave, at the layout it gave it for.
        unsafe { self.backend.dealloc(ptr, outer) };
    }
}

// SAFETY: blocks are the backend's own, of at least the size and the alignment asked for; the
// bytes behind those asked for are never handed out.
unsafe impl<B: Backend> GlobalAlloc for AccountingAllocator<B> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(outer) = block::outer(layout) else {
            return null_mut();
        };
        // SAFETY: the outer size is never zero.
        let ptr = unsafe { self.backend.alloc(outer) };
        // SAFETY: `ptr` is null or of the outer layout.
        unsafe { Self::admit(ptr, layout.size()) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(outer) = block::outer(layout) else {
            return null_mut();
        };
        // SAFETY: the outer size is never zero.
        let ptr = unsafe { self.backend.alloc_zeroed(outer) };
        // SAFETY: `ptr` is null or of the outer layout.
        unsafe { Self::admit(ptr, layout.size()) }
    }

    #[inline]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's block is ours, of this layout, and not yet freed.
        let tag = unsafe { block::read_tag(ptr, layout.size()) };
        if !thread::uncharge(tag, layout.size()) {
            // SAFETY: the caller's block, whose tag this is.
            return unsafe { self.dealloc_slowly(ptr, layout, tag) };
        }
        // SAFETY: the block was allocated, so its outer layout exists.
        let outer = unsafe { block::outer_of_block(layout) };
        // SAFETY: this is what the backend gave, at the layout it gave it for.
        unsafe { self.backend.dealloc(ptr, outer) };
    }

    #[inline]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Some(new_outer) = block::outer_size(new_size, layout.align()) else {
            return null_mut();
        };
        let old_size = layout.size();
        // SAFETY: the caller's block is ours, of this layout, and not yet freed.
        let tag = unsafe { block::read_tag(ptr, old_size) };
        // SAFETY: the block was allocated, so its outer layout exists.
        let outer = unsafe { block::outer_of_block(layout) };
        // SAFETY: this is what the backend gave, and the new outer size is valid, not zero.
        let new_ptr = unsafe { self.backend.realloc(ptr, outer, new_outer) };
        if new_ptr.is_null() {
            // The old block stands as it was, its tag included.
            return new_ptr;
        }
        // SAFETY: the block is now of the outer layout of `new_size` bytes.
        unsafe { block::write_tag(new_ptr, new_size, tag) };
        if new_size >= old_size {
            thread::grow(tag, new_size - old_size, Self::CONTROLS);
        } else {
            thread::shrink(tag, old_size - new_size);
        }
        new_ptr
    }
}
