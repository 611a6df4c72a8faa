//! [`ChildLock`]: a lock that a forked child does not find taken for ever.

use std::process;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::try_lock::try_lock_briefly;

/// A lock around what threads of ours write. One of them may hold it when the process is forked,
/// and the child has not that thread: there, what is behind the lock is then as at first.
#[derive(Debug)]
pub(crate) struct ChildLock<T> {
    value: Mutex<T>,
    process_id: u32,
    /// For a child, which decides it when it first takes the lock: what takes the value's place if
    /// that is held by a thread that is gone.
    in_child: OnceLock<Option<Mutex<T>>>,
}

impl<T: Default> ChildLock<T> {
    /// Waits for the lock. That a holder panicked is no hindrance: what is guarded is whole.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let mutex = if process::id() == self.process_id { &self.value } else { self.of_child() };
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of_child(&self) -> &Mutex<T> {
        let is_free = || try_lock_briefly(&self.value).is_some();
        let in_child = self.in_child.get_or_init(|| (!is_free()).then(Mutex::default));
        in_child.as_ref().unwrap_or(&self.value)
    }
}

impl<T: Default> Default for ChildLock<T> {
    fn default() -> Self {
        Self { value: Mutex::default(), process_id: process::id(), in_child: OnceLock::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a child finds it.
    fn inherited() -> ChildLock<u32> {
        let parents = 0;
        assert_ne!(process::id(), parents);
        ChildLock { process_id: parents, ..ChildLock::default() }
    }

    #[test]
    fn a_child_that_inherits_the_lock_free_has_what_is_behind_it() {
        let lock = inherited();
        *lock.value.lock().unwrap() = 7;
        assert_eq!(*lock.lock(), 7);
        *lock.lock() = 8;
        assert_eq!(*lock.lock(), 8);
    }

    #[test]
    fn a_child_that_inherits_the_lock_taken_begins_anew_and_waits_for_nobody() {
        let lock = inherited();
        let mut taken = lock.value.lock().unwrap();
        *taken = 7;
        assert_eq!(*lock.lock(), 0);
        *lock.lock() = 8;
        assert_eq!(*lock.lock(), 8);
        drop(taken);
        assert_eq!(*lock.lock(), 8, "decided once");
    }
}
