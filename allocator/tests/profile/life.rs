//! What becomes of a sample as its block lives, and of the accounts.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use bursar_alloc::{Retag, Tag, sampling_stats, tag_usage, usage};

use super::{ALLOCATOR, live_samples_of, sample_every, samples};

fn live(tag: &'static Tag) -> (u64, u64) {
    let usage = tag_usage(tag);
    (usage.live_bytes, usage.live_blocks)
}

pub(super) fn a_block_that_is_freed_leaves_the_profile_on_whatever_thread() {
    static TAG: Tag = Tag::new("profile/freed");
    sample_every(64);
    let blocks: Vec<Vec<u8>> = (0..200).map(|_| TAG.scope(|| vec![1u8; 500])).collect();
    assert_eq!(live(&TAG), (100_000, 200));
    let all = live_samples_of("profile/freed");
    assert!((195..=200).contains(&all), "{all} of 200 blocks of 500 bytes, one each 64");
    let (here, there) = blocks.split_at(100);
    let (here, there) = (here.to_vec(), there.to_vec());
    drop(blocks);
    drop(here);
    std::thread::spawn(|| drop(there)).join().unwrap();
    assert_eq!(live(&TAG), (0, 0));
    assert_eq!(live_samples_of("profile/freed"), 0);
}

pub(super) fn a_resized_block_keeps_its_tag_and_its_sample() {
    static TAG: Tag = Tag::new("profile/resized");
    sample_every(1);
    let mut block = TAG.scope(|| Vec::<u8>::with_capacity(100));
    assert_eq!(live_samples_of("profile/resized"), 1);
    // Across the line at which a tag goes from the block to the map, and back.
    for capacity in [101, 1023, 1024, 70_000, 1025, 1023, 100] {
        if capacity > block.capacity() {
            block.reserve_exact(capacity - block.len());
        } else {
            block.shrink_to(capacity);
        }
        assert_eq!(live(&TAG), (capacity as u64, 1));
        let [site] = &super::sites_of("profile/resized")[..] else { panic!("one block") };
        assert_eq!((site.samples, site.live_bytes), (1, capacity as u64));
    }
    drop(block);
    assert_eq!((live(&TAG), live_samples_of("profile/resized")), ((0, 0), 0));
}

pub(super) fn a_block_that_cannot_be_resized_stays_sampled_as_it_was() {
    static TAG: Tag = Tag::new("profile/refused");
    sample_every(1);
    let layout = Layout::from_size_align(100, 8).unwrap();
    let impossible = isize::MAX as usize - 8;
    // SAFETY: the size is not zero.
    let ptr = TAG.scope(|| unsafe { ALLOCATOR.alloc(layout) });
    // SAFETY: the block is live and of this layout, and the size a layout's.
    let resized = unsafe { ALLOCATOR.realloc(ptr, layout, impossible) };
    assert!(resized.is_null());
    assert_eq!((live(&TAG), live_samples_of("profile/refused")), ((100, 1), 1));
    // SAFETY: the block is live and of this layout.
    unsafe { ALLOCATOR.dealloc(ptr, layout) };
    assert_eq!((live(&TAG), live_samples_of("profile/refused")), ((0, 0), 0));
}

pub(super) fn a_zeroed_block_is_sampled_as_any_other() {
    static TAG: Tag = Tag::new("profile/zeroed");
    sample_every(1);
    for size in [100, 5000] {
        let block = TAG.scope(|| black_box(vec![0u8; size]));
        assert!(block.iter().all(|&byte| byte == 0));
        assert_eq!((live(&TAG), live_samples_of("profile/zeroed")), ((size as u64, 1), 1));
    }
}

pub(super) fn a_sampled_block_takes_its_sample_to_another_tag() {
    static FROM: Tag = Tag::new("profile/from");
    static TO: Tag = Tag::new("profile/to");
    sample_every(1);
    for size in [100, 5000] {
        let mut block = FROM.scope(|| vec![7u8; size]);
        block.retag(&TO);
        assert_eq!([live(&FROM), live(&TO)], [(0, 0), (size as u64, 1)]);
        assert_eq!([live_samples_of("profile/from"), live_samples_of("profile/to")], [0, 1]);
        assert!(block.iter().all(|&byte| byte == 7));
    }
    assert_eq!((live(&TO), live_samples_of("profile/to")), ((0, 0), 0));
}

pub(super) fn what_is_allocated_at_a_threads_end_is_sampled_and_counted_right() {
    static TAG: Tag = Tag::new("profile/late");
    struct Late(Vec<Vec<u8>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let _tag = TAG.enter();
            self.0.extend((0..50).map(|_| black_box(vec![3u8; 300])));
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    sample_every(64);
    std::thread::spawn(|| {
        LATE.with(|late| *late.borrow_mut() = Some(Late(TAG.scope(|| vec![vec![1u8; 300]]))));
    })
    .join()
    .unwrap();
    assert_eq!((live(&TAG), live_samples_of("profile/late")), ((0, 0), 0));
}

pub(super) fn a_hundred_threads_allocate_while_profiles_are_read() {
    const THREADS: usize = if cfg!(miri) { 3 } else { 100 };
    static TAG: Tag = Tag::new("profile/crowd");
    sample_every(2000);
    let done = AtomicBool::new(false);
    let before = sampling_stats().unwrap().samples_total;
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let done = &done;
            scope.spawn(move || {
                let _tag = TAG.enter();
                let mut blocks = Vec::new();
                let mut state = thread as u64;
                while !done.load(Ordering::Relaxed) {
                    state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                    let size = 1 + (state >> 33) as usize % 3000;
                    match state >> 62 {
                        0 => blocks.push(vec![thread as u8; size]),
                        1 => drop(blocks.pop()),
                        2 if !blocks.is_empty() => {
                            let index = size % blocks.len();
                            blocks[index].resize(size, thread as u8);
                            blocks[index].shrink_to_fit();
                        }
                        _ => blocks.truncate(20),
                    }
                    assert!(blocks.iter().flatten().all(|&byte| byte == thread as u8));
                }
            });
        }
        while sampling_stats().unwrap().samples_total < before + 20_000 {
            let samples = samples();
            assert!(samples.sites.iter().all(|site| site.samples > 0 && !site.stack.is_empty()));
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_eq!((live(&TAG), live_samples_of("profile/crowd")), ((0, 0), 0));
}

pub(super) fn a_forked_child_has_the_profile_of_its_own_heap() {
    #[cfg(unix)]
    {
        static TAG: Tag = Tag::new("profile/forked");
        sample_every(1);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Taken in the middle of what they do; the child has them not.
            for _ in 0..4 {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        drop(black_box(vec![1u8; 100]));
                    }
                });
            }
            let mut mine = TAG.scope(|| vec![vec![1u8; 300]]);
            for _ in 0..20 {
                super::forked::fork(|| {
                    assert_eq!(live_samples_of("profile/forked"), 2);
                    TAG.scope(|| mine.push(vec![2u8; 300]));
                    mine.clear();
                    assert_eq!(live(&TAG).1, 1, "the vector's own");
                    assert_eq!(live_samples_of("profile/forked"), 1);
                });
            }
            assert_eq!(live_samples_of("profile/forked"), 2);
            drop(mine);
            done.store(true, Ordering::Relaxed);
        });
        assert_eq!((live(&TAG), live_samples_of("profile/forked")), ((0, 0), 0));
    }
    let _ = usage();
}
