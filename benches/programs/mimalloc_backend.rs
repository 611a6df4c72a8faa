//! mimalloc as a backend, until the allocator crate has its own.

use std::alloc::{GlobalAlloc, Layout};

use bursar_alloc::{Backend, BackendStats, Collect, Collected};
use mimalloc::MiMalloc as Inner;

/// mimalloc, which says nothing of itself here.
#[derive(Debug)]
pub(crate) struct Mimalloc;

// SAFETY: every call is forwarded as it is to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { Inner.alloc(layout) }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { Inner.alloc_zeroed(layout) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { Inner.dealloc(ptr, layout) }
    }

    #[inline(always)]
    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { Inner.realloc(ptr, layout, new_size) }
    }
}

// SAFETY: `GlobalAlloc` above forwards all four calls.
unsafe impl Backend for Mimalloc {
    const NAME: &'static str = "mimalloc";

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(_: Collect) -> Collected {
        Collected::Unsupported
    }
}
