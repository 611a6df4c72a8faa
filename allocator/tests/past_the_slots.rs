//! More threads at once than there are counter slots. A process of its own: while they live, no
//! other thread finds a slot.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bursar_alloc::{
    AccountingAllocator, Section, System, Tag, tag_usage, thread_usage_total, usage,
};

#[cfg(unix)]
#[path = "support/forked.rs"]
mod forked;
#[path = "support/stories.rs"]
mod stories;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    stories::stories![more_threads_at_once_than_there_are_slots_are_all_counted];
}

static TAG: Tag = Tag::new("past-the-slots");
const THREADS: usize = 700;
const BLOCK_LEN: usize = 10;

fn new_block() -> Vec<u8> {
    TAG.scope(|| black_box(Vec::with_capacity(BLOCK_LEN)))
}

fn more_threads_at_once_than_there_are_slots_are_all_counted() {
    let (everyone_is_here, all_is_seen) = (Barrier::new(THREADS), Barrier::new(THREADS));
    let has_forked = AtomicBool::new(false);
    let live = || {
        let block = new_block();
        everyone_is_here.wait();
        assert_eq!(tag_usage(&TAG).live_bytes, (THREADS * BLOCK_LEN) as u64);
        let has_a_slot = thread_usage_total().is_some();
        assert_eq!(Section::begin().end().is_some(), has_a_slot);
        if !has_a_slot && !has_forked.swap(true, Ordering::Relaxed) {
            #[cfg(unix)]
            forked::fork(all_slots_are_free_again);
        }
        all_is_seen.wait();
        drop(block);
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, live).unwrap();
        }
    });
    assert!(has_forked.into_inner(), "some thread has no slot");
    assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (0, 0));
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, (BLOCK_LEN * THREADS) as u64);
    assert!(usage().thread_slots_refused_total > 0);
}

/// A child of a thread that has no slot has none either at first, and finds one soon.
#[cfg(unix)]
fn all_slots_are_free_again() {
    assert_eq!(usage().thread_slots_in_use, 0);
    let operations = (0..10_000).take_while(|_| thread_usage_total().is_none()).count();
    assert!(operations < 10_000);
    assert_eq!(usage().thread_slots_in_use, 1);
    assert_eq!(tag_usage(&TAG).live_bytes, (THREADS * BLOCK_LEN) as u64);
    let block = thread::spawn(new_block).join().unwrap();
    assert_eq!(tag_usage(&TAG).live_bytes, ((THREADS + 1) * BLOCK_LEN) as u64);
    drop(block);
}
