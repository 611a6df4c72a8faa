//! [`MonitorThread`]: the thread that takes the monitor's turns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use super::{BURSAR, Turn};
use crate::error::Error;
use crate::monitor::Monitor;

/// The thread, and how it is stopped.
#[derive(Debug)]
pub(crate) struct MonitorThread {
    handle: Thread,
    join: Mutex<Option<JoinHandle<()>>>,
    stop: Arc<AtomicBool>,
    /// What it waits for: a monitor, and how long after its first step the next is due.
    begin: mpsc::Sender<(Arc<Turn>, Duration)>,
}

impl MonitorThread {
    /// Starts a thread that waits for its monitor.
    pub(crate) fn spawn() -> Result<Self, Error> {
        let (begin, begun) = mpsc::channel::<(Arc<Turn>, Duration)>();
        let stop = Arc::new(AtomicBool::new(false));
        let is_stopped = Arc::clone(&stop);
        let body = move || {
            let _tag = BURSAR.enter();
            // Without a monitor it was not started after all.
            if let Ok((turn, wait)) = begun.recv() {
                run(&turn, &is_stopped, wait);
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
    pub(crate) fn run(&self, turn: Arc<Turn>, wait: Duration) {
        // It waits for this as long as `self` is there.
        let _ = self.begin.send((turn, wait));
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
fn run(turn: &Turn, stop: &AtomicBool, first_wait: Duration) {
    let mut wait = first_wait;
    // Acquire: pairs with the release in `stop`.
    let is_stopped = || stop.load(Ordering::Acquire);
    while !is_stopped() {
        // A callback that parks may have swallowed the word that the flag is up.
        if !turn.take(Monitor::take_pending).unwrap_or(false) {
            thread::park_timeout(wait);
        }
        if is_stopped() {
            break;
        }
        match turn.take(|monitor| (monitor.step(), monitor.rest())) {
            Ok((next, rest)) => {
                wait = next;
                thread::sleep(rest);
            }
            Err(_) => break,
        }
    }
    turn.end();
}
