//! Around a fork: the child has one thread, and finds the books of all its parent's threads.
//!
//! The child's handler releases the shards of the threads that it does not have, and clears the
//! watch, whose thread is one of them. Every count stays. So the sums in the child are those of
//! the parent at the fork, and a block that only a vanished thread knew of stays live there, in
//! the books as in the heap.
//!
//! A thread can vanish in the middle of an operation. For each that did, one block may be there
//! and not counted, or counted and not there, or have its bytes counted and itself not: live
//! figures are off by that much in the child, for good.
//!
//! A child made by `vfork`, `posix_spawn` or `_Fork` runs no handler: it is there to call `exec`.

use crate::primitive::{AtomicU64, Ordering};

/// What keeps books of threads, and puts them right in a forked child.
pub(crate) trait Survivor {
    /// Runs before the fork, on the thread that forks: gives up what a child could not have, and
    /// takes the locks that a child must not find held by a thread that it does not have.
    fn before();

    /// Runs after the fork, in the parent: lets go of the locks.
    fn in_parent();

    /// Runs after the fork in the child, on the one thread that it has, before anything else does:
    /// lets go of the locks, and puts the books right. Takes no lock and allocates nothing.
    fn in_child();
}

/// Tells a process from the one it was forked from.
static GENERATION: AtomicU64 = AtomicU64::new(1);

/// A number above zero that no forked child shares with its parent.
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Nothing forks here.
#[cfg(not(unix))]
pub(crate) fn register<S: Survivor>() {
    let _never_called = [S::before, S::in_parent, S::in_child];
}

#[cfg(unix)]
pub(crate) use handlers::register;

#[cfg(unix)]
mod handlers {
    use super::{GENERATION, Ordering, Survivor};
    use crate::primitive::AtomicBool;

    static REGISTERED: AtomicBool = AtomicBool::new(false);

    /// Has `S` put its books right in every child that this process forks from now on.
    ///
    /// Done once in a process, on the slow path of its first allocation. libc may take a lock of its
    /// own there, and allocate from its own allocator, as it may to register the destructor of a
    /// thread-local.
    ///
    /// Not before the backend has served an allocation: libc runs first before a fork what was
    /// registered last, and what the survivor gives up before one may take locks of the backend's,
    /// whose own handler takes them for good.
    pub(crate) fn register<S: Survivor>() {
        // A load first: threads come here again and again, and one of them has something to do.
        if REGISTERED.load(Ordering::Relaxed) || REGISTERED.swap(true, Ordering::Relaxed) {
            return;
        }
        // SAFETY: the handlers are functions of the program or library that this is linked into,
        // and libc forgets those of a library that it unloads.
        let status = unsafe {
            libc::pthread_atfork(Some(before::<S>), Some(in_parent::<S>), Some(in_child::<S>))
        };
        // Refused for want of memory: the next thread tries again.
        REGISTERED.store(status == 0, Ordering::Relaxed);
    }

    // libc runs the handlers of those who registered early, as we do, closest to the fork: ours
    // prepares after theirs who came later, and is done in the child before theirs begin. Only
    // the C allocator's own are closer.

    extern "C" fn before<S: Survivor>() {
        S::before();
    }

    extern "C" fn in_parent<S: Survivor>() {
        S::in_parent();
    }

    extern "C" fn in_child<S: Survivor>() {
        // Plain counting: there is no other thread yet.
        GENERATION.fetch_add(1, Ordering::Relaxed);
        S::in_child();
    }
}
