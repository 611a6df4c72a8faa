//! Tags with an arena of their own.
#![cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

#[path = "support/child.rs"]
mod child;
#[path = "isolated/memory.rs"]
mod memory;
#[path = "isolated/retag.rs"]
mod retag;
#[path = "isolated/slots.rs"]
mod slots;
#[path = "isolated/threads.rs"]
mod threads;

use std::alloc::{Layout, alloc_zeroed, dealloc, realloc};
use std::hint::black_box;

use bursar_alloc::{
    AccountingAllocator, Collect, Collected, Isolation, Jemalloc, Tag, TagUsage, collect,
    tag_usage, usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

/// Bytes in pages of the tag's own that hold a block.
fn active_bytes(usage: &TagUsage) -> u64 {
    usage.active_bytes.expect("the tag is isolated")
}

#[test]
fn an_isolated_tags_blocks_lie_in_its_own_pages_and_nobody_elses_do() {
    static OWN: Tag = Tag::new("isolated/own").isolated();
    static OTHER: Tag = Tag::new("isolated/other").isolated();
    static PLAIN: Tag = Tag::new("isolated/plain");

    let blocks = OWN.scope(|| (0..1000).map(|_| black_box(vec![7u8; 500])).collect::<Vec<_>>());
    let others = PLAIN.scope(|| (0..9000).map(|_| black_box(vec![7u8; 500])).collect::<Vec<_>>());
    let own = tag_usage(&OWN);
    assert_eq!(own.isolation, Isolation::Arena);
    assert!((500_000..1_000_000).contains(&active_bytes(&own)), "{own:?}");
    assert_eq!(OTHER.scope(|| active_bytes(&tag_usage(&OTHER))), 0);
    let plain = tag_usage(&PLAIN);
    assert_eq!(
        (plain.isolation, plain.active_bytes, plain.dirty_bytes),
        (Isolation::Off, None, None)
    );

    drop(blocks);
    assert_eq!(OWN.collect(Collect::Purge), Collected::Done);
    let own = tag_usage(&OWN);
    assert_eq!((own.live_bytes, own.active_bytes, own.dirty_bytes), (0, Some(0), Some(0)));
    assert_eq!(PLAIN.collect(Collect::Purge), Collected::Unsupported);
    drop(others);
}

#[test]
fn collecting_it_all_empties_the_threads_caches_for_isolated_tags_too() {
    static TAG: Tag = Tag::new("isolated/collected").isolated();
    for _ in 0..1000 {
        drop(TAG.scope(|| black_box(vec![7u8; 100])));
    }
    assert!(active_bytes(&tag_usage(&TAG)) > 0, "freed blocks wait in this thread's cache");
    assert_eq!(collect(Collect::Purge), Collected::Done);
    assert_eq!(active_bytes(&tag_usage(&TAG)), 0);
}

#[test]
fn a_thread_that_collects_gives_its_caches_themselves_back() {
    const NAME: &str = "a_thread_that_collects_gives_its_caches_themselves_back";
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    static TAG: Tag = Tag::new("isolated/cached").isolated();
    let use_it = || TAG.scope(|| (0..200).for_each(|_| drop(black_box(vec![7u8; 100]))));
    for collect in [|| TAG.collect(Collect::Purge), || collect(Collect::Purge)] {
        use_it();
        assert_eq!(usage().isolation_caches_in_use, 1);
        assert_eq!(collect(), Collected::Done);
        assert_eq!(usage().isolation_caches_in_use, 0);
    }
    use_it();
    assert_eq!(usage().isolation_caches_in_use, 1, "made anew");
}

#[test]
fn a_block_that_grows_and_shrinks_keeps_its_bytes_its_tag_and_its_arena() {
    static TAG: Tag = Tag::new("isolated/resized").isolated();
    let mut block: Vec<u8> = TAG.scope(|| Vec::with_capacity(10));
    // Beyond its scope, and so under another tag.
    for len in [10, 900, 1023, 1024, 1025, 5000, 100_000, 3_000_000] {
        let from = block.len();
        block.extend((from..len).map(|index| index as u8));
        block.shrink_to_fit();
        assert_eq!(tag_usage(&TAG).live_bytes, len as u64);
        assert!(active_bytes(&tag_usage(&TAG)) >= len as u64);
    }
    for len in [100_000, 1024, 1023, 10] {
        block.truncate(len);
        block.shrink_to_fit();
        assert_eq!(tag_usage(&TAG).live_bytes, len as u64);
    }
    assert!((0..10).all(|index| block[index] == index as u8));
    drop(block);
    TAG.collect(Collect::Purge);
    assert_eq!(active_bytes(&tag_usage(&TAG)), 0);
}

#[test]
fn zeroed_blocks_are_zero_and_aligned_ones_aligned() {
    static TAG: Tag = Tag::new("isolated/zeroed").isolated();
    let _entered = TAG.enter();
    for round in 0..200 {
        for size in [1, 24, 1000, 1024, 5000, 70_000] {
            for align in [1, 16, 64, 4096] {
                let layout = Layout::from_size_align(size, align).unwrap();
                // SAFETY: the size is not zero.
                let block = unsafe { alloc_zeroed(layout) };
                assert!(block.addr().is_multiple_of(align), "{layout:?}");
                // SAFETY: so many bytes were allocated, and are initialised.
                let bytes = unsafe { std::slice::from_raw_parts_mut(block, size) };
                assert!(bytes.iter().all(|&byte| byte == 0), "round {round}, {layout:?}");
                bytes.fill(7);
                // SAFETY: the block is live and of this layout; the new size is not zero.
                let block = unsafe { realloc(block, layout, size + 500) };
                assert!(block.addr().is_multiple_of(align), "{layout:?}");
                let grown = Layout::from_size_align(size + 500, align).unwrap();
                // SAFETY: the block is live and of this layout.
                unsafe { dealloc(block, grown) };
            }
        }
    }
    assert_eq!(tag_usage(&TAG).live_blocks, 0);
}
