//! What becomes of blocks whose address cannot be mapped.

use super::*;
use crate::block::refuse_new_regions;
use crate::isolate::testing::{self, Parted};
use crate::tag::Tag;
use crate::usage::{TagUsage, tag_usage, usage};

static ALLOCATOR: AccountingAllocator<Parted> = AccountingAllocator::new(Parted);
static TAG: Tag = Tag::new("global/unmapped");

const SMALL: Layout = layout(100);
const LARGE: Layout = layout(40_000);

const fn layout(size: usize) -> Layout {
    match Layout::from_size_align(size, 8) {
        Ok(layout) => layout,
        Err(_) => panic!("a valid layout"),
    }
}

fn untagged() -> TagUsage {
    usage().tags.swap_remove(0)
}

/// Live bytes and blocks of the tag, and of what is untagged.
fn books() -> [(u64, u64); 2] {
    [tag_usage(&TAG), untagged()].map(|usage| (usage.live_bytes, usage.live_blocks))
}

#[test]
fn an_unmapped_block_is_untagged_at_allocation_realloc_and_free_and_the_sums_stay_exact() {
    // The others that allocate through the allocator would be refused too.
    let _alone = testing::alone();
    let _tag = TAG.enter();
    refuse_new_regions(true);

    // SAFETY: the size is not zero.
    let large = unsafe { ALLOCATOR.alloc(LARGE) };
    assert_eq!(books(), [(0, 0), (40_000, 1)]);
    assert_eq!(usage().unattributed_blocks_total, 1);

    // SAFETY: the size is not zero.
    let small = unsafe { ALLOCATOR.alloc(SMALL) };
    assert_eq!(books(), [(100, 1), (40_000, 1)], "a small block bears its tag itself");

    // SAFETY: the block is live and of this layout.
    let grown = unsafe { ALLOCATOR.realloc(small, SMALL, LARGE.size()) };
    assert_eq!(books(), [(0, 0), (80_000, 2)], "its charge has gone where its tag went");

    // SAFETY: the block is live and of this layout.
    let shrunk = unsafe { ALLOCATOR.realloc(grown, LARGE, SMALL.size()) };
    assert_eq!(books(), [(0, 0), (40_100, 2)], "an untagged block stays untagged");

    // SAFETY: the size is not zero.
    let zeroed = unsafe { ALLOCATOR.alloc_zeroed(LARGE) };
    assert_eq!(books(), [(0, 0), (80_100, 3)]);
    // SAFETY: so many bytes were asked for, and are zero.
    let bytes = unsafe { std::slice::from_raw_parts(zeroed, LARGE.size()) };
    assert!(bytes.iter().all(|&byte| byte == 0), "no tag was written into it");

    refuse_new_regions(false);
    // SAFETY: the block is live and of this layout.
    unsafe { ALLOCATOR.dealloc(zeroed, LARGE) };
    // SAFETY: the block is live and of this layout.
    unsafe { ALLOCATOR.dealloc(large, LARGE) };
    // SAFETY: the block is live and of this layout.
    unsafe { ALLOCATOR.dealloc(shrunk, SMALL) };
    assert_eq!(books(), [(0, 0), (0, 0)]);
}
