//! [`Bursar`]: what a user holds.

mod asks;
mod calls;
mod handle;
#[cfg(feature = "profile")]
mod heap_profile;
mod thread;
mod turn;

use bursar_alloc::Tag;

use crate::budget::Budget;
use crate::builder::{Builder, TagBudgets};
#[cfg(feature = "profile")]
use crate::doctor::AdviceCode;
use crate::doctor::{Advice, Checkup, examine};
use crate::error::Error;
use crate::history::History;
use crate::pressure::PressureLevel;
use crate::registry::{Entry, Registration, Registry};
use crate::signal::PressureSignal;
use crate::stats::Stats;
#[cfg(feature = "trace")]
use crate::trace::{Recorded, Trace, TraceWriter};

pub use calls::Checkpoint;
pub(crate) use handle::Handle;
pub(crate) use thread::MonitorThread;
pub(crate) use turn::Turn;

/// What Bursar itself allocates is counted here.
pub(crate) static BURSAR: Tag = Tag::new("bursar");

/// A running Bursar: one thread that keeps the process to its budget. One in a process at a time.
/// [Without a thread](Builder::threadless), [`checkpoint`](Self::checkpoint) does what is due.
///
/// Dropped, it stops; what is registered stays so, and is simply not asked any more.
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, Cache, System, Tag};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// static THUMBNAILS: Tag = Tag::new("thumbnails");
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let thumbnails: Cache<u64, Vec<u8>> = Cache::new(&THUMBNAILS);
///     let _registration = bursar.register(&thumbnails)?;
///
///     thumbnails.get_or_insert_with(7, || vec![0; 4096]);
///     println!("{}", bursar.stats());
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub struct Bursar {
    pub(crate) handle: Handle,
    pub(crate) thread: Option<MonitorThread>,
    pub(crate) _tag_budgets: TagBudgets,
    #[cfg(feature = "profile")]
    pub(crate) sampling: crate::sampling::Switch,
}

impl Bursar {
    /// Begins to build one.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Registers a purgeable until the returned value is dropped: an [`Entry`]; a reference to a
    /// [`Cache`](crate::Cache), a [`Pool`](crate::Pool) or another of the kind; an adapter.
    ///
    /// # Errors
    ///
    /// As for [`Registry::register`].
    pub fn register(&self, entry: impl Into<Entry>) -> Result<Registration, Error> {
        self.handle.registry.register(entry)
    }

    /// The registry, to be kept by those who register later.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.handle.registry
    }

    /// The budget in use. It follows the limit, which may change while the process runs.
    #[must_use]
    pub fn budget(&self) -> Budget {
        self.handle.budget()
    }

    /// The level in force at the last reading; normal once this is stopped. One load.
    #[must_use]
    pub fn level(&self) -> PressureLevel {
        self.handle.shared.signal().level()
    }

    /// The level in force for whoever has to act on it, without a reference to this: to shed load,
    /// to slow down, to be told of each change.
    #[must_use]
    pub fn signal(&self) -> PressureSignal {
        self.handle.shared.signal().clone()
    }

    /// Everything there is to know, by tag and by purgeable. Sums all counters and asks each
    /// purgeable for its size: some microseconds and up.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.handle.stats()
    }

    /// What was read and done so far, within bounds. A copy, made under the lock that the monitor
    /// writes its findings under: some tens of microseconds, and up to 0.6 MiB.
    #[must_use]
    pub fn history(&self) -> History {
        self.handle.history()
    }

    /// Plain-language findings from [`stats`](Self::stats), [`history`](Self::history) and
    /// [`usage`](crate::usage), the gravest first. What leaks slowly is among them, by the history;
    /// for other rates, [`examine`] a [`Checkup`] with an earlier reading. Costs what these three do
    /// and a pass over them.
    #[must_use]
    pub fn examine(&self) -> Vec<Advice> {
        let checkup = Checkup::new(self.stats()).with_history(self.history());
        let checkup = checkup.with_usage(bursar_alloc::usage());
        let advice = examine(&checkup);
        #[cfg(feature = "profile")]
        if advice.iter().any(|advice| advice.code == AdviceCode::LeakingSite)
            && let Ok(checkup) = self.with_names(checkup)
        {
            return examine(&checkup);
        }
        advice
    }

    /// Records from here on into `writer`, as lines of JSON (`docs/trace.md`), until the returned
    /// value is finished or dropped: readings a tenth of a second apart, changes of level,
    /// cleanups, and what each purgeable holds. For [`Replay`](crate::Replay).
    ///
    /// A thread of its own writes, with no lock held. Four times a second it takes the status's
    /// lock for some microseconds and asks each purgeable for its size; a reading is a line of
    /// about 250 bytes.
    ///
    /// # Errors
    ///
    /// That there can be no thread. What the writer fails with,
    /// [`TraceWriter::finish`](crate::TraceWriter::finish) says.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let bursar = bursar::Bursar::builder().start()?;
    /// let recording = bursar.record_trace(std::fs::File::create("service.trace")?)?;
    /// // ... the service runs ...
    /// let lines = recording.finish()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "trace")]
    pub fn record_trace(
        &self,
        writer: impl std::io::Write + Send + 'static,
    ) -> std::io::Result<TraceWriter> {
        let Handle { registry, shared, clock, .. } = self.handle.clone();
        let limit_bytes = shared.lock().limits.limit_bytes;
        let budget = self.budget();
        let trace = Trace::new(budget.soft_limit_bytes(), limit_bytes, budget.profile().clone())
            .map_err(std::io::Error::other)?;
        TraceWriter::start(&trace, Recorded { shared, registry, clock }, writer)
    }

    /// Stops the monitor and waits for it, unless called from one of its callbacks. Stopping
    /// twice is harmless. A forked child has nothing to stop.
    ///
    /// With [`Builder::final_cleanup`], every purgeable is asked for everything before.
    pub fn stop(&self) {
        if !self.handle.turn.is_of_this_process() {
            return;
        }
        if let Some(thread) = &self.thread {
            thread.stop(!self.handle.turn.is_held_here());
        } else {
            self.handle.turn.end();
        }
    }
}

impl Drop for Bursar {
    fn drop(&mut self) {
        self.stop();
    }
}
