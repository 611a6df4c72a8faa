//! [`MonitorThread`]: the thread that takes the monitor's turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle, Thread};

use super::{BURSAR, Turn};
use crate::error::Error;
use crate::monitor::Monitor;

/// The thread, and how it is stopped.
#[derive(Debug)]
pub(crate) struct MonitorThread {
    handle: Thread,
    join: Mutex<Option<JoinHandle<()>>>,
    stop: Arc<AtomicBool>,
    /// What it waits for: a monitor that has made its first step.
    begin: mpsc::Sender<Arc<Turn>>,
}

impl MonitorThread {
    /// Starts a thread that waits for its monitor.
    pub(crate) fn spawn() -> Result<Self, Error> {
        let (begin, begun) = mpsc::channel::<Arc<Turn>>();
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let body = move || {
            let _tag = BURSAR.enter();
            // Without a monitor it was not started after all.
            if let Ok(turn) = begun.recv() {
                run(&turn, &is_stopped);
            }
        };
        let join = thread::Builder::new()
            .name("bursar-monitor".to_owned())
            .spawn(body)
            .map_err(|error| Error::MonitorNotStarted { reason: error.to_string() })?;
        Ok(Self { handle: join.thread().clone(), join: Mutex::new(Some(join)), stop, begin })
    }

    /// Whom the allocator is to wake.
    pub(crate) fn handle(&self) -> Thread {
        self.handle.clone()
    }

    /// Hands it its monitor.
    pub(crate) fn run(&self, turn: Arc<Turn>) {
        // It waits for this as long as `self` is there.
        let _ = self.begin.send(turn);
    }

    /// Ends it after its present turn, for which it waits if it may.
    pub(super) fn stop(&self, may_wait: bool) {
        // Release: pairs with the acquire in `run`.
        self.stop.store(true, Ordering::Release);
        let join = self.join.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(join) = join {
            self.handle.unpark();
            if may_wait {
                // It contains what panics in it; were it dead, there would be nothing to wait for.
                let _ = join.join();
            }
        }
    }
}

/// Takes turns until it is stopped, then ends the monitor.
fn run(turn: &Turn, stop: &AtomicBool) {
    // Acquire: pairs with the release in `stop`.
    while !stop.load(Ordering::Acquire) {
        match turn.take(Monitor::wait_for_step) {
            // Asked anew whatever ends the wait: a callback that parks may have swallowed the word
            // that the flag is up, or left one that says nothing.
            Ok(Some(wait)) => thread::park_timeout(wait),
            Ok(None) => match turn.take(|monitor| (monitor.step(), monitor.rest())) {
                Ok((_, rest)) => thread::sleep(rest),
                Err(_) => break,
            },
            Err(_) => break,
        }
    }
    turn.end();
}
