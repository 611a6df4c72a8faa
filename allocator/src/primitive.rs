//! Atomics, padding and a lock behind one shim, so that a model checker can take their place.

#[cfg(bursar_loom)]
mod modelled;

#[cfg(not(bursar_loom))]
pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, fence,
};
#[cfg(not(bursar_loom))]
use crossbeam_utils::Backoff;
#[cfg(not(bursar_loom))]
pub(crate) use std::thread::{Thread, yield_now as pause};

#[cfg(bursar_loom)]
pub(crate) use modelled::*;

pub(crate) use core::sync::atomic::Ordering;
pub(crate) use crossbeam_utils::CachePadded;

/// `Option<&'static T>` in one atomic word, never a lock. (A cell that goes by way of an integer
/// would lose the pointer's provenance.)
#[derive(Debug)]
pub(crate) struct AtomicRef<T: 'static>(AtomicPtr<T>);

impl<T: Sync> AtomicRef<T> {
    pub(crate) const fn empty() -> Self {
        Self(AtomicPtr::new(core::ptr::null_mut()))
    }

    pub(crate) fn set(&self, value: Option<&'static T>) {
        let pointer =
            value.map_or(core::ptr::null_mut(), |value| core::ptr::from_ref(value).cast_mut());
        // Release: pairs with the acquire in `get`, which hands out what is behind the pointer.
        self.0.store(pointer, Ordering::Release);
    }

    /// Sets it if there is none yet, and answers whether that was so.
    #[cfg(feature = "profile")]
    pub(crate) fn set_first(&self, value: &'static T) -> bool {
        let pointer = core::ptr::from_ref(value).cast_mut();
        // Release: as in `set`.
        let none = core::ptr::null_mut();
        self.0.compare_exchange(none, pointer, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: `set` alone writes the pointer: null, or from a reference that lives for ever.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }
}

/// A lock for a handful of loads and stores, never taken on the path of an allocation. Not std's
/// mutex, since it has to be taken before a fork and let go on both sides of it, or a child could
/// inherit it held by a thread that it does not have.
#[derive(Debug)]
pub(crate) struct SpinLock(AtomicBool);

impl SpinLock {
    pub(crate) const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    pub(crate) fn lock(&self) {
        let backoff = Backoff::new();
        // Acquire: pairs with the release in `unlock`.
        while self.0.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            backoff.snooze();
        }
    }

    pub(crate) fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }
}
