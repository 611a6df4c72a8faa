//! Whose bytes they are.

use std::hint::black_box;
use std::sync::mpsc;

use bursar_alloc::{Tag, tag_usage, thread_usage, usage};

#[test]
fn the_allocator_is_found_installed() {
    assert!(bursar_alloc::is_installed());
    assert!(bursar_alloc::backend_name().is_some());
}

#[test]
fn what_is_allocated_under_a_tag_is_charged_to_it_until_freed() {
    static TAG: Tag = Tag::new("accounts/basic");
    let buffer = TAG.scope(|| black_box(Vec::<u8>::with_capacity(1000)));
    let used = tag_usage(&TAG);
    assert_eq!((used.live_bytes, used.live_blocks), (1000, 1));

    drop(buffer);
    let used = tag_usage(&TAG);
    assert_eq!((used.live_bytes, used.live_blocks), (0, 0));
    assert_eq!(used.allocated_bytes_total, 1000);
    assert_eq!(used.peak_bytes, 1000);
}

/// Blocks that live within one function: in a release build the allocator's code for both ends of
/// their lives may come to lie in it, for all the compiler knows of blocks to be used on.
mod short_lived {
    use super::*;

    pub(super) static ZEROED: Tag = Tag::new("accounts/short-lived-zeroed");
    pub(super) static FRESH: Tag = Tag::new("accounts/short-lived-fresh");
    pub(super) static GROWN: Tag = Tag::new("accounts/short-lived-grown");

    #[inline(never)]
    pub(super) fn zeroed(size: usize) {
        drop(ZEROED.scope(|| black_box(vec![0u8; size])));
    }

    #[inline(never)]
    pub(super) fn fresh(size: usize) {
        let mut bytes = FRESH.scope(|| Vec::with_capacity(size));
        bytes.push(size as u8);
        assert_eq!(black_box(&bytes[0]), &(size as u8));
    }

    #[inline(never)]
    pub(super) fn grown(size: usize) {
        let mut bytes = GROWN.scope(|| black_box(vec![7u8; size]));
        bytes.reserve_exact(size);
        bytes.push(8);
        assert_eq!(black_box(&bytes[0]), &7);
    }
}

#[test]
fn a_block_that_lives_within_one_function_is_uncharged_from_the_tag_that_made_it() {
    for size in 1..2000 {
        short_lived::zeroed(size);
        short_lived::fresh(size);
        short_lived::grown(size);
    }
    for tag in [&short_lived::ZEROED, &short_lived::FRESH, &short_lived::GROWN] {
        let used = tag_usage(tag);
        assert_eq!((used.live_bytes, used.live_blocks), (0, 0), "{}", tag.name());
    }
}

#[test]
fn a_free_on_another_thread_under_another_tag_uncharges_the_allocating_tag() {
    static MAKER: Tag = Tag::new("accounts/maker");
    static BREAKER: Tag = Tag::new("accounts/breaker");
    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    let breaker = std::thread::spawn(move || {
        let _guard = BREAKER.enter();
        receiver.into_iter().for_each(drop);
    });
    for _ in 0..1000 {
        sender.send(MAKER.scope(|| Vec::with_capacity(500))).unwrap();
    }
    drop(sender);
    breaker.join().unwrap();
    assert_eq!((tag_usage(&MAKER).live_bytes, tag_usage(&MAKER).live_blocks), (0, 0));
    assert_eq!(tag_usage(&MAKER).allocated_bytes_total, 500_000);
    assert_eq!(tag_usage(&BREAKER).live_bytes, 0);
}

#[test]
fn scopes_nest_and_the_outer_tag_comes_back() {
    static OUTER: Tag = Tag::new("accounts/outer");
    static INNER: Tag = Tag::new("accounts/inner");
    let (first, second, third) = OUTER.scope(|| {
        let first = black_box(Vec::<u8>::with_capacity(1));
        let second = INNER.scope(|| black_box(Vec::<u8>::with_capacity(20)));
        (first, second, black_box(Vec::<u8>::with_capacity(300)))
    });
    assert_eq!(tag_usage(&OUTER).live_bytes, 301);
    assert_eq!(tag_usage(&INNER).live_bytes, 20);
    drop((first, second, third));
}

#[test]
fn a_panic_in_a_scope_leaves_the_tag() {
    static TAG: Tag = Tag::new("accounts/panic");
    let result = std::panic::catch_unwind(|| TAG.scope(|| std::panic::resume_unwind(Box::new(0))));
    assert!(result.is_err());
    drop(result);
    let before = tag_usage(&TAG).allocated_bytes_total;
    drop(black_box(Box::new([0u8; 100])));
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, before);
}

#[test]
fn realloc_keeps_the_tag_and_counts_growth_and_shrinking() {
    static TAG: Tag = Tag::new("accounts/realloc");
    let mut buffer = TAG.scope(|| black_box(Vec::<u8>::with_capacity(10)));
    for capacity in [100, 1_000, 5_000, 100_000, 3_000_000] {
        buffer.reserve_exact(capacity);
        assert_eq!(tag_usage(&TAG).live_bytes, buffer.capacity() as u64);
        assert_eq!(tag_usage(&TAG).live_blocks, 1);
    }
    buffer.extend_from_slice(b"abc");
    buffer.shrink_to_fit();
    assert_eq!(tag_usage(&TAG).live_bytes, 3);
    assert_eq!(buffer, b"abc");
    drop(buffer);
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}

#[test]
fn the_parts_of_a_usage_sum_to_its_total_and_untagged_comes_first() {
    static TAG: Tag = Tag::new("accounts/listed");
    let _buffer = TAG.scope(|| black_box(Vec::<u8>::with_capacity(77)));
    let usage = usage();
    assert_eq!(usage.tags[0].name, "untagged");
    assert_eq!(usage.tags.iter().map(|tag| tag.live_bytes).sum::<u64>(), usage.live_bytes);
    let listed = usage.tags.iter().find(|tag| tag.name == TAG.name()).unwrap();
    assert_eq!(listed.live_bytes, 77);
    assert!(usage.thread_slots_in_use >= 1);
}

#[test]
fn thread_usage_sees_this_threads_frees_and_not_anothers() {
    static TAG: Tag = Tag::new("accounts/thread-usage");
    let before = thread_usage(&TAG).unwrap();
    let kept = TAG.scope(|| black_box(Vec::<u8>::with_capacity(64)));
    std::thread::spawn(move || drop(kept)).join().unwrap();
    drop(TAG.scope(|| black_box(Vec::<u8>::with_capacity(32))));
    let after = thread_usage(&TAG).unwrap();
    assert_eq!(after.allocated_bytes - before.allocated_bytes, 96);
    assert_eq!(after.freed_bytes - before.freed_bytes, 32);
}
