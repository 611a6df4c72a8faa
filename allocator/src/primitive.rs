//! Atomics and padding behind one shim, so that a model checker can take their place.

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering,
};

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

    pub(crate) fn get(&self) -> Option<&'static T> {
        // SAFETY: `set` alone writes the pointer: null, or from a reference that lives for ever.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }
}
