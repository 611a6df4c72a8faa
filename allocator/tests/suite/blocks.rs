//! What a caller of the allocator gets, at every size and at the edges of layouts.

use std::alloc::GlobalAlloc;
use std::collections::VecDeque;

use bursar_alloc::{Tag, tag_usage, thread_usage};

use super::block::{Block, layout};
use crate::ALLOCATOR;

/// Blocks that stay for a while, so that one that reaches into its neighbour is seen.
const NEIGHBOURS: usize = 16;

#[test]
fn blocks_of_every_size_and_alignment_are_aligned_wholly_usable_and_counted_as_asked() {
    static TAG: Tag = Tag::new("blocks/matrix");
    let mut neighbours = VecDeque::with_capacity(NEIGHBOURS);
    let _tag = TAG.enter();
    let before = thread_usage(&TAG).unwrap();
    let mut asked_bytes = 0;
    for align in (0..=16).map(|shift| 1usize << shift) {
        for size in 0..=5000 {
            if neighbours.len() == NEIGHBOURS {
                neighbours.pop_front();
            }
            neighbours.push_back(Block::new(&ALLOCATOR, layout(size, align), size as u8));
            asked_bytes += size as u64;
        }
        let counted = thread_usage(&TAG).unwrap().allocated_bytes - before.allocated_bytes;
        assert_eq!(counted, asked_bytes);
    }
    drop(neighbours);
    assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (0, 0));
}

#[test]
fn zeroed_blocks_of_every_size_and_alignment_are_zero_also_where_freed_ones_were() {
    static TAG: Tag = Tag::new("blocks/zeroed");
    let _tag = TAG.enter();
    for align in (0..=16).map(|shift| 1usize << shift) {
        for size in 0..=5000 {
            // It finds zeros, and leaves others to be found.
            Block::try_new_zeroed(&ALLOCATOR, layout(size, align), 0xFF).expect("memory");
        }
    }
    for size in [1 << 20, 8 << 20] {
        drop(Block::new(&ALLOCATOR, layout(size, 8), 0xFF));
        Block::try_new_zeroed(&ALLOCATOR, layout(size, 8), 0xFF).expect("memory");
    }
    assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (0, 0));
}

#[test]
fn a_layout_near_the_limit_gives_null_and_charges_nothing() {
    static TAG: Tag = Tag::new("blocks/near-limit");
    let _guard = TAG.enter();
    let limit = isize::MAX as usize;
    for layout in [layout(limit, 1), layout(limit - 7, 8), layout(limit - 4095, 4096)] {
        // SAFETY: the size is not zero.
        assert!(unsafe { ALLOCATOR.alloc(layout) }.is_null());
        // SAFETY: the size is not zero.
        assert!(unsafe { ALLOCATOR.alloc_zeroed(layout) }.is_null());
    }
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, 0);
}

#[test]
fn a_realloc_that_cannot_be_had_leaves_the_block_and_its_charge() {
    static TAG: Tag = Tag::new("blocks/failed-realloc");
    let _tag = TAG.enter();
    for size in [16, 1023, 1024, 100_000] {
        let mut block = Block::new(&ALLOCATOR, layout(size, 1), 7);
        for new_size in [isize::MAX as usize, isize::MAX as usize - 1] {
            assert!(!block.try_resize(new_size));
        }
        assert_eq!(tag_usage(&TAG).live_bytes, size as u64);
    }
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}

#[test]
fn a_realloc_around_the_line_between_trailer_and_map_keeps_tag_and_content_both_ways() {
    static TAG: Tag = Tag::new("blocks/around-the-line");
    for align in [1, 8, 64, 4096] {
        assert_resizes(&TAG, align, 1000..=1048);
    }
}

#[test]
fn a_realloc_far_across_the_line_keeps_tag_and_content_both_ways() {
    static TAG: Tag = Tag::new("blocks/across-the-line");
    for align in [1, 8, 64, 4096] {
        assert_resizes(&TAG, align, [1, 512, 1023, 1024, 2048, 40_000, 1 << 20]);
    }
}

/// Resizes a block from each of the sizes to each.
fn assert_resizes(
    tag: &'static Tag,
    align: usize,
    sizes: impl IntoIterator<Item = usize, IntoIter: Clone> + Clone,
) {
    for old in sizes.clone() {
        for new in sizes.clone() {
            let mut block = tag.scope(|| Block::new(&ALLOCATOR, layout(old, align), 0xA5));
            assert!(block.try_resize(new), "{old} to {new} by {align}");
            let used = tag_usage(tag);
            assert_eq!((used.live_bytes, used.live_blocks), (new as u64, 1), "{old} to {new}");
            drop(block);
            let used = tag_usage(tag);
            assert_eq!((used.live_bytes, used.live_blocks), (0, 0), "{old} to {new} by {align}");
        }
    }
}
