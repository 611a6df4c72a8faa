//! Threads that come, go, and free at their end.

use std::cell::RefCell;
use std::hint::black_box;

use bursar_alloc::{Tag, tag_usage};

#[test]
fn sums_are_exact_at_rest_after_threads_have_come_and_gone() {
    static TAG: Tag = Tag::new("threads/in-sequence");
    let mut kept = Vec::new();
    for round in 0..2000 {
        let block = std::thread::spawn(move || {
            drop(TAG.scope(|| black_box(vec![0u8; 100 + round])));
            TAG.scope(|| black_box(vec![1u8; 50]))
        });
        kept.push(block.join().unwrap());
    }
    assert_eq!(tag_usage(&TAG).live_bytes, 2000 * 50);
    assert_eq!(tag_usage(&TAG).live_blocks, 2000);
    drop(kept);
    assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (0, 0));
}

#[test]
fn what_thread_locals_allocate_and_free_in_their_destructors_is_counted() {
    static TAG: Tag = Tag::new("threads/tls-destructors");

    struct LateAllocator(Vec<u8>);
    impl Drop for LateAllocator {
        fn drop(&mut self) {
            self.0 = TAG.scope(|| black_box(vec![2u8; 333]));
        }
    }
    thread_local! {
        static FIRST: RefCell<Option<LateAllocator>> = const { RefCell::new(None) };
        static SECOND: RefCell<Option<LateAllocator>> = const { RefCell::new(None) };
    }
    for _ in 0..50 {
        // One before the thread's first allocation and one after, so that one of them outlives
        // the thread's own exit hook, whichever order destructors run in.
        std::thread::spawn(|| {
            FIRST.with_borrow_mut(|slot| *slot = Some(LateAllocator(Vec::new())));
            let block = TAG.scope(|| black_box(vec![0u8; 111]));
            SECOND.with_borrow_mut(|slot| *slot = Some(LateAllocator(block)));
        })
        .join()
        .unwrap();
    }
    let used = tag_usage(&TAG);
    assert_eq!((used.live_bytes, used.live_blocks), (0, 0));
    assert_eq!(used.allocated_bytes_total, 50 * (111 + 2 * 333));
}

#[test]
fn readers_never_see_a_figure_below_zero_or_wrapped_while_threads_churn() {
    static TAG: Tag = Tag::new("threads/churn");
    std::thread::scope(|scope| {
        let churners: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let _guard = TAG.enter();
                    for size in (1..200).cycle().take(50_000) {
                        std::hint::black_box(Vec::<u8>::with_capacity(size));
                    }
                })
            })
            .collect();
        while !churners.iter().all(|churner| churner.is_finished()) {
            assert!(tag_usage(&TAG).live_bytes < 1 << 20);
        }
    });
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}
