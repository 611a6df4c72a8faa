//! A thread that the Rust runtime knows nothing of: it allocates nothing to come and go.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

/// A thread to be joined.
#[derive(Debug)]
pub(crate) struct RawThread(libc::pthread_t);

impl RawThread {
    /// Runs `body` on a new thread.
    pub(crate) fn spawn(body: fn()) -> Self {
        extern "C" fn start(body: *mut c_void) -> *mut c_void {
            // SAFETY: it is the `fn()` that `spawn` made a pointer of.
            let body = unsafe { std::mem::transmute::<*mut c_void, fn()>(body) };
            body();
            ptr::null_mut()
        }
        let mut thread = MaybeUninit::uninit();
        let body = body as *mut c_void;
        // SAFETY: the id has a place to go to, and `start` takes what it is given.
        let status = unsafe { libc::pthread_create(thread.as_mut_ptr(), ptr::null(), start, body) };
        assert_eq!(status, 0, "pthread_create");
        // SAFETY: a call that succeeds has written it.
        Self(unsafe { thread.assume_init() })
    }

    /// Waits for its end, destructors included.
    pub(crate) fn join(self) {
        // SAFETY: it is joined once, since this takes it.
        let status = unsafe { libc::pthread_join(self.0, ptr::null_mut()) };
        assert_eq!(status, 0, "pthread_join");
    }
}
