//! An allocator that counts for itself what its thread asked for and got, to be held against
//! Bursar's books.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

use bursar_alloc::{AccountingAllocator, Backend, thread_usage_total};

/// What one thread has allocated and freed so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) allocated_bytes: u64,
    pub(crate) freed_bytes: u64,
    /// Calls that were answered by null.
    pub(crate) refusals: u64,
    /// Those of them after which Bursar's books of this thread were not what they had been.
    pub(crate) counted_refusals: u64,
}

thread_local! {
    static SEEN: Cell<Seen> = const {
        Cell::new(Seen { allocated_bytes: 0, freed_bytes: 0, refusals: 0, counted_refusals: 0 })
    };
}

/// What was seen on this thread.
pub(crate) fn seen() -> Seen {
    SEEN.get()
}

fn note(change: impl FnOnce(&mut Seen)) {
    let mut seen = SEEN.get();
    change(&mut seen);
    SEEN.set(seen);
}

/// Stands before Bursar's allocator.
#[derive(Debug)]
pub(crate) struct Witness<B>(pub(crate) AccountingAllocator<B>);

impl<B> Witness<B> {
    /// Makes a call; if it is answered by null, looks whether that was counted.
    fn watch(call: impl FnOnce() -> *mut u8) -> *mut u8 {
        let before = thread_usage_total();
        let ptr = call();
        if ptr.is_null() {
            let moved = before != thread_usage_total();
            note(|seen| {
                seen.refusals += 1;
                seen.counted_refusals += u64::from(moved);
            });
        }
        ptr
    }
}

// SAFETY: every call is forwarded as it is.
unsafe impl<B: Backend> GlobalAlloc for Witness<B> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        let ptr = Self::watch(|| unsafe { self.0.alloc(layout) });
        if !ptr.is_null() {
            note(|seen| seen.allocated_bytes += layout.size() as u64);
        }
        ptr
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        let ptr = Self::watch(|| unsafe { self.0.alloc_zeroed(layout) });
        if !ptr.is_null() {
            note(|seen| seen.allocated_bytes += layout.size() as u64);
        }
        ptr
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        note(|seen| seen.freed_bytes += layout.size() as u64);
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { self.0.dealloc(ptr, layout) };
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        let new = Self::watch(|| unsafe { self.0.realloc(ptr, layout, new_size) });
        if !new.is_null() {
            let (old_size, new_size) = (layout.size() as u64, new_size as u64);
            note(|seen| {
                seen.allocated_bytes += new_size.saturating_sub(old_size);
                seen.freed_bytes += old_size.saturating_sub(new_size);
            });
        }
        new
    }
}
