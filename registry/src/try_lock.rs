//! [`try_lock`]: how a purge takes a lock.

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
