//! [`Bursar`] and its [`Builder`]: what a user holds.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bursar_alloc::{Tag, Watch};

use crate::budget::Budget;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::error::Error;
use crate::ladder::Ladder;
use crate::monitor::{Monitor, Shared};
use crate::pressure::PressureLevel;
use crate::profile::Profile;
use crate::registry::{Entry, Registration, Registry};
use crate::source::{Cgroup, ContainerLimit, Sampler, SourceError};
use crate::stats::Stats;

/// What Bursar itself allocates is counted here.
pub(crate) static BURSAR: Tag = Tag::new("bursar");

/// After a step the monitor rests this long, so that it takes little of a core however often it
/// is woken. How far usage can get in that time is part of how far a level can be passed.
const REST: Duration = Duration::from_millis(1);

/// A running Bursar: one thread that keeps the process to its budget. One in a process at a time.
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
    budget: Budget,
    limit: Option<ContainerLimit>,
    registry: Registry,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Bursar {
    /// Begins to build one.
    pub fn builder() -> Builder {
        Builder { config: Config::default(), refused: None }
    }

    /// Registers a purgeable until the returned value is dropped: an [`Entry`], or a reference
    /// to a [`Cache`](crate::Cache).
    ///
    /// # Errors
    ///
    /// As for [`Registry::register`].
    pub fn register(&self, entry: impl Into<Entry>) -> Result<Registration, Error> {
        self.registry.register(entry)
    }

    /// The registry, to be kept by those who register later.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The budget in use.
    #[must_use]
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The level in force at the last reading. One uncontended lock.
    #[must_use]
    pub fn level(&self) -> PressureLevel {
        self.shared.lock().pressure.level
    }

    /// Everything there is to know, by tag and by purgeable. Sums all counters and asks each
    /// purgeable for its size: some microseconds and up.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::read(
            &self.budget,
            self.limit.as_ref(),
            &self.registry,
            &self.shared,
            self.clock.now(),
        )
    }

    /// Stops the monitor and waits for it, unless called from one of its callbacks. Stopping
    /// twice is harmless.
    pub fn stop(&self) {
        // Release: pairs with the acquire in `run`.
        self.stop.store(true, Ordering::Release);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            thread.thread().unpark();
            if thread.thread().id() != thread::current().id() {
                // It contains what panics in it; were it dead, there would be nothing to wait for.
                let _ = thread.join();
            }
        }
    }
}

impl Drop for Bursar {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Settings of a [`Bursar`] to be.
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    config: Config,
    /// The first thing that was wrong with what was given.
    refused: Option<Error>,
}

impl Builder {
    /// How much memory the process may use: a [`Budget`], a number of bytes, or a string such as
    /// `"400MiB"`. What is wrong with it, [`start`](Self::start) says. A budget's own profile
    /// comes with it.
    ///
    /// Without one, the budget is the container's limit less a reserve for what is outside the
    /// heap: a tenth, and at least 8 MiB.
    pub fn budget<B>(mut self, budget: B) -> Self
    where
        B: TryInto<Budget>,
        B::Error: Into<Error>,
    {
        match budget.try_into() {
            Ok(budget) => {
                self.config.soft_limit_bytes = Some(budget.soft_limit_bytes());
                if *budget.profile() != Profile::default() {
                    self.config.profile = budget.profile().clone();
                }
            }
            Err(error) => {
                self.refused.get_or_insert(error.into());
            }
        }
        self
    }

    /// When to act, and how far to go.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.config.profile = profile;
        self
    }

    /// Which stages run at which level.
    pub fn ladder(mut self, ladder: Ladder) -> Self {
        self.config.ladder = ladder;
        self
    }

    /// Every setting at once, in place of those made so far.
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Starts the monitor's thread.
    ///
    /// # Errors
    ///
    /// What is wrong with the budget; [`Error::BudgetAboveLimit`] and [`Error::NoBudget`];
    /// [`Error::NotInstalled`] without the global allocator; [`Error::AlreadyStarted`] while
    /// another one runs; [`Error::MonitorNotStarted`] if there can be no thread.
    pub fn start(self) -> Result<Bursar, Error> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        self.config.validate()?;
        let cgroup = Cgroup::discover();
        let limit = cgroup.as_ref().map_err(Clone::clone).and_then(Cgroup::limit);
        let budget = resolve_budget(self.config.budget()?, &limit)?
            .with_profile(self.config.profile.clone())?;
        let limit = limit.ok().flatten();
        if !bursar_alloc::is_installed() {
            return Err(Error::NotInstalled);
        }
        let bursar = Bursar {
            budget,
            limit,
            registry: Registry::default(),
            shared: Arc::default(),
            clock: Arc::new(SystemClock::starting_now()),
            stop: Arc::default(),
            thread: Mutex::new(None),
        };
        let thread = bursar.spawn_monitor(self.config.ladder, cgroup.ok())?;
        *bursar.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(bursar)
    }
}

impl Bursar {
    /// Starts the thread, and waits until it has taken its first reading or said why not.
    fn spawn_monitor(
        &self,
        ladder: Ladder,
        cgroup: Option<Cgroup>,
    ) -> Result<JoinHandle<()>, Error> {
        let (answer, answered) = mpsc::sync_channel(1);
        let (budget, registry) = (self.budget.clone(), self.registry.clone());
        let (shared, clock) = (Arc::clone(&self.shared), Arc::clone(&self.clock));
        let stop = Arc::clone(&self.stop);
        let limit_bytes = self.limit.as_ref().map(|limit| limit.bytes);
        let body = move || {
            let _tag = BURSAR.enter();
            let Some(watch) = Watch::start(thread::current(), budget.soft_limit_bytes()) else {
                let _ = answer.send(Err(Error::AlreadyStarted));
                return;
            };
            let sources = Box::new(Sampler::new(watch, cgroup, limit_bytes));
            let mut monitor = Monitor::new(budget, ladder, registry, sources, clock, shared);
            let wait = monitor.step();
            let _ = answer.send(Ok(()));
            run(monitor, &stop, wait);
        };
        let thread = thread::Builder::new()
            .name("bursar-monitor".to_owned())
            .spawn(body)
            .map_err(|error| Error::MonitorNotStarted { reason: error.to_string() })?;
        let died = || Error::MonitorNotStarted { reason: "it panicked".to_owned() };
        answered.recv().map_err(|_| died())??;
        Ok(thread)
    }
}

fn run(mut monitor: Monitor, stop: &AtomicBool, first_wait: Duration) {
    let mut wait = first_wait;
    // Acquire: pairs with the release in `stop`.
    while !stop.load(Ordering::Acquire) {
        thread::park_timeout(wait);
        if stop.load(Ordering::Acquire) {
            break;
        }
        wait = monitor.step();
        thread::sleep(REST);
    }
}

/// The reserve for what is outside the heap, where the budget is taken from the container.
const RESERVE_PART: u64 = 10;
const MIN_RESERVE_BYTES: u64 = 8 << 20;

fn resolve_budget(
    given: Option<Budget>,
    limit: &Result<Option<ContainerLimit>, SourceError>,
) -> Result<Budget, Error> {
    match (given, limit) {
        (Some(budget), Ok(Some(limit))) if budget.soft_limit_bytes() > limit.bytes => {
            Err(Error::BudgetAboveLimit {
                given_bytes: budget.soft_limit_bytes(),
                limit_bytes: limit.bytes,
                limit_from: limit.from.clone(),
            })
        }
        (Some(budget), _) => Ok(budget),
        (None, Ok(Some(limit))) => {
            let reserve = (limit.bytes / RESERVE_PART).max(MIN_RESERVE_BYTES);
            Budget::new(limit.bytes.saturating_sub(reserve))
        }
        (None, Ok(None)) => {
            Err(Error::NoBudget { reason: "the container has no memory limit".to_owned() })
        }
        (None, Err(error)) => Err(Error::NoBudget { reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(bytes: u64) -> Result<Option<ContainerLimit>, SourceError> {
        Ok(Some(ContainerLimit { bytes, from: "memory.max".to_owned() }))
    }

    #[test]
    fn a_budget_above_the_containers_limit_is_refused_with_both_figures() {
        let given = Budget::new(129 << 20).unwrap();
        let error = resolve_budget(Some(given.clone()), &limit(128 << 20)).unwrap_err();
        assert_eq!(
            error,
            Error::BudgetAboveLimit {
                given_bytes: 129 << 20,
                limit_bytes: 128 << 20,
                limit_from: "memory.max".to_owned(),
            }
        );
        assert_eq!(resolve_budget(Some(given.clone()), &limit(129 << 20)), Ok(given.clone()));
        assert_eq!(resolve_budget(Some(given.clone()), &Ok(None)), Ok(given));
    }

    #[test]
    fn without_a_budget_the_containers_limit_less_a_reserve_is_taken() {
        let budget = |bytes| resolve_budget(None, &limit(bytes)).unwrap().soft_limit_bytes();
        assert_eq!(budget(1000 << 20), 900 << 20);
        assert_eq!(budget(64 << 20), 56 << 20);
        assert!(matches!(
            resolve_budget(None, &limit(8 << 20)),
            Err(Error::BudgetTooSmall { given_bytes: 0, .. })
        ));
        assert!(matches!(resolve_budget(None, &Ok(None)), Err(Error::NoBudget { .. })));
    }
}
