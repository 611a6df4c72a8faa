//! The platform's own allocator.

use std::alloc::{GlobalAlloc, Layout};

use super::{Backend, BackendStats, Collect, Collected};

/// The allocator of the operating system, by [`std::alloc::System`].
///
/// It reports nothing of itself and gives pages back when it likes.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{AccountingAllocator, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() {
///     assert!(bursar_alloc::is_installed());
/// }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

// SAFETY: every call is forwarded as it is to an allocator that keeps the contract.
unsafe impl GlobalAlloc for System {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { std::alloc::System.alloc(layout) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { std::alloc::System.alloc_zeroed(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { std::alloc::System.dealloc(ptr, layout) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { std::alloc::System.realloc(ptr, layout, new_size) }
    }
}

// SAFETY: `GlobalAlloc` above forwards all four calls.
unsafe impl Backend for System {
    const NAME: &'static str = "system";

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(_: Collect) -> Collected {
        Collected::Unsupported
    }
}
