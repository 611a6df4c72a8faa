//! More threads at once than there are counter slots. A process of its own: while they live, no
//! other thread finds a slot.

use bursar_alloc::{AccountingAllocator, System, Tag, tag_usage};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

#[test]
fn more_threads_at_once_than_there_are_slots_are_all_counted() {
    static TAG: Tag = Tag::new("past-the-slots");
    const THREADS: usize = 600;
    let everyone_is_here = std::sync::Barrier::new(THREADS);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            std::thread::Builder::new()
                .stack_size(256 << 10)
                .spawn_scoped(scope, || {
                    let block = TAG.scope(|| Vec::<u8>::with_capacity(10));
                    everyone_is_here.wait();
                    assert!(tag_usage(&TAG).live_bytes >= 10);
                    drop(block);
                })
                .unwrap();
        }
    });
    assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (0, 0));
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, 10 * THREADS as u64);
    assert!(bursar_alloc::usage().thread_slots_refused_total > 0);
}
