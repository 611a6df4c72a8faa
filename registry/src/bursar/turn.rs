//! [`Turn`]: one monitor, for its own thread and for who calls it directly.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use crate::error::Error;
use crate::monitor::Monitor;

/// A monitor that one thread at a time may have. Who asks for a second turn from inside one, that
/// is from inside a callback, is refused: it would wait for itself.
pub(crate) struct Turn {
    monitor: Mutex<Option<Monitor>>,
    holder: Mutex<Option<ThreadId>>,
    /// A forked child has the monitor as it was at some moment, and nobody who goes on with it.
    process_id: u32,
}

/// Ends a turn, also where it panics.
struct Ends<'a>(&'a Turn);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        *lock(&self.0.holder) = None;
    }
}

impl Turn {
    pub(crate) fn new(monitor: Monitor) -> Self {
        Self {
            monitor: Mutex::new(Some(monitor)),
            holder: Mutex::default(),
            process_id: std::process::id(),
        }
    }

    /// Whether this is the process that the monitor was started in.
    pub(super) fn is_of_this_process(&self) -> bool {
        self.process_id == std::process::id()
    }

    /// Whether the calling thread has the turn.
    pub(super) fn is_held_here(&self) -> bool {
        *lock(&self.holder) == Some(thread::current().id())
    }

    /// Waits for the turn, and takes it.
    pub(super) fn take<T>(&self, f: impl FnOnce(&mut Monitor) -> T) -> Result<T, Error> {
        if !self.is_of_this_process() {
            return Err(Error::NotRunning);
        }
        if self.is_held_here() {
            return Err(Error::InsideCallback);
        }
        let mut monitor = lock(&self.monitor);
        *lock(&self.holder) = Some(thread::current().id());
        let _ends = Ends(self);
        monitor.as_mut().map(f).ok_or(Error::NotRunning)
    }

    /// Ends the monitor after its last words: what it watched is watched no more. Does nothing
    /// from inside a turn, in a forked child, and the second time.
    pub(super) fn end(&self) {
        if self.take(Monitor::finish).is_ok() {
            let ended = lock(&self.monitor).take();
            drop(ended);
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").field("holder", &self.holder).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What panics in a turn is contained; were it not, the monitor reads everything anew.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
