//! The thread's current tag: [`TagGuard`], [`Tag::enter`] and [`Tag::scope`].

use std::marker::PhantomData;

use crate::tag::Tag;
use crate::tag_handle::TagHandle;
use crate::tag_table::TagRef;
use crate::thread;

/// While it lives, what its thread allocates is charged to the tag that was entered.
///
/// Not `Send`: it speaks of the thread it was made on. Held across an `.await` it would charge
/// other tasks' bytes to this tag, so a future that does so is not `Send`; wrap the future by
/// [`TagExt::tagged`](crate::TagExt::tagged) in its place.
///
/// Guards dropped out of order each put back the tag they found; a guard that is leaked leaves
/// its tag entered, for as long as the thread lives.
///
/// In a signal handler, a tag that was entered before may be entered, if its guard is dropped
/// before the handler returns: only the thread's own memory is touched. A tag's first use takes a
/// lock, and in a library loaded late a thread's first use of it may allocate its thread-locals:
/// neither belongs in a handler. Nor does allocating, here as with any allocator.
///
/// ```compile_fail
/// use bursar_alloc::Tag;
///
/// static IMAGES: Tag = Tag::new("images");
///
/// fn assert_send(_: impl Send) {}
/// assert_send(async {
///     let _guard = IMAGES.enter();
///     std::future::ready(()).await;
/// });
/// ```
#[derive(Debug)]
#[must_use = "the tag is left as soon as the guard is dropped"]
pub struct TagGuard {
    outer_tag: TagRef,
    _of_one_thread: PhantomData<*mut ()>,
}

impl TagGuard {
    #[inline]
    fn enter(tag: TagRef) -> Self {
        Self { outer_tag: thread::replace_tag(tag), _of_one_thread: PhantomData }
    }
}

impl Tag {
    /// Enters the tag on this thread until the guard is dropped.
    ///
    /// Costs a few loads and stores on the thread's own memory; the first use of a tag in a
    /// process takes a lock to number it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::Tag;
    ///
    /// static SESSIONS: Tag = Tag::new("sessions");
    ///
    /// let sessions: Vec<u64> = {
    ///     let _guard = SESSIONS.enter();
    ///     Vec::with_capacity(1000)
    /// };
    /// # drop(sessions);
    /// ```
    #[inline]
    pub fn enter(&'static self) -> TagGuard {
        TagGuard::enter(self.to_ref())
    }

    /// Runs `f` with the tag entered.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::Tag;
    ///
    /// static REPORTS: Tag = Tag::new("reports");
    ///
    /// let report = REPORTS.scope(|| format!("{} rows", 3));
    /// assert_eq!(report, "3 rows");
    /// ```
    #[inline]
    pub fn scope<T>(&'static self, f: impl FnOnce() -> T) -> T {
        let _guard = self.enter();
        f()
    }
}

impl TagHandle {
    /// Enters the tag on this thread until the guard is dropped, as [`Tag::enter`] does. The
    /// guard keeps the tag in use by itself, without the handle.
    #[inline]
    pub fn enter(&self) -> TagGuard {
        thread::leave_tag_at_exit();
        TagGuard::enter(self.to_ref())
    }

    /// Runs `f` with the tag entered.
    #[inline]
    pub fn scope<T>(&self, f: impl FnOnce() -> T) -> T {
        let _guard = self.enter();
        f()
    }
}

impl Drop for TagGuard {
    #[inline]
    fn drop(&mut self) {
        thread::leave_tag(thread::replace_tag(self.outer_tag));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Here the program's allocator is not ours: the thread counts nothing.
    #[test]
    fn a_thread_that_never_allocates_leaves_a_tag_of_a_leaked_guard_at_its_end() {
        let tag = TagHandle::new("scope/idle-thread").unwrap();
        std::thread::spawn(move || std::mem::forget(tag.enter())).join().unwrap();
        assert!(crate::usage().tags.iter().all(|tag| tag.name != "scope/idle-thread"));
    }

    #[cfg(all(unix, not(miri)))]
    #[test]
    fn a_handler_that_interrupts_the_entering_of_a_tag_leaves_it_in_its_own_memory() {
        use std::os::unix::thread::JoinHandleExt;
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

        const SIGNALS: usize = 1000;
        static HANDLER: Tag = Tag::new("scope/handler");
        static TAGS: [Tag; 2] = [Tag::new("scope/own").isolated(), Tag::new("scope/plain")];
        static HANDLED: AtomicUsize = AtomicUsize::new(0);
        static STOP: AtomicBool = AtomicBool::new(false);

        extern "C" fn handle(_: libc::c_int) {
            drop(HANDLER.enter());
            HANDLED.fetch_add(1, Ordering::Relaxed);
        }

        // A tag's number is given out under a lock, so not in the handler.
        let _ = HANDLER.number();
        let slots = TAGS.each_ref().map(|tag| tag.to_ref().slot());
        assert_ne!(slots[0], slots[1]);
        let handler: extern "C" fn(libc::c_int) = handle;
        // SAFETY: the handler touches memory of its thread's own and one atomic counter.
        unsafe { libc::signal(libc::SIGUSR1, handler as libc::sighandler_t) };
        let entering = std::thread::spawn(move || {
            while !STOP.load(Ordering::Relaxed) {
                for (tag, slot) in TAGS.iter().zip(slots) {
                    tag.scope(|| assert_eq!(thread::current_slot(), slot));
                }
            }
        });
        // musl calls a thread by a pointer, the standard library by a number there.
        let entering_thread = entering.as_pthread_t() as libc::pthread_t;
        for sent in 1..=SIGNALS {
            // SAFETY: the thread goes on until told to stop, below.
            unsafe { libc::pthread_kill(entering_thread, libc::SIGUSR1) };
            while HANDLED.load(Ordering::Relaxed) < sent && !entering.is_finished() {
                std::hint::spin_loop();
            }
        }
        STOP.store(true, Ordering::Relaxed);
        entering.join().unwrap();
    }
}
