//! Requests over the real allocator.

mod futures;
mod model;

use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;

use bursar::{AccountingAllocator, RequestScope, RequestUsage, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// The largest allowance while no budget is watched: within it a peak is known, and a block of so
/// many bytes is always seen.
const ALLOWANCE_BYTES: usize = 64 << 10;
const LARGE_BYTES: usize = 1 << 20;

fn block(bytes: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(bytes))
}

fn within<T>(scope: &RequestScope, work: impl FnOnce() -> T) -> T {
    let _guard = scope.enter();
    work()
}

/// Allocated, freed and kept.
fn bytes(usage: &RequestUsage) -> (u64, u64, i64) {
    (usage.allocated_bytes, usage.freed_bytes, usage.net_bytes)
}

#[test]
fn a_request_has_what_was_allocated_and_freed_while_its_scope_was_entered() {
    let scope = RequestScope::new();
    assert_eq!(scope.usage(), RequestUsage::default());
    let older = block(300);
    let kept = within(&scope, || {
        drop(older);
        drop(block(LARGE_BYTES));
        block(1000)
    });
    drop(block(77));
    let usage = scope.usage();
    assert_eq!(bytes(&usage), (LARGE_BYTES as u64 + 1000, LARGE_BYTES as u64 + 300, 700));
    assert_eq!(usage.peak_bytes, LARGE_BYTES as u64 - 300);
    assert_eq!((usage.sections, usage.unmeasured), (1, 0));

    drop(kept);
    assert_eq!(scope.usage().net_bytes, 700, "freed by someone else, it stays in the figure");
}

#[test]
fn the_peak_goes_on_from_what_earlier_sections_have_kept() {
    let scope = RequestScope::new();
    let kept = within(&scope, || block(LARGE_BYTES));
    within(&scope, || drop(block(2 * LARGE_BYTES)));
    assert_eq!(scope.usage().peak_bytes, 3 * LARGE_BYTES as u64);
    within(&scope, || drop(kept));
    within(&scope, || drop(block(2 * LARGE_BYTES)));
    let usage = scope.usage();
    assert_eq!((usage.net_bytes, usage.peak_bytes), (0, 3 * LARGE_BYTES as u64));
    assert_eq!(usage.sections, 4);
}

#[test]
fn a_request_that_frees_what_others_made_is_below_zero_and_has_no_peak() {
    let scope = RequestScope::new();
    let older = block(LARGE_BYTES);
    within(&scope, || drop(older));
    let usage = scope.usage();
    assert_eq!(bytes(&usage), (0, LARGE_BYTES as u64, -(LARGE_BYTES as i64)));
    assert_eq!(usage.peak_bytes, 0);
}

#[test]
fn a_scope_entered_again_counts_nothing_twice_and_another_inside_counts_for_both() {
    let (outer, inner) = (RequestScope::new(), RequestScope::new());
    let kept = within(&outer, || {
        let first = block(100);
        let second = within(&inner, || {
            let again = within(&outer, || block(1000));
            drop(within(&inner.clone(), || block(LARGE_BYTES)));
            again
        });
        (first, second)
    });
    let large = LARGE_BYTES as u64;
    let (outer, inner) = (outer.usage(), inner.usage());
    assert_eq!(bytes(&outer), (large + 1100, large, 1100));
    assert_eq!(bytes(&inner), (large + 1000, large, 1000));
    assert_eq!((outer.peak_bytes, inner.peak_bytes), (large + 1100, large + 1000));
    assert_eq!((outer.sections, inner.sections), (1, 1));
    drop(kept);
}

#[test]
fn children_on_other_threads_count_where_they_are_given_the_scope() {
    const CHILDREN: usize = 4;
    let scope = RequestScope::new();
    let all_are_here = Barrier::new(CHILDREN + 1);
    let kept: Vec<_> = thread::scope(|threads| {
        let child = |scope: RequestScope| {
            let _guard = scope.enter();
            let kept = block(LARGE_BYTES);
            all_are_here.wait();
            drop(block(500));
            kept
        };
        let spawn = |_| {
            let scope = scope.clone();
            threads.spawn(move || child(scope))
        };
        let children: Vec<_> = (0..CHILDREN).map(spawn).collect();
        threads.spawn(|| {
            all_are_here.wait();
            drop(block(123_456));
        });
        children.into_iter().map(|child| child.join().unwrap()).collect()
    });
    let (usage, kept_bytes) = (scope.usage(), (CHILDREN * LARGE_BYTES) as u64);
    let freed_bytes = (CHILDREN * 500) as u64;
    assert_eq!(bytes(&usage), (kept_bytes + freed_bytes, freed_bytes, kept_bytes as i64));
    assert!((kept_bytes..=kept_bytes + freed_bytes).contains(&usage.peak_bytes), "{usage:?}");
    assert_eq!(usage.sections, CHILDREN as u64);
    within(&scope, || drop(kept));
    assert!(scope.usage().net_bytes <= 0, "and the vector of them");
}

#[test]
fn of_sections_at_once_that_keep_nothing_the_peak_is_at_least_the_largest_and_at_most_their_sum() {
    let scope = RequestScope::new();
    let (begun, held) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|threads| {
        for megabytes in [1, 3] {
            let (scope, begun, held) = (&scope, &begun, &held);
            threads.spawn(move || {
                let _guard = scope.enter();
                begun.wait();
                let block = block(megabytes * LARGE_BYTES);
                held.wait();
                drop(block);
            });
        }
    });
    let usage = scope.usage();
    assert_eq!(usage.net_bytes, 0);
    let (largest, sum) = (3 * LARGE_BYTES as u64, 4 * LARGE_BYTES as u64);
    assert!((largest..=sum).contains(&usage.peak_bytes), "{usage:?}");
}

#[test]
fn a_panic_leaves_the_scope_and_what_it_freed_is_counted() {
    let scope = RequestScope::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        within(&scope, || {
            let _freed_on_the_way = block(LARGE_BYTES);
            std::panic::resume_unwind(Box::new(()));
        });
    }));
    assert!(panicked.is_err());
    let usage = scope.usage();
    assert!(usage.allocated_bytes >= LARGE_BYTES as u64);
    assert!(usage.freed_bytes >= LARGE_BYTES as u64);
    drop(block(999));
    assert_eq!(scope.usage(), usage, "the scope was left");
    let kept = within(&scope, || block(10));
    assert_eq!(scope.usage().net_bytes, usage.net_bytes + 10);
    drop(kept);
}

#[test]
fn a_guard_that_is_leaked_disturbs_no_other_scope_and_no_other_thread() {
    let (leaky, other) = (RequestScope::new(), RequestScope::new());
    thread::scope(|threads| {
        let leak = threads.spawn(|| {
            let _ = ManuallyDrop::new(leaky.enter());
            drop(within(&leaky, || block(LARGE_BYTES)));
            drop(within(&other, || block(LARGE_BYTES)));
            within(&other, || {
                let _ = ManuallyDrop::new(leaky.enter());
                drop(block(2 * LARGE_BYTES));
            });
        });
        leak.join().unwrap();
    });
    assert_eq!(leaky.usage(), RequestUsage::default());
    let usage = other.usage();
    assert_eq!((usage.allocated_bytes, usage.sections), (3 * LARGE_BYTES as u64, 2));
    assert_eq!(usage.peak_bytes, 3 * LARGE_BYTES as u64, "of which one was kept from the first");
    drop(within(&leaky, || block(100)));
    assert_eq!(leaky.usage().allocated_bytes, 100);
}

#[test]
fn guards_dropped_in_any_order_have_the_right_bytes() {
    let (first, second) = (RequestScope::new(), RequestScope::new());
    let first_guard = first.enter();
    let a = block(1);
    let second_guard = second.enter();
    let b = block(20);
    drop(first_guard);
    let c = block(300);
    let kept = within(&first, || block(4000));
    let d = within(&second, || block(50_000));
    drop(second_guard);
    assert_eq!(first.usage().allocated_bytes, 1 + 20 + 4000);
    assert_eq!(second.usage().allocated_bytes, 20 + 300 + 4000 + 50_000);
    drop((a, b, c, d, kept));
}
