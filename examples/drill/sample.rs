//! Watches a server from outside: its memory by the container's own count, and
//! the processor time it has used.

use crate::container::Figures;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Between two samples.
const EVERY: Duration = Duration::from_millis(50);

/// Where the memory figure comes from.
#[derive(Clone, Debug)]
pub(crate) enum Gauge {
    /// The container, which also holds the limit.
    Container(Figures),
    /// The process's resident bytes; the drill holds the limit itself.
    Resident {
        /// Bytes above which the server is to be stopped.
        limit: u64,
    },
}

/// One look at the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Since the load began.
    pub(crate) at: Duration,
    pub(crate) memory: u64,
    /// Processor time used up to now.
    pub(crate) cpu: Duration,
    /// Requests answered up to now.
    pub(crate) served: u64,
}

/// A thread that samples until it is stopped.
#[derive(Debug)]
pub(crate) struct Sampler {
    shared: Arc<Shared>,
    thread: JoinHandle<Vec<Sample>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    over: AtomicBool,
    memory: AtomicU64,
}

impl Sampler {
    /// Begins to watch process `id`, whose answers are counted in `served`.
    pub(crate) fn start(id: u32, gauge: Gauge, served: Arc<AtomicU64>) -> Result<Self, String> {
        let mut process = Process::new(id)?;
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let begun = Instant::now();
        let thread = std::thread::spawn(move || {
            let mut samples = Vec::new();
            while !seen.stop.load(Ordering::Relaxed) {
                if let Some((memory, cpu)) = process.look(&gauge) {
                    seen.memory.store(memory, Ordering::Relaxed);
                    let over = matches!(gauge, Gauge::Resident { limit } if memory > limit);
                    seen.over.fetch_or(over, Ordering::Relaxed);
                    samples.push(Sample {
                        at: begun.elapsed(),
                        memory,
                        cpu,
                        served: served.load(Ordering::Relaxed),
                    });
                }
                std::thread::park_timeout(EVERY);
            }
            samples
        });
        Ok(Self { shared, thread })
    }

    /// The memory figure of the last sample.
    pub(crate) fn memory(&self) -> u64 {
        self.shared.memory.load(Ordering::Relaxed)
    }

    /// Whether a limit that the drill holds itself was passed.
    pub(crate) fn over(&self) -> bool {
        self.shared.over.load(Ordering::Relaxed)
    }

    /// Ends the watch.
    pub(crate) fn stop(self) -> Vec<Sample> {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_default()
    }
}

/// One process, as the system knows it.
struct Process {
    id: Pid,
    system: System,
}

impl Process {
    fn new(id: u32) -> Result<Self, String> {
        Ok(Self {
            id: Pid::from_u32(id),
            system: System::new().map_err(|error| error.to_string())?,
        })
    }

    /// Memory and processor time; nothing once the process has no memory left.
    fn look(&mut self, gauge: &Gauge) -> Option<(u64, Duration)> {
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        let only = ProcessesToUpdate::Some(&[self.id]);
        self.system.refresh_processes_specifics(only, true, what);
        let process = self.system.process(self.id)?;
        let cpu = Duration::from_millis(process.accumulated_cpu_time());
        let memory = match gauge {
            Gauge::Container(figures) => figures.usage()?,
            Gauge::Resident { .. } => process.memory(),
        };
        (process.memory() > 0).then_some((memory, cpu))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_process_is_seen_to_pass_a_limit_of_one_byte() {
        let served = Arc::new(AtomicU64::new(3));
        let sampler = Sampler::start(std::process::id(), Gauge::Resident { limit: 1 }, served)
            .expect("a sampler");
        while !sampler.over() {
            std::thread::yield_now();
        }
        let samples = sampler.stop();
        assert!(!samples.is_empty());
        assert!(samples.iter().all(|sample| sample.memory > 1 && sample.served == 3));
    }
}
