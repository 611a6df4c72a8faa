//! The reference and the lock that the rest is built on.

use super::explore;
use crate::primitive::{AtomicRef, AtomicUsize, Ordering, SpinLock, Thread};

#[test]
fn whoever_gets_a_reference_sees_what_is_behind_it() {
    fn set(cell: &AtomicRef<Thread>) {
        cell.set(Some(Box::leak(Box::new(Thread::new()))));
    }
    fn get(cell: &AtomicRef<Thread>) {
        if let Some(thread) = cell.get() {
            // loom fails here where the handle may not have been made yet.
            thread.unpark();
        }
    }
    explore(AtomicRef::empty, [set, get], |_| {});
}

#[test]
fn a_lock_lets_one_thread_in_at_a_time() {
    type Locked = (SpinLock, AtomicUsize);
    fn increment((lock, number): &Locked) {
        lock.lock();
        number.store(number.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        lock.unlock();
    }
    fn locked() -> Locked {
        (SpinLock::new(), AtomicUsize::new(0))
    }
    explore(locked, [increment, increment], |(_, number)| {
        assert_eq!(number.load(Ordering::Relaxed), 2);
    });
}
