//! What the system itself takes to wake a thread: the measure for every other reaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A reaction that takes longer is one that did not happen.
const PATIENCE: Duration = Duration::from_secs(2);

/// A thread that does nothing but park, and say when it runs.
#[derive(Debug)]
pub(super) struct Sleeper {
    shared: Arc<Shared>,
    awake: Receiver<Instant>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    woken: AtomicBool,
    stop: AtomicBool,
}

impl Sleeper {
    pub(super) fn start() -> Self {
        let (say, awake) = channel();
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let thread = thread::spawn(move || sleep_and_say(&seen, &say));
        Self { shared, awake, thread: Some(thread) }
    }

    /// From the call that wakes it to its first instruction.
    pub(super) fn wake(&self) -> Option<Duration> {
        let begun = Instant::now();
        // Release: pairs with the acquire in `sleep_and_say`, which may see it without parking.
        self.shared.woken.store(true, Ordering::Release);
        self.unpark();
        until(begun, &self.awake)
    }

    fn unpark(&self) {
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // Release: pairs with the acquire in `sleep_and_say`.
        self.shared.stop.store(true, Ordering::Release);
        self.unpark();
        if let Some(thread) = self.thread.take() {
            // It has nothing to panic about.
            let _ = thread.join();
        }
    }
}

fn sleep_and_say(shared: &Shared, say: &Sender<Instant>) {
    // Acquire: pairs with the release in `drop`.
    while !shared.stop.load(Ordering::Acquire) {
        thread::park();
        let now = Instant::now();
        // Acquire: pairs with the release in `wake`. A park may end for no reason.
        if shared.woken.swap(false, Ordering::Acquire) && say.send(now).is_err() {
            return;
        }
    }
}

/// The time from `begun` to the moment that is sent next; none if that does not come.
pub(super) fn until(begun: Instant, moments: &Receiver<Instant>) -> Option<Duration> {
    match moments.recv_timeout(PATIENCE) {
        Ok(moment) => Some(moment.saturating_duration_since(begun)),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
    }
}

/// Threads that run without a pause until this is dropped.
#[derive(Debug)]
pub(super) struct Spinners {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Spinners {
    pub(super) fn start(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let spin = || {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..count).map(|_| spin()).collect();
        Self { stop, threads }
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It has nothing to panic about.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleeper_says_each_time_when_it_runs_and_ends_when_dropped() {
        let _spinners = Spinners::start(1);
        let sleeper = Sleeper::start();
        for _ in 0..3 {
            assert!(sleeper.wake().is_some());
        }
    }

    #[test]
    fn what_does_not_come_is_none() {
        let (say, moments) = channel();
        drop(say);
        assert_eq!(until(Instant::now(), &moments), None);
    }
}
