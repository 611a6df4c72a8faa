//! Isolated tags on threads that come and go.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::{Barrier, mpsc};
use std::thread;

use bursar_alloc::{Collect, Tag, TagHandle, tag_usage, usage};

use crate::{active_bytes, child};

#[test]
fn two_hundred_threads_times_thirty_tags_neither_fail_nor_leave_a_cache_behind() {
    const NAME: &str =
        "threads::two_hundred_threads_times_thirty_tags_neither_fail_nor_leave_a_cache_behind";
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    const THREADS: usize = 200;
    const TAGS: usize = 30;
    /// Enough for each thread to want a cache for each tag.
    const BLOCKS: usize = 100;
    let tags: Vec<_> =
        (0..TAGS).map(|tag| TagHandle::isolated(&format!("tag/{tag}")).unwrap()).collect();
    for round in 0..2 {
        let everyone_is_here = Barrier::new(THREADS);
        thread::scope(|scope| {
            let live = || {
                let blocks: Vec<_> = tags.iter().map(some_blocks::<BLOCKS>).collect();
                everyone_is_here.wait();
                drop(blocks);
            };
            let small = || thread::Builder::new().stack_size(256 << 10);
            let threads: Vec<_> =
                (0..THREADS).map(|_| small().spawn_scoped(scope, live).unwrap()).collect();
            // The scope itself would not wait for the ends of their thread-locals.
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        assert_eq!(usage().isolation_caches_in_use, 0, "after round {round}");
    }
    // Were ids of caches leaked, there would be none left for the last of these.
    for _ in 0..150 {
        let want_caches = || {
            let _blocks: Vec<_> = tags.iter().map(some_blocks::<BLOCKS>).collect();
            assert_eq!(usage().isolation_caches_in_use, TAGS);
        };
        thread::scope(|scope| scope.spawn(want_caches).join().unwrap());
    }
    for tag in &tags {
        tag.collect(Collect::Purge);
        let usage = tag_usage(tag);
        assert_eq!((usage.live_bytes, usage.live_blocks, active_bytes(&usage)), (0, 0, 0));
    }
}

fn some_blocks<const BLOCKS: usize>(tag: &TagHandle) -> Vec<Vec<u8>> {
    tag.scope(|| (0..BLOCKS).map(|block| black_box(vec![7u8; 16 + block])).collect())
}

#[test]
fn a_block_freed_by_another_thread_goes_back_to_its_own_arena() {
    static TAG: Tag = Tag::new("threads/handed-over").isolated();
    let (sender, receiver) = mpsc::channel::<Vec<u8>>();
    let freeing = thread::spawn(move || receiver.into_iter().for_each(drop));
    for len in (0..20_000).map(|block| 10 + block % 2000) {
        sender.send(TAG.scope(|| black_box(vec![7u8; len]))).unwrap();
    }
    drop(sender);
    freeing.join().unwrap();
    TAG.collect(Collect::Purge);
    let usage = tag_usage(&TAG);
    assert_eq!((usage.live_bytes, usage.live_blocks, active_bytes(&usage)), (0, 0, 0));
}

#[test]
fn a_thread_that_allocates_under_an_isolated_tag_at_its_very_end_does_so_safely() {
    static TAG: Tag = Tag::new("threads/at-its-end").isolated();

    struct AllocatesWhenDropped;

    impl Drop for AllocatesWhenDropped {
        fn drop(&mut self) {
            drop(TAG.scope(|| (0..500).map(|_| black_box(vec![7u8; 100])).collect::<Vec<_>>()));
        }
    }

    thread_local! {
        static FIRST: RefCell<Option<AllocatesWhenDropped>> = const { RefCell::new(None) };
        static LAST: RefCell<Option<AllocatesWhenDropped>> = const { RefCell::new(None) };
    }

    for _ in 0..50 {
        thread::spawn(|| {
            // Destructors run in the order in which they were registered, or the other way round:
            // one of them runs when the thread has given back what it had.
            FIRST.set(Some(AllocatesWhenDropped));
            drop(AllocatesWhenDropped);
            LAST.set(Some(AllocatesWhenDropped));
        })
        .join()
        .unwrap();
    }
    TAG.collect(Collect::Purge);
    let usage = tag_usage(&TAG);
    assert_eq!((usage.live_bytes, usage.live_blocks, active_bytes(&usage)), (0, 0, 0));
}
