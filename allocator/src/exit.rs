//! The end of a thread whose first operation comes when its thread-locals are gone already: in
//! the destructor of a pthread key, as C libraries have them.
//!
//! The destructor of a thread-local that is touched then never runs, and the thread would keep
//! its shard for ever. So a thread that claims a shard also sets a key of ours: keys that are set
//! while destructors run have theirs run in another round. POSIX promises four rounds at least; a
//! thread whose first operation is in the last one keeps its shard. A library that is unloaded
//! leaves its key behind, of the thousand or so that a process has.

/// What a thread has to give back.
pub(crate) trait Leaver {
    /// Gives it back for the calling thread, once or again.
    fn leave();
}

#[cfg(unix)]
pub(crate) use key::{arm, disarm};

/// There are no such keys here.
#[cfg(not(unix))]
pub(crate) fn arm<L: Leaver>() {
    let _never_called = L::leave;
}

#[cfg(not(unix))]
pub(crate) fn disarm() {}

#[cfg(unix)]
mod key {
    use std::ffi::c_void;
    use std::ptr;

    use super::Leaver;
    use crate::primitive::{AtomicUsize, Ordering};

    /// The key and one more, or zero while there is none.
    static KEY: AtomicUsize = AtomicUsize::new(0);

    /// Has `L` give back what the calling thread has, at its end, unless disarmed by then.
    pub(crate) fn arm<L: Leaver>() {
        // Without a key there is no net: all of a process's keys are taken.
        if let Some(key) = key().or_else(make_key::<L>) {
            set(key, ptr::dangling());
        }
    }

    /// What the thread had is given back. No call into this program or library is left behind,
    /// in case that it is a library to be unloaded.
    pub(crate) fn disarm() {
        if let Some(key) = key() {
            set(key, ptr::null());
        }
    }

    fn key() -> Option<libc::pthread_key_t> {
        // Relaxed: the key itself is all that is read through it.
        KEY.load(Ordering::Relaxed).checked_sub(1).map(|key| key as libc::pthread_key_t)
    }

    #[cold]
    fn make_key<L: Leaver>() -> Option<libc::pthread_key_t> {
        let mut made = 0;
        // SAFETY: the key has a place to go to, and the destructor takes any value.
        let status = unsafe { libc::pthread_key_create(&raw mut made, Some(leave::<L>)) };
        if status != 0 {
            return None;
        }
        let stored = made as usize + 1;
        if KEY.compare_exchange(0, stored, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            // SAFETY: another thread was first, so nobody else has heard of this one.
            unsafe { libc::pthread_key_delete(made) };
        }
        key()
    }

    fn set(key: libc::pthread_key_t, value: *const c_void) {
        // Refused for want of memory, a thread is without its net.
        // SAFETY: the key was made by us and is never deleted.
        unsafe { libc::pthread_setspecific(key, value) };
    }

    extern "C" fn leave<L: Leaver>(_: *mut c_void) {
        L::leave();
    }
}
