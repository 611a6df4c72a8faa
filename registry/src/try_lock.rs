//! [`try_lock`]: how a purge takes a lock, and [`try_lock_briefly`] who reads figures.

use std::sync::{Mutex, MutexGuard, TryLockError};

/// The lock, or `None` if someone holds it. That a holder panicked is no hindrance: whoever calls
/// this guards what is whole all the same.
pub(crate) fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// How often a lock that is held for a moment at a time is tried.
const TRIES: usize = 8;

/// As [`try_lock`], with a little patience: for a lock that is held for the length of a look-up.
/// `None` under one that is held for longer, as by a thread that is gone since a fork.
pub(crate) fn try_lock_briefly<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    (0..TRIES).find_map(|tried| {
        if tried > 0 {
            std::thread::yield_now();
        }
        try_lock(mutex)
    })
}
