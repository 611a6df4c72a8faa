//! Forking a process of many threads.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bursar_alloc::{
    Collect, Section, Tag, TagHandle, Watch, collect, tag_usage, thread_usage, usage,
};

use crate::forked::fork;
use crate::stories::stories;

pub(crate) fn run() {
    stories![
        a_child_has_the_sums_of_its_parent_and_the_slots_of_the_threads_it_lacks,
        a_child_goes_on_with_the_counters_of_the_thread_that_forked,
        a_child_goes_on_with_a_section_of_the_thread_that_forked,
        a_child_goes_on_with_the_isolated_tags_of_its_parent,
        a_child_has_nothing_to_do_with_the_caches_of_threads_that_it_lacks,
        a_child_is_not_watched_by_its_parents_watch_and_can_start_its_own,
        children_forked_under_load_allocate_free_spawn_and_fork_again,
    ];
}

/// Runs `story` while `threads` others have a slot each and hold a block of 100 bytes of `tag`.
fn among_threads(threads: usize, tag: &'static Tag, story: impl FnOnce()) {
    let (begin, end) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
    thread::scope(|scope| {
        let others: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let block = tag.scope(|| black_box(vec![0u8; 100]));
                    begin.wait();
                    end.wait();
                    drop(block);
                })
            })
            .collect();
        begin.wait();
        story();
        end.wait();
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

fn a_child_has_the_sums_of_its_parent_and_the_slots_of_the_threads_it_lacks() {
    static TAG: Tag = Tag::new("fork/parent");
    among_threads(20, &TAG, || {
        let before = usage();
        assert_eq!(before.thread_slots_in_use, 21);
        fork(|| {
            let after = usage();
            assert_eq!(after.thread_slots_in_use, 1);
            assert!(after.live_bytes >= before.live_bytes, "and what `before` holds itself");
            let held = || (tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks);
            assert_eq!(held(), (20 * 100, 20));

            // Each new thread has a slot again that a thread of the parent had.
            among_threads(20, &TAG, || {
                assert_eq!(usage().thread_slots_in_use, 21);
                assert_eq!(held(), (40 * 100, 40));
            });
            assert_eq!(usage().thread_slots_in_use, 1);
            assert_eq!(held(), (20 * 100, 20), "what vanished threads held stays live");
        });
        assert_eq!(usage().thread_slots_in_use, 21, "the parent's stay as they are");
    });
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}

fn a_child_goes_on_with_the_counters_of_the_thread_that_forked() {
    static TAG: Tag = Tag::new("fork/counters");
    let block = TAG.scope(|| black_box(vec![0u8; 1000]));
    let before = thread_usage(&TAG).unwrap();
    let _guard = TAG.enter();
    fork(|| {
        drop(block);
        let own = black_box(vec![0u8; 500]);
        let after = thread_usage(&TAG).unwrap();
        assert_eq!(after.freed_bytes - before.freed_bytes, 1000);
        assert_eq!(after.allocated_bytes - before.allocated_bytes, 500, "under the tag entered");
        drop(own);
    });
}

fn a_child_goes_on_with_a_section_of_the_thread_that_forked() {
    let section = Section::begin();
    let block = black_box(vec![0u8; 1 << 20]);
    let mut forked = Some(section);
    fork(|| {
        drop(block);
        drop(black_box(vec![0u8; 3 << 20]));
        let usage = forked.take().unwrap().end().unwrap();
        assert_eq!((usage.allocated_bytes, usage.peak_bytes), (4 << 20, 3 << 20));
    });
    // What the closure owned was freed here when it was dropped, unrun.
    let usage = forked.unwrap().end().unwrap();
    assert_eq!((usage.allocated_bytes, usage.peak_bytes), (1 << 20, 1 << 20));
}

/// With a backend that isolates, the thread that forks has a cache for the tag, and so has another
/// that the child lacks.
fn a_child_goes_on_with_the_isolated_tags_of_its_parent() {
    static TAG: Tag = Tag::new("fork/isolated").isolated();
    fn some_blocks() -> Vec<Vec<u8>> {
        TAG.scope(|| (0..200).map(|_| black_box(vec![0u8; 100])).collect())
    }
    let blocks = some_blocks();
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let _blocks = some_blocks();
            begin.wait();
            end.wait();
        });
        begin.wait();
        fork(|| {
            assert_eq!(usage().isolation_caches_in_use, 0, "made anew by who needs one");
            let live = tag_usage(&TAG).live_blocks;
            drop(thread::spawn(some_blocks).join().unwrap());
            drop(some_blocks());
            assert_eq!(tag_usage(&TAG).live_blocks, live);
            TAG.collect(Collect::Purge);
            assert!(blocks.iter().all(|block| block.iter().all(|&byte| byte == 0)));
        });
        end.wait();
        other.join().unwrap();
    });
    drop(blocks);
    assert_eq!(tag_usage(&TAG).live_blocks, 0);
}

/// jemalloc with statistics keeps all caches of an arena in one list, of which a child has its own
/// thread's automatic one alone: those that it had beside that must be out of the list by then.
fn a_child_has_nothing_to_do_with_the_caches_of_threads_that_it_lacks() {
    static TAGS: [Tag; 2] =
        [Tag::new("fork/cached-first").isolated(), Tag::new("fork/cached-last").isolated()];
    fn use_often(tag: &'static Tag) {
        tag.scope(|| (0..200).for_each(|_| drop(black_box(vec![0u8; 100]))));
    }
    const THREADS: usize = 30;
    let (begin, end) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    let live = || {
        TAGS.iter().for_each(use_often);
        begin.wait();
        end.wait();
    };
    thread::scope(|scope| {
        use_often(&TAGS[0]);
        let others: Vec<_> = (0..THREADS).map(|_| scope.spawn(live)).collect();
        begin.wait();
        use_often(&TAGS[1]);
        fork(|| {
            for _ in 0..3 {
                // On the stacks of the threads that are not here.
                let threads: Vec<_> =
                    (0..THREADS).map(|_| thread::spawn(|| use_often(&TAGS[0]))).collect();
                TAGS.iter().for_each(use_often);
                let _figures = usage();
                collect(Collect::Decay);
                threads.into_iter().for_each(|thread| thread.join().unwrap());
                let _figures = usage();
            }
            assert_eq!(usage().isolation_caches_in_use, 0);
        });
        end.wait();
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

fn a_child_is_not_watched_by_its_parents_watch_and_can_start_its_own() {
    let mut watch = Some(Watch::start(thread::current(), 1 << 20).unwrap());
    // Passed at once.
    watch.as_ref().unwrap().scan(|_| 0);
    drop(black_box(vec![0u8; 4 << 20]));
    fork(|| {
        let inherited = watch.take().unwrap();
        inherited.scan(|_| 0);
        let own = Watch::start(thread::current(), 1 << 20).expect("nobody watches the child");
        drop(black_box(vec![0u8; 4 << 20]));
        assert!(!own.take_pending(), "the scan of an inherited watch leaves no headroom behind");

        own.scan(|_| 0);
        drop(black_box(vec![0u8; 4 << 20]));
        assert!(!inherited.take_pending(), "what is pending is not its own");
        assert!(own.take_pending());
        own.scan(|_| 1 << 20);
        drop(inherited);
        assert!(Watch::start(thread::current(), 1 << 20).is_none(), "its own goes on");
        drop(black_box(vec![0u8; 4 << 20]));
        assert!(own.take_pending());
        drop(own);
        assert!(Watch::start(thread::current(), 1 << 20).is_some());
    });
    let watch = watch.unwrap();
    assert!(watch.take_pending(), "the parent's goes on");
}

fn children_forked_under_load_allocate_free_spawn_and_fork_again() {
    const FORKS: u32 = 250;
    let stop = AtomicBool::new(false);
    let mut watch = Some(Watch::start(thread::current(), 16 << 20).unwrap());
    thread::scope(|scope| {
        let load = [
            scope.spawn(|| churn(&stop)),
            scope.spawn(|| churn(&stop)),
            scope.spawn(|| come_and_go(&stop)),
            scope.spawn(|| make_tags(&stop)),
        ];
        for round in 0..FORKS {
            // Low, so that the churning threads meet it.
            watch.as_ref().unwrap().scan(|_| 1 << 20);
            fork(|| {
                live_on(watch.take().unwrap());
                if round % 10 == 0 {
                    fork(|| assert_eq!(usage().thread_slots_in_use, 1));
                }
            });
        }
        stop.store(true, Ordering::Relaxed);
        load.into_iter().for_each(|thread| thread.join().unwrap());
    });
    for tag in &CHURNED {
        assert_eq!((tag_usage(tag).live_bytes, tag_usage(tag).live_blocks), (0, 0), "{tag:?}");
    }
    assert_eq!(usage().thread_slots_in_use, 1);
}

/// What a service might do in a child.
fn live_on(inherited: Watch) {
    static TAG: Tag = Tag::new("fork/child");
    assert_eq!(usage().thread_slots_in_use, 1);
    // The lock around the tags' numbers is not one that a vanished thread has.
    let made = TagHandle::new("fork/made-in-child").unwrap();
    let block = made.scope(|| TAG.scope(|| black_box(vec![1u8; 3000])));
    let watch = Watch::start(thread::current(), 1 << 20).unwrap();
    drop(inherited);
    let other = thread::spawn(move || {
        assert_eq!(usage().thread_slots_in_use, 2);
        drop(block);
        TAG.scope(|| black_box(vec![2u8; 300]))
    });
    let block = other.join().unwrap();
    assert_eq!(tag_usage(&TAG).live_bytes, block.len() as u64);
    assert_eq!(usage().thread_slots_in_use, 1);
    watch.scan(|_| 1 << 16);
    drop(black_box(vec![0u8; 1 << 20]));
    assert!(watch.take_pending());
}

static CHURNED: [Tag; 3] =
    [Tag::new("fork/small"), Tag::new("fork/large"), Tag::new("fork/threads")];

/// Allocates, grows and frees on both sides of a KiB, under a tag for each.
fn churn(stop: &AtomicBool) {
    let mut kept = vec![Vec::new(); 64];
    for round in (0..64).cycle() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let (tag, len) =
            if round % 2 == 0 { (&CHURNED[0], 40 + round) } else { (&CHURNED[1], 4096 * round) };
        let _guard = tag.enter();
        let mut block: Vec<u8> = Vec::with_capacity(len);
        block.reserve_exact(len + 1000);
        kept[round] = black_box(block);
    }
}

/// Claims and releases slots all the time.
fn come_and_go(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let short = thread::spawn(|| CHURNED[2].scope(|| vec![0u8; 200]));
        drop(short.join().unwrap());
    }
}

/// Makes tags and gives them up all the time.
fn make_tags(stop: &AtomicBool) {
    let names = ["fork/made-a", "fork/made-b", "fork/made-c"];
    for name in names.iter().cycle().take_while(|_| !stop.load(Ordering::Relaxed)) {
        drop(TagHandle::new(name).unwrap().scope(|| vec![0u8; 10]));
    }
}
