//! The platform's own allocator.

use std::alloc::{GlobalAlloc, Layout};

use super::{Backend, BackendStats, Collect, CollectScope, Collected};

/// The allocator of the operating system, by [`std::alloc::System`].
///
/// On Linux with glibc, [`Collect::Purge`] gives back the free pages of all threads by
/// `malloc_trim`: some 10 ms for 100 MB of them, and up to 40 ms among half a million free
/// blocks, each time, while threads that allocate wait. Elsewhere it gives pages back when it
/// likes.
///
/// It reports nothing of itself: glibc can count its free bytes, but not which of them still have
/// memory behind them, and walks every free block to do it.
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
    const COLLECTS: CollectScope =
        if CAN_TRIM { CollectScope::AllThreads } else { CollectScope::Nothing };

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(how: Collect) -> Collected {
        match how {
            Collect::Purge if CAN_TRIM => trim(),
            Collect::Purge | Collect::Decay => Collected::Unsupported,
        }
    }
}

/// Whether this is glibc, which can be asked for its free pages. (Miri is not.)
const CAN_TRIM: bool = cfg!(all(target_os = "linux", target_env = "gnu", not(miri)));

#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn trim() -> Collected {
    // SAFETY: takes no pointer, and may be called at any time; it leaves live blocks alone.
    unsafe { libc::malloc_trim(0) };
    Collected::Done
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn trim() -> Collected {
    Collected::Unsupported
}
