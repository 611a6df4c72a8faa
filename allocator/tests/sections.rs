//! Sections. A process of its own: no watch changes the allowance, within which a peak is known.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

use std::hint::black_box;
use std::sync::mpsc;
use std::thread;

use bursar_alloc::{AccountingAllocator, Section, SectionUsage, System, Tag, TagHandle};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// The largest allowance while no budget is watched.
const ALLOWANCE_BYTES: u64 = 64 << 10;

fn block(bytes: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(bytes))
}

/// What `work` did.
fn measure(work: impl FnOnce()) -> SectionUsage {
    let section = Section::begin();
    work();
    section.end().expect("fewer threads than slots")
}

fn assert_within_an_allowance(peak_bytes: u64, expected: u64) {
    let at_least = expected.saturating_sub(ALLOWANCE_BYTES);
    assert!((at_least..=expected).contains(&peak_bytes), "{peak_bytes} is not {expected}");
}

#[test]
fn a_section_has_to_the_byte_what_was_allocated_and_freed_under_whatever_tag() {
    static TAG: Tag = Tag::new("sections/exact");
    let older = TAG.scope(|| block(5000));
    let mut kept = Vec::new();
    let usage = measure(|| {
        drop(older);
        drop(block(100));
        kept = TAG.scope(|| block(2000));
    });
    assert_eq!((usage.allocated_bytes, usage.freed_bytes), (2100, 5100));
    assert_eq!(usage.net_bytes(), -3000);
    assert_eq!(usage.peak_bytes, 0, "it never had more than it had freed");
    assert_eq!(measure(|| ()).allocated_bytes, 0);
}

#[test]
fn a_tag_that_is_first_numbered_in_a_section_is_in_it() {
    let kept = std::cell::Cell::new(Vec::new());
    let usage = measure(|| {
        let tag = TagHandle::new("sections/numbered-later").unwrap();
        kept.set(tag.scope(|| block(1234)));
    });
    assert_eq!(usage.net_bytes(), 1234);
}

#[test]
fn the_peak_of_many_small_blocks_is_known_to_within_an_allowance() {
    const BLOCKS: usize = 10_000;
    for bytes in [16, 100, 1000] {
        let mut blocks = Vec::with_capacity(BLOCKS);
        let usage = measure(|| {
            blocks.extend((0..BLOCKS).map(|_| block(bytes)));
            blocks.clear();
        });
        assert_eq!(usage.net_bytes(), 0);
        assert_within_an_allowance(usage.peak_bytes, (BLOCKS * bytes) as u64);
    }
}

#[test]
fn the_peak_of_a_block_of_an_allowance_or_more_is_exact() {
    for bytes in [ALLOWANCE_BYTES as usize, 1 << 20] {
        let base = block(100);
        let usage = measure(|| {
            let kept = block(10);
            drop(block(bytes));
            drop(kept);
        });
        assert_eq!(usage.peak_bytes, bytes as u64 + 10);
        drop(base);
    }
}

#[test]
fn a_block_that_grows_counts_by_its_growth() {
    let mut grown = block(1000);
    let usage = measure(|| {
        grown.reserve_exact(1 << 20);
        grown.shrink_to(100);
    });
    assert_eq!((usage.allocated_bytes, usage.freed_bytes), ((1 << 20) - 1000, (1 << 20) - 100));
    assert_eq!(usage.peak_bytes, (1 << 20) - 1000);
}

#[test]
fn a_section_begins_at_nothing_and_its_peak_is_in_the_one_around_it() {
    let outer = Section::begin();
    let kept = block(1 << 20);
    let inner = measure(|| drop(block(3 << 20)));
    assert_eq!((inner.net_bytes(), inner.peak_bytes), (0, 3 << 20));
    drop(kept);
    let second = measure(|| drop(block(2 << 20)));
    assert_eq!(second.peak_bytes, 2 << 20, "the first one's is over");
    let outer = outer.end().unwrap();
    assert_eq!((outer.net_bytes(), outer.peak_bytes), (0, 4 << 20));
    assert_eq!(outer.allocated_bytes, 6 << 20);
}

#[test]
fn a_section_has_nothing_of_other_threads_but_what_it_frees_for_them() {
    let (ask, asked) = mpsc::channel::<()>();
    let (give, given) = mpsc::channel();
    let other = thread::spawn(move || {
        while asked.recv().is_ok() {
            drop(block(2 << 20));
            give.send(block(1 << 20)).unwrap();
        }
    });
    let round = || {
        ask.send(()).unwrap();
        given.recv().unwrap()
    };
    // Channels and parking allocate at first.
    drop(round());
    let mut received = Vec::new();
    let usage = measure(|| received = round());
    assert!(usage.allocated_bytes < 10_000, "{usage:?}");
    assert!(usage.peak_bytes < 10_000, "{usage:?}");
    assert_eq!(measure(|| drop(received)).freed_bytes, 1 << 20);
    drop(ask);
    other.join().unwrap();
}

#[test]
fn sections_ended_crosswise_or_leaked_harm_none_that_begins_later() {
    let first = Section::begin();
    let second = Section::begin();
    drop(block(1 << 20));
    assert_eq!(first.end().unwrap().peak_bytes, 1 << 20);
    let third = Section::begin();
    drop(block(2 << 20));
    let second = second.end().unwrap();
    assert_eq!(second.allocated_bytes, 3 << 20);
    assert!(second.peak_bytes <= 2 << 20);
    assert_eq!(third.end().unwrap().peak_bytes, 2 << 20);

    std::mem::forget(Section::begin());
    drop(block(3 << 20));
    let usage = measure(|| drop(block(1 << 20)));
    assert_eq!((usage.allocated_bytes, usage.peak_bytes), (1 << 20, 1 << 20));

    let around = Section::begin();
    std::mem::forget(Section::begin());
    let usage = measure(|| drop(block(1 << 20)));
    assert_eq!(usage.peak_bytes, 1 << 20);
    assert_eq!(around.end().unwrap().peak_bytes, 1 << 20);
}
