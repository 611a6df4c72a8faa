//! Requests on more threads than there are counter slots. A process of its own: while they live,
//! no other thread finds a slot.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;

use bursar::{AccountingAllocator, RequestScope, System, thread_usage_total};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

const THREADS: usize = 600;

#[test]
fn sections_on_threads_without_counters_are_told_apart_and_the_rest_is_exact() {
    let scope = RequestScope::new();
    let everyone_is_here = Barrier::new(THREADS);
    let live = || {
        everyone_is_here.wait();
        let guard = scope.enter();
        drop(black_box(Vec::<u8>::with_capacity(1000)));
        drop(guard);
        let has_counters = thread_usage_total().is_some();
        everyone_is_here.wait();
        has_counters
    };
    let measured = thread::scope(|threads| {
        let spawn =
            |_| thread::Builder::new().stack_size(256 << 10).spawn_scoped(threads, live).unwrap();
        let all: Vec<_> = (0..THREADS).map(spawn).collect();
        all.into_iter().map(|thread| u64::from(thread.join().unwrap())).sum::<u64>()
    });
    assert!(measured < THREADS as u64, "some thread has no slot");
    let usage = scope.usage();
    assert_eq!((usage.sections, usage.unmeasured), (THREADS as u64, THREADS as u64 - measured));
    assert_eq!((usage.allocated_bytes, usage.net_bytes), (1000 * measured, 0));
}
