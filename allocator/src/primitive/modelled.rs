//! The model checker's side of the shim: loom's atomics, fence and scheduler.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use loom::sync::{Condvar, Mutex, atomic};

pub(crate) use loom::sync::atomic::fence;
pub(crate) use loom::thread::yield_now as pause;

pub(crate) type AtomicBool = Lazy<atomic::AtomicBool, bool>;
pub(crate) type AtomicI64 = Lazy<atomic::AtomicI64, i64>;
pub(crate) type AtomicPtr<T> = Lazy<atomic::AtomicPtr<T>, *mut T>;
pub(crate) type AtomicU8 = Lazy<atomic::AtomicU8, u8>;
pub(crate) type AtomicU64 = Lazy<atomic::AtomicU64, u64>;
pub(crate) type AtomicUsize = Lazy<atomic::AtomicUsize, usize>;

/// An atomic of loom's, made when it is first touched: loom's own cannot be made in a constant.
///
/// loom takes the first touch for the atomic's birth, and fails where another thread's touch may
/// come before it. So a model has all of them touched, by way of `Debug`, before its threads
/// start.
pub(crate) struct Lazy<A, V> {
    initial: V,
    /// An index into loom's tables: there is nothing to drop, which constants could not.
    atomic: ManuallyDrop<OnceLock<A>>,
}

// SAFETY: `initial` is only copied, and as a pointer never followed.
unsafe impl<A: Send + Sync, V: Copy> Sync for Lazy<A, V> {}

impl<A, V> Lazy<A, V> {
    pub(crate) const fn new(initial: V) -> Self {
        Self { initial, atomic: ManuallyDrop::new(OnceLock::new()) }
    }
}

impl<A: From<V>, V: Copy> Deref for Lazy<A, V> {
    type Target = A;

    fn deref(&self) -> &A {
        self.atomic.get_or_init(|| A::from(self.initial))
    }
}

impl<A: From<V> + fmt::Debug, V: Copy> fmt::Debug for Lazy<A, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl AtomicU64 {
    /// `AtomicU64::update`, which loom does not have yet.
    pub(crate) fn update(&self, set: Ordering, fetch: Ordering, f: impl Fn(u64) -> u64) -> u64 {
        self.fetch_update(set, fetch, |value| Some(f(value))).unwrap_or_else(|value| value)
    }
}

/// `std::thread::Thread`, as far as it is used here: `unpark` leaves a token, `park` takes it.
/// (loom's own `unpark` reaches a thread that has not parked yet, which hides races.)
#[derive(Debug)]
pub struct Thread {
    has_token: Mutex<bool>,
    token_left: Condvar,
    /// Of loom's, so that loom knows where and when the handle was made.
    times_unparked: atomic::AtomicUsize,
}

impl Thread {
    pub(crate) fn unpark(&self) {
        self.times_unparked.fetch_add(1, Ordering::Relaxed);
        *self.has_token.lock().unwrap() = true;
        self.token_left.notify_one();
    }
}

#[cfg(test)]
impl Thread {
    pub(crate) fn new() -> Self {
        Self {
            has_token: Mutex::new(false),
            token_left: Condvar::new(),
            times_unparked: atomic::AtomicUsize::new(0),
        }
    }

    pub(crate) fn park(&self) {
        let mut has_token = self.has_token.lock().unwrap();
        while !*has_token {
            has_token = self.token_left.wait(has_token).unwrap();
        }
        *has_token = false;
    }

    pub(crate) fn times_unparked(&self) -> usize {
        self.times_unparked.load(Ordering::Relaxed)
    }
}

/// `crossbeam_utils::Backoff`, as far as it is used here.
pub(super) struct Backoff;

impl Backoff {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn snooze(&self) {
        pause();
    }
}
