//! What a caller of the allocator gets, at the edges of layouts and when the backend fails.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicI64, Ordering};

use bursar_alloc::{AccountingAllocator, Backend, BackendStats, Collect, Collected, System, Tag};
use bursar_alloc::{tag_usage, thread_usage};

static DIRECT: AccountingAllocator<System> = AccountingAllocator::new(System);

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

#[test]
fn blocks_are_aligned_and_wholly_usable_at_every_size_and_alignment() {
    static TAG: Tag = Tag::new("blocks/matrix");
    let _guard = TAG.enter();
    for align in (0..=16).map(|shift| 1usize << shift) {
        for size in [0, 1, 7, 8, 63, 64, 1000, 1023, 1024, 1025, 4096, 65_536] {
            let layout = layout(size, align);
            // SAFETY: the allocator turns a size of zero into one of its own.
            let ptr = unsafe { DIRECT.alloc(layout) };
            assert!(!ptr.is_null());
            assert_eq!(ptr.addr() % align, 0);
            assert_eq!(tag_usage(&TAG).live_bytes, size as u64);
            // SAFETY: `size` bytes were asked for.
            unsafe { ptr.write_bytes(0xA5, size) };
            // SAFETY: the block is live, and its layout this one.
            unsafe { DIRECT.dealloc(ptr, layout) };
            assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (0, 0));
        }
    }
}

#[test]
fn zeroed_blocks_are_zero() {
    for size in [1, 100, 5000, 1 << 20] {
        // Dirty memory first, for the next block to land on.
        drop(std::hint::black_box(vec![0xFFu8; size]));
        let zeroed = std::hint::black_box(vec![0u8; size]);
        assert!(zeroed.iter().all(|&byte| byte == 0));
    }
}

#[test]
fn a_layout_near_the_limit_gives_null_and_charges_nothing() {
    static TAG: Tag = Tag::new("blocks/near-limit");
    let _guard = TAG.enter();
    let limit = isize::MAX as usize;
    for layout in [layout(limit, 1), layout(limit - 7, 8), layout(limit - 4095, 4096)] {
        // SAFETY: the size is not zero.
        assert!(unsafe { DIRECT.alloc(layout) }.is_null());
        // SAFETY: the size is not zero.
        assert!(unsafe { DIRECT.alloc_zeroed(layout) }.is_null());
    }
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, 0);
}

#[test]
fn a_realloc_that_cannot_be_had_leaves_the_block_and_its_charge() {
    static TAG: Tag = Tag::new("blocks/failed-realloc");
    let _guard = TAG.enter();
    let small = layout(16, 1);
    // SAFETY: the size is not zero.
    let ptr = unsafe { DIRECT.alloc(small) };
    // SAFETY: 16 bytes were asked for.
    unsafe { ptr.write_bytes(7, 16) };
    for new_size in [isize::MAX as usize, isize::MAX as usize - 1] {
        // SAFETY: the block is live and of this layout; the new size is within isize::MAX.
        assert!(unsafe { DIRECT.realloc(ptr, small, new_size) }.is_null());
    }
    // SAFETY: the block is as it was, 16 bytes that were written above.
    let bytes = unsafe { std::slice::from_raw_parts(ptr, 16) };
    assert!(bytes.iter().all(|&byte| byte == 7));
    assert_eq!(tag_usage(&TAG).live_bytes, 16);
    // SAFETY: the block is live, and its layout this one.
    unsafe { DIRECT.dealloc(ptr, small) };
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}

#[test]
fn a_realloc_across_the_line_between_trailer_and_map_keeps_tag_and_content_both_ways() {
    static TAG: Tag = Tag::new("blocks/across-the-line");
    let sizes = [1, 512, 1022, 1023, 1024, 1025, 1026, 2048, 40_000, 1 << 20];
    for align in [1, 8, 64, 4096] {
        for (old, new) in sizes.into_iter().flat_map(|old| sizes.map(|new| (old, new))) {
            let (old_layout, new_layout) = (layout(old, align), layout(new, align));
            // SAFETY: the size is not zero.
            let ptr = TAG.scope(|| unsafe { DIRECT.alloc(old_layout) });
            // SAFETY: `old` bytes were asked for.
            unsafe { ptr.write_bytes(0xA5, old) };
            // SAFETY: the block is live and of this layout.
            let ptr = unsafe { DIRECT.realloc(ptr, old_layout, new) };
            // SAFETY: so many bytes were written, and survive.
            let kept = unsafe { std::slice::from_raw_parts(ptr, old.min(new)) };
            assert!(kept.iter().all(|&byte| byte == 0xA5), "{old} to {new}");
            assert_eq!(ptr.addr() % align, 0);
            assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (new as u64, 1));
            // SAFETY: the block is live, and its layout this one.
            unsafe { DIRECT.dealloc(ptr, new_layout) };
            assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (0, 0));
        }
    }
}

/// Answers null once `CALLS_LEFT` is used up.
#[derive(Debug)]
struct Failing;

static CALLS_LEFT: AtomicI64 = AtomicI64::new(0);

impl Failing {
    fn allowed() -> bool {
        CALLS_LEFT.fetch_sub(1, Ordering::Relaxed) > 0
    }
}

// SAFETY: null is a permitted answer; all else is the system's allocator.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::allowed() {
            // SAFETY: the caller's promise is the callee's condition.
            unsafe { System.alloc(layout) }
        } else {
            std::ptr::null_mut()
        }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if Self::allowed() {
            // SAFETY: the caller's promise is the callee's condition.
            unsafe { System.realloc(ptr, layout, new_size) }
        } else {
            std::ptr::null_mut()
        }
    }
}

// SAFETY: as for `GlobalAlloc` above.
unsafe impl Backend for Failing {
    const NAME: &'static str = "failing";

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(_: Collect) -> Collected {
        Collected::Unsupported
    }
}

#[test]
fn whichever_call_the_backend_refuses_nothing_is_charged_for_it() {
    static TAG: Tag = Tag::new("blocks/failing");
    static FAILING: AccountingAllocator<Failing> = AccountingAllocator::new(Failing);
    let _guard = TAG.enter();
    let (small, large) = (layout(100, 8), layout(900, 8));
    for calls in 0..3 {
        CALLS_LEFT.store(calls, Ordering::Relaxed);
        let before = thread_usage(&TAG).unwrap();
        // SAFETY: the size is not zero.
        let first = unsafe { FAILING.alloc(small) };
        // SAFETY: as above.
        let second = unsafe { FAILING.alloc_zeroed(small) };
        let grown = if first.is_null() {
            first
        } else {
            // SAFETY: the block is live and of this layout.
            unsafe { FAILING.realloc(first, small, large.size()) }
        };
        let answered = [first, second, grown].iter().filter(|ptr| !ptr.is_null()).count();
        assert_eq!(answered as i64, calls, "each call that was allowed was answered");

        let charged = thread_usage(&TAG).unwrap().allocated_bytes - before.allocated_bytes;
        assert_eq!(charged, [0, 100, 200][calls as usize]);
        for (ptr, layout) in [(first, small), (second, small)] {
            if !ptr.is_null() {
                // SAFETY: the realloc, the last call, was refused: both are as they were.
                unsafe { FAILING.dealloc(ptr, layout) };
            }
        }
        assert_eq!(tag_usage(&TAG).live_bytes, 0);
    }
}
