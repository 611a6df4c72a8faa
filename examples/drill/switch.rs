//! The drill's allocator: the bare one or Bursar's over it, chosen once.
//!
//! Both runs are of one binary, so that nothing but the allocator and what
//! Bursar does with its figures differs. The choice is made at the process's
//! first allocation, before `main`, and never changes: every block is freed by
//! the allocator that gave it.

use bursar::{AccountingAllocator, Jemalloc};
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::CStr;
use std::sync::atomic::{AtomicU8, Ordering};

/// The environment variable that chooses: set, to whatever, means bare.
pub(crate) const BARE: &str = "BURSAR_DRILL_BARE";
const BARE_C: &CStr = c"BURSAR_DRILL_BARE";

const UNDECIDED: u8 = 0;
const ACCOUNTED: u8 = 1;
const UNACCOUNTED: u8 = 2;

/// Both allocators, of which one is used.
pub(crate) struct Switch {
    choice: AtomicU8,
    bursar: AccountingAllocator<Jemalloc>,
    bare: Jemalloc,
}

impl Switch {
    pub(crate) const fn new() -> Self {
        Self {
            choice: AtomicU8::new(UNDECIDED),
            bursar: AccountingAllocator::new(Jemalloc),
            bare: Jemalloc,
        }
    }

    /// Whether this process allocates from the bare allocator.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        match self.choice.load(Ordering::Relaxed) {
            UNDECIDED => self.decide(),
            choice => choice == UNACCOUNTED,
        }
    }

    /// Reads the environment, without allocating.
    #[cold]
    fn decide(&self) -> bool {
        // SAFETY: the name is a C string, and nothing in this program changes
        // the environment, so that the list `getenv` walks stands still.
        let value = unsafe { libc::getenv(BARE_C.as_ptr()) };
        let choice = if value.is_null() { ACCOUNTED } else { UNACCOUNTED };
        // Two threads that both get here read the same environment.
        self.choice.store(choice, Ordering::Relaxed);
        choice == UNACCOUNTED
    }
}

// SAFETY: every call goes to one and the same allocator for the whole life of
// the process, since `choice` is decided at the first and never changes; that
// allocator keeps the contract.
unsafe impl GlobalAlloc for Switch {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if self.is_bare() {
            // SAFETY: the caller's promises are passed on as they came.
            unsafe { self.bare.alloc(layout) }
        } else {
            // SAFETY: as above.
            unsafe { self.bursar.alloc(layout) }
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if self.is_bare() {
            // SAFETY: the caller's promises are passed on as they came.
            unsafe { self.bare.alloc_zeroed(layout) }
        } else {
            // SAFETY: as above.
            unsafe { self.bursar.alloc_zeroed(layout) }
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_bare() {
            // SAFETY: the block came from this allocator, since the choice has
            // not changed since; the rest is the caller's promise.
            unsafe { self.bare.dealloc(block, layout) }
        } else {
            // SAFETY: as above.
            unsafe { self.bursar.dealloc(block, layout) }
        }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if self.is_bare() {
            // SAFETY: the block came from this allocator, since the choice has
            // not changed since; the rest is the caller's promise.
            unsafe { self.bare.realloc(block, layout, size) }
        } else {
            // SAFETY: as above.
            unsafe { self.bursar.realloc(block, layout, size) }
        }
    }
}
