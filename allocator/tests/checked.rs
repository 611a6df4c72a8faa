//! The suite over a backend that checks every layout and looks for writes past a block's end and
//! after its free. And first, that it does find them.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

mod suite;
#[path = "support/checked.rs"]
mod support;

use std::alloc::{GlobalAlloc, Layout};

use bursar_alloc::{AccountingAllocator, System};

use suite::block::layout;
use suite::child;
use support::Checked;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Checked<System>> =
    AccountingAllocator::new(Checked::new(System));

/// Misused, with nothing between it and the misuse.
static CHECKED: Checked<System> = Checked::new(System);

const LAYOUT: Layout = match Layout::from_size_align(100, 8) {
    Ok(layout) => layout,
    Err(_) => panic!("a valid layout"),
};

/// Runs `misuse` on a new block of [`LAYOUT`] in a process of its own, which ends by `message`.
fn assert_found(test: &str, message: &str, misuse: impl FnOnce(*mut u8)) {
    if child::is_inside(test) {
        // SAFETY: the size is not zero.
        misuse(unsafe { CHECKED.alloc(LAYOUT) });
        return;
    }
    let output = child::run(test);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "it goes on after {test}");
    assert!(text.contains(message), "{test} says {text:?}");
}

fn free(ptr: *mut u8, layout: Layout) {
    // SAFETY: what is wrong with it the allocator looks for before it does anything.
    unsafe { CHECKED.dealloc(ptr, layout) };
}

#[test]
fn a_free_by_another_size_is_found() {
    assert_found("a_free_by_another_size_is_found", "another layout", |ptr| {
        free(ptr, layout(99, 8));
    });
}

#[test]
fn a_free_by_another_alignment_is_found() {
    assert_found("a_free_by_another_alignment_is_found", "another layout", |ptr| {
        free(ptr, layout(100, 4));
    });
}

#[test]
fn a_resize_by_another_layout_is_found() {
    assert_found("a_resize_by_another_layout_is_found", "another layout", |ptr| {
        // SAFETY: what is wrong with it the allocator looks for before it does anything.
        unsafe { CHECKED.realloc(ptr, layout(101, 8), 200) };
    });
}

#[test]
fn a_block_freed_twice_is_found() {
    assert_found("a_block_freed_twice_is_found", "freed already", |ptr| {
        free(ptr, LAYOUT);
        free(ptr, LAYOUT);
    });
}

#[test]
fn a_pointer_into_a_block_is_found_not_to_be_one() {
    assert_found("a_pointer_into_a_block_is_found_not_to_be_one", "not a block", |ptr| {
        free(ptr.wrapping_add(48), layout(16, 16));
    });
}

#[test]
fn a_write_behind_a_blocks_end_is_found() {
    assert_found("a_write_behind_a_blocks_end_is_found", "behind the block's end", |ptr| {
        // SAFETY: the red zone is behind the block.
        let behind = unsafe { ptr.add(LAYOUT.size()) };
        // SAFETY: as above.
        unsafe { behind.write(1) };
        free(ptr, LAYOUT);
    });
}

#[test]
fn a_write_to_a_freed_block_is_found_when_its_memory_is_given_back() {
    const NAME: &str = "a_write_to_a_freed_block_is_found_when_its_memory_is_given_back";
    assert_found(NAME, "after it was freed", |ptr| {
        free(ptr, LAYOUT);
        // SAFETY: its memory is kept back for a while.
        unsafe { ptr.write(1) };
        for _ in 0..1000 {
            // SAFETY: the size is not zero.
            free(unsafe { CHECKED.alloc(LAYOUT) }, LAYOUT);
        }
    });
}
