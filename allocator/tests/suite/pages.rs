//! Which pages a purge gives back, as the kernel sees it.
#![cfg(target_os = "linux")]

use std::sync::mpsc;

use bursar_alloc::{Collect, CollectScope, Collected, collect, collect_part, collect_scope};

use super::child;

/// Blocks of a KiB that are freed, all but a few: 64 MiB in pages that none of those few is in.
const BLOCKS: usize = 64 << 10;
/// One in so many stays.
const KEPT: usize = 4096;

fn resident_pages() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Allocates the blocks, frees nearly all of them, and returns the rest.
fn leave_free_pages() -> Vec<Box<[u8]>> {
    let mut blocks: Vec<_> = (0..BLOCKS).map(|_| vec![1u8; 1024].into_boxed_slice()).collect();
    let mut index = 0;
    blocks.retain(|_| {
        index += 1;
        index % KEPT == 0
    });
    blocks.shrink_to_fit();
    blocks
}

/// Whether a purge by the calling thread halves the process. Resident bytes are not all the
/// allocator's, but here most of them are.
fn purge_halves_the_process() -> bool {
    let before = resident_pages();
    assert_eq!(collect(Collect::Purge), Collected::Done);
    resident_pages() < before / 2
}

/// Sanitizers bring an allocator of their own, which is not asked for pages.
fn is_another_allocator_in_place() -> bool {
    let sanitized = ["ASAN_OPTIONS", "TSAN_OPTIONS"].map(std::env::var_os);
    let skips = sanitized.iter().any(Option::is_some);
    if skips {
        println!("skipped: a sanitizer's allocator is in place");
    }
    skips
}

#[test]
fn a_purge_gives_back_the_free_pages_of_the_calling_thread() {
    const NAME: &str = "suite::pages::a_purge_gives_back_the_free_pages_of_the_calling_thread";
    if collect_scope() == CollectScope::Nothing || is_another_allocator_in_place() {
        return;
    }
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    let kept = leave_free_pages();
    assert!(purge_halves_the_process());
    assert!(kept.iter().flatten().all(|&byte| byte == 1));
}

#[test]
fn a_purge_of_one_part_after_the_other_gives_back_as_much_and_then_there_is_no_part_left() {
    const NAME: &str = "suite::pages::\
        a_purge_of_one_part_after_the_other_gives_back_as_much_and_then_there_is_no_part_left";
    if collect_scope() == CollectScope::Nothing || is_another_allocator_in_place() {
        return;
    }
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    let kept = leave_free_pages();
    let before = resident_pages();
    let parts: Vec<_> = (0..).map_while(|part| collect_part(Collect::Purge, part)).collect();
    assert!(!parts.is_empty() && parts.iter().all(|&collected| collected == Collected::Done));
    assert!(resident_pages() < before / 2);
    assert_eq!(collect_part(Collect::Purge, usize::MAX), None);
    assert!(kept.iter().flatten().all(|&byte| byte == 1));
}

#[test]
fn a_purge_gives_back_another_live_threads_free_pages_only_where_the_backend_says_so() {
    const NAME: &str = "suite::pages::\
        a_purge_gives_back_another_live_threads_free_pages_only_where_the_backend_says_so";
    if collect_scope() == CollectScope::Nothing || is_another_allocator_in_place() {
        return;
    }
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    let (freed, wait_for_free) = mpsc::channel();
    let (purged, wait_for_purge) = mpsc::channel::<bool>();
    let other = std::thread::spawn(move || {
        let kept = leave_free_pages();
        freed.send(()).unwrap();
        if !wait_for_purge.recv().unwrap() {
            assert!(purge_halves_the_process(), "the thread can give back its own");
        }
        assert!(kept.iter().flatten().all(|&byte| byte == 1));
    });
    wait_for_free.recv().unwrap();
    let halved = purge_halves_the_process();
    assert_eq!(halved, collect_scope() == CollectScope::AllThreads);
    purged.send(halved).unwrap();
    other.join().unwrap();
}
