//! Forks a child that has to end well.

use std::sync::atomic::{AtomicI32, Ordering};

/// A fork and its child that take longer than this hang.
const HANGS_AFTER_SECONDS: u32 = 60;

/// The child that is waited for, or zero.
static CHILD: AtomicI32 = AtomicI32::new(0);

/// Runs `story` in a forked child, and panics unless it returns there. A child that hangs, be it
/// in the handlers of the fork itself, is killed. For one thread of a process, in a harness where
/// a panic ends the process.
pub(crate) fn fork(story: impl FnOnce()) {
    watch_over();
    // SAFETY: nothing is asked of the caller; what a child of many threads may do is what is
    // being tested.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        story();
        // SAFETY: nothing is asked of the caller.
        unsafe { libc::_exit(0) };
    }
    assert!(pid > 0, "fork: {}", std::io::Error::last_os_error());
    CHILD.store(pid, Ordering::SeqCst);
    let mut status = -1;
    // SAFETY: the status has a place to go to.
    let ended = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    CHILD.store(0, Ordering::SeqCst);
    // SAFETY: nothing is asked of the caller.
    unsafe { libc::alarm(0) };
    assert_eq!((ended, status), (pid, 0), "a child ended by signal {}", libc::WTERMSIG(status));
}

/// Sets the alarm; a forked child does not inherit it.
fn watch_over() {
    extern "C" fn kill_what_hangs(_: libc::c_int) {
        match CHILD.load(Ordering::SeqCst) {
            // SAFETY: nothing is asked of the caller.
            0 => unsafe { libc::abort() },
            // SAFETY: nothing is asked of the caller; it is our child, and not waited for yet.
            pid => unsafe { libc::kill(pid, libc::SIGKILL) },
        };
    }
    let handler: extern "C" fn(libc::c_int) = kill_what_hangs;
    // SAFETY: what the handler calls is permitted in one.
    unsafe { libc::signal(libc::SIGALRM, handler as libc::sighandler_t) };
    // SAFETY: nothing is asked of the caller.
    unsafe { libc::alarm(HANGS_AFTER_SECONDS) };
}
