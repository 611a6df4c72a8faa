//! Threads in any number, and what they do first.

use std::hint::black_box;
use std::ptr;
use std::sync::Barrier;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

use bursar_alloc::{Tag, tag_usage, thread_usage, usage};

use crate::raw_thread::RawThread;
use crate::stories::stories;

pub(crate) fn run() {
    stories![
        ten_thousand_threads_in_sequence_are_counted_exactly_and_use_one_slot,
        threads_that_never_allocate_take_no_slot,
        threads_that_only_free_are_credited_to_the_tag_of_the_block,
        whatever_a_thread_does_first_it_is_counted_and_gives_its_slot_back,
    ];
}

fn held(tag: &'static Tag) -> (u64, u64) {
    (tag_usage(tag).live_bytes, tag_usage(tag).live_blocks)
}

fn ten_thousand_threads_in_sequence_are_counted_exactly_and_use_one_slot() {
    const THREADS: usize = 10_000;
    static TAG: Tag = Tag::new("churn/in-sequence");
    let mut kept = Vec::new();
    for round in 0..THREADS {
        let thread = thread::spawn(move || {
            assert!(usage().thread_slots_in_use <= 2);
            TAG.scope(|| {
                drop(black_box(vec![0u8; 2000]));
                (round % 100 == 0).then(|| vec![0u8; 50])
            })
        });
        kept.extend(thread.join().unwrap());
    }
    assert_eq!(held(&TAG), (100 * 50, 100));
    let allocated_bytes = 2000 * THREADS + 100 * 50;
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, allocated_bytes as u64);
    drop(kept);
    assert_eq!(held(&TAG), (0, 0));
    assert_eq!(usage().thread_slots_in_use, 1);
    assert_eq!(usage().thread_slots_refused_total, 0);
}

fn threads_that_never_allocate_take_no_slot() {
    const THREADS: usize = 50;
    static BEGIN: Barrier = Barrier::new(THREADS + 1);
    static END: Barrier = Barrier::new(THREADS + 1);
    static TAG: Tag = Tag::new("churn/idle");
    fn idle() {
        BEGIN.wait();
        TAG.scope(|| END.wait());
    }
    let threads: Vec<_> = (0..THREADS).map(|_| RawThread::spawn(idle)).collect();
    BEGIN.wait();
    assert_eq!(usage().thread_slots_in_use, 1);
    END.wait();
    threads.into_iter().for_each(RawThread::join);
    assert_eq!(usage().thread_slots_in_use, 1);
}

/// What a thread finds to work on: a `Vec<u8>` of 3000 bytes, boxed.
static BLOCK: AtomicPtr<Vec<u8>> = AtomicPtr::new(ptr::null_mut());

fn take_block() -> Vec<u8> {
    let block = BLOCK.swap(ptr::null_mut(), Ordering::Acquire);
    assert!(!block.is_null());
    // SAFETY: it was leaked into this place for the one who takes it out.
    *unsafe { Box::from_raw(block) }
}

/// Runs `body` on a thread of its own, with a block of `tag` to take.
fn run_with_block(tag: &'static Tag, body: fn()) {
    let block = tag.scope(|| Box::new(vec![0u8; 3000]));
    BLOCK.store(Box::into_raw(block), Ordering::Release);
    RawThread::spawn(body).join();
}

fn threads_that_only_free_are_credited_to_the_tag_of_the_block() {
    static TAG: Tag = Tag::new("churn/only-free");
    for _ in 0..1000 {
        run_with_block(&TAG, || drop(take_block()));
    }
    assert_eq!(held(&TAG), (0, 0));
    assert_eq!(usage().thread_slots_in_use, 1);
}

fn whatever_a_thread_does_first_it_is_counted_and_gives_its_slot_back() {
    static TAG: Tag = Tag::new("churn/first");
    static FRESH: Tag = Tag::new("churn/first-use-of-a-tag");
    let firsts: [fn(); 9] = [
        || drop(black_box(TAG.scope(|| Vec::<u8>::with_capacity(100)))),
        || drop(black_box(TAG.scope(|| vec![0u8; 1 << 20]))),
        || {
            // The boxed `Vec` stays whole until the end.
            let block = BLOCK.load(Ordering::Acquire);
            // SAFETY: this thread alone has it for now.
            unsafe { &mut *block }.reserve_exact(7000);
            drop(take_block());
        },
        || {
            let block = BLOCK.load(Ordering::Acquire);
            // SAFETY: this thread alone has it for now.
            let block = unsafe { &mut *block };
            block.truncate(10);
            block.shrink_to_fit();
            drop(take_block());
        },
        || drop(FRESH.enter()),
        || drop(usage()),
        || assert!(tag_usage(&TAG).live_bytes < 1 << 20),
        || assert!(thread_usage(&TAG).is_some()),
        || assert!(bursar_alloc::is_installed()),
    ];
    for first in firsts {
        let refused = usage().thread_slots_refused_total;
        run_with_block(&TAG, first);
        if !BLOCK.load(Ordering::Acquire).is_null() {
            drop(take_block());
        }
        assert_eq!(held(&TAG), (0, 0));
        assert_eq!(usage().thread_slots_in_use, 1);
        assert_eq!(usage().thread_slots_refused_total, refused);
    }
}
