//! `realloc` on both sides of the line at a KiB, where a tag changes its place: in place, moving
//! and refused, as the backend is told.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

#[path = "support/block.rs"]
mod block;
#[path = "support/steered.rs"]
mod steered;

use std::ops::RangeInclusive;

use bursar_alloc::{AccountingAllocator, System, Tag, tag_usage, thread_usage_total};

use block::{Block, layout};
use steered::{Course, Steered, steer};

#[global_allocator]
static GLOBAL: AccountingAllocator<System> = AccountingAllocator::new(System);

static STEERED: AccountingAllocator<Steered> = AccountingAllocator::new(Steered);

/// From small ones, with a trailer, to large ones, in the map.
const SIZES: RangeInclusive<usize> = 1000..=1048;
const ALIGNS: [usize; 6] = [1, 2, 8, 16, 64, 1024];

/// Runs `resize` for a block of every size, alignment and new size, which is still there, alone
/// under `tag`, with the size that `resize` answers; then frees it.
fn for_every_resize(
    tag: &'static Tag,
    mut resize: impl FnMut(&mut Block<AccountingAllocator<Steered>>, usize) -> usize,
) {
    for align in ALIGNS {
        for (old, new) in SIZES.flat_map(|old| SIZES.map(move |new| (old, new))) {
            let mut block = tag.scope(|| Block::new(&STEERED, layout(old, align), 0xA5));
            let size = resize(&mut block, new) as u64;
            block.assert_intact();
            let used = tag_usage(tag);
            assert_eq!((used.live_bytes, used.live_blocks), (size, 1), "{old} to {new} by {align}");
            drop(block);
            let used = tag_usage(tag);
            assert_eq!((used.live_bytes, used.live_blocks), (0, 0), "{old} to {new} by {align}");
        }
    }
}

#[test]
fn a_block_resized_in_place_across_the_line_keeps_its_content_and_its_tag() {
    static TAG: Tag = Tag::new("resizing/stay");
    steer(Course::Stay);
    for_every_resize(&TAG, |block, new_size| {
        let address = block.address();
        assert!(block.try_resize(new_size));
        assert_eq!(block.address(), address);
        new_size
    });
}

#[test]
fn a_block_that_moves_across_the_line_keeps_its_content_and_its_tag() {
    static TAG: Tag = Tag::new("resizing/move");
    steer(Course::Move);
    for_every_resize(&TAG, |block, new_size| {
        let address = block.address();
        assert!(block.try_resize(new_size));
        assert_ne!(block.address(), address);
        new_size
    });
}

#[test]
fn a_resize_that_is_refused_leaves_the_block_and_every_counter() {
    static TAG: Tag = Tag::new("resizing/refuse");
    steer(Course::Refuse);
    for_every_resize(&TAG, |block, new_size| {
        let before = (tag_usage(&TAG), thread_usage_total().unwrap());
        assert!(!block.try_resize(new_size));
        assert_eq!((tag_usage(&TAG), thread_usage_total().unwrap()), before);
        block.size()
    });
}

#[test]
fn a_block_resized_again_and_again_in_place_and_moving_keeps_its_tag() {
    static TAG: Tag = Tag::new("resizing/chain");
    for_every_resize(&TAG, |block, new_size| {
        let sizes = [new_size, 1024, 1023, new_size, 1, 2047, new_size];
        let courses = [Course::Move, Course::Stay, Course::Stay, Course::Move];
        for (size, course) in sizes.into_iter().zip(courses.into_iter().cycle()) {
            steer(course);
            assert!(block.try_resize(size));
            assert_eq!(tag_usage(&TAG).live_bytes, size as u64);
        }
        new_size
    });
}
