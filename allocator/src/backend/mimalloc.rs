//! mimalloc, by the crate `mimalloc`, in its second major version.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::mi_collect;
use mimalloc::MiMalloc as Inner;

use super::{Backend, BackendStats, Collect, CollectScope, Collected};

/// mimalloc v2. It gives back the free pages of the calling thread, and reports nothing.
///
/// Version 2, since the version 3 that the crate would build by itself is of those with crashes
/// reported under several threads (microsoft/mimalloc#1287).
///
/// Each thread has a heap of its own, and only that thread can give its free pages back: a block
/// freed by another thread goes back to the heap it came from, whose owner finds it when it next
/// allocates or collects. So [`collect`](crate::collect) gives back the calling thread's pages, on
/// the main thread also those that ended threads left behind, and of other live threads only
/// segments they gave up whole. A service whose caches are to shrink under pressure does better
/// on `Jemalloc`; on mimalloc let each worker thread collect when it has nothing else to do.
///
/// mimalloc counts the address space it has committed, a gigabyte at a time, which tells nothing
/// of the memory behind it: all of [`BackendStats`] is `None`.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{AccountingAllocator, Mimalloc};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<Mimalloc> = AccountingAllocator::new(Mimalloc);
///
/// fn main() {
///     assert!(bursar_alloc::is_installed());
/// }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Mimalloc;

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
    const COLLECTS: CollectScope = CollectScope::CallingThread;

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(how: Collect) -> Collected {
        // SAFETY: takes no pointer, and may be called on any thread at any time; it leaves live
        // blocks alone.
        unsafe { mi_collect(how == Collect::Purge) };
        Collected::Done
    }
}
