//! [`Builder`]: from settings to a running [`Bursar`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bursar_alloc::{TagHandle, Watch};

use crate::budget::Budget;
use crate::bursar::{Bursar, Handle, MonitorThread, Turn};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::error::Error;
use crate::ladder::Ladder;
use crate::limit_budget::derive_budget;
use crate::monitor::{Monitor, Settings};
use crate::profile::Profile;
use crate::registry::Registry;
use crate::source::{Limits, Sampler};
use crate::status::Shared;

/// Settings of a [`Bursar`] to be.
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    config: Config,
    clock: Option<Arc<dyn Clock>>,
    /// The first thing that was wrong with what was given.
    refused: Option<Error>,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self { config: Config::default(), clock: None, refused: None }
    }

    /// How much memory the process may use: a [`Budget`], a number of bytes, or a string such as
    /// `"400MiB"`. What is wrong with it, [`start`](Self::start) says. A budget's own profile
    /// comes with it.
    ///
    /// Without one, the budget is the limit less a reserve for what is outside the heap: a tenth,
    /// and at least 8 MiB. The limit is the container's, or what the machine has: see
    /// [`LimitReport`](crate::LimitReport).
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

    /// Measure, judge and report, and purge nothing: the reports say what would have been done.
    pub fn observe_only(mut self, observe_only: bool) -> Self {
        self.config.observe_only = observe_only;
        self
    }

    /// Start no thread: for functions that are frozen between their invocations. What is due is
    /// done by [`Bursar::checkpoint`].
    pub fn threadless(mut self, threadless: bool) -> Self {
        self.config.threadless = threadless;
        self
    }

    /// Ask every purgeable for everything when Bursar is stopped.
    pub fn final_cleanup(mut self, final_cleanup: bool) -> Self {
        self.config.final_cleanup = final_cleanup;
        self
    }

    /// Where a report of at most 4 KiB is written whenever the emergency level is entered, should
    /// the kernel kill the process after all: in Kubernetes, the pod's `terminationMessagePath`.
    pub fn last_report(mut self, path: impl Into<PathBuf>) -> Self {
        self.config.last_report_path = Some(path.into());
        self
    }

    /// What the tag of this name and its parts may hold, heap and charged. What is registered
    /// under it is trimmed for it, and nothing else.
    pub fn tag_budget(mut self, tag: impl Into<String>, budget_bytes: u64) -> Self {
        self.config.tag_budget_bytes.insert(tag.into(), budget_bytes);
        self
    }

    /// How many bytes a purgeable may hold at all, by the name it is registered under. It gets its
    /// bounds when it is registered, and is refused then if it has none:
    /// [`Error::BoundsNotSet`].
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = bursar::Bursar::builder()
    ///     .budget("400MiB")
    ///     .max_bytes("thumbnails", 64 << 20)
    ///     .max_entries("sessions", 10_000);
    /// ```
    pub fn max_bytes(mut self, name: impl Into<String>, max_bytes: u64) -> Self {
        self.config.max_bytes.insert(name.into(), max_bytes);
        self
    }

    /// As [`max_bytes`](Self::max_bytes): how many entries of a cache, idle objects of a pool.
    pub fn max_entries(mut self, name: impl Into<String>, max_entries: usize) -> Self {
        self.config.max_entries.insert(name.into(), max_entries);
        self
    }

    /// The longest that cleanups are put off by [`Bursar::defer_purging`], at once or in all: see
    /// there. Zero: not at all.
    pub fn max_purge_deferral(mut self, max_purge_deferral: Duration) -> Self {
        self.config.max_purge_deferral = max_purge_deferral;
        self
    }

    /// Sample the heap by so many bytes in the mean, for the heap profile: which code keeps whose
    /// bytes alive. 512 KiB is cheap enough to be left on. Off unless said so; and on and off at run
    /// time: [`Bursar::start_sampling`].
    ///
    /// # Examples
    ///
    /// ```
    /// let builder = bursar::Bursar::builder().budget("400MiB").sampling_interval(512 << 10);
    /// ```
    #[cfg(feature = "profile")]
    pub fn sampling_interval(mut self, bytes: u64) -> Self {
        self.config.sampling_interval_bytes = Some(bytes);
        self
    }

    /// Go by this clock: for tests of what takes hours, such as the doctor's findings. Without a
    /// thread ([`threadless`](Self::threadless)) nothing happens then but by
    /// [`Bursar::checkpoint`]; a monitor's thread still waits in real time.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// use bursar::{AccountingAllocator, Bursar, ManualClock, System};
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
    ///
    /// fn main() -> Result<(), bursar::Error> {
    ///     let clock = Arc::new(ManualClock::default());
    ///     let builder = Bursar::builder().budget("64MiB").threadless(true);
    ///     let bursar = builder.clock(clock.clone()).start()?;
    ///     clock.advance(Duration::from_secs(3600));
    ///     bursar.checkpoint()?;
    ///     assert_eq!(bursar.stats().uptime, Duration::from_secs(3600));
    ///     Ok(())
    /// }
    /// ```
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Every setting at once, in place of those made so far.
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Then what the environment's `BURSAR_*` variables say: they override what is set so far,
    /// and [`Config`] lists them. What is wrong with one, [`start`](Self::start) says.
    ///
    /// # Examples
    ///
    /// ```
    /// // 64 MiB, unless BURSAR_SOFT_LIMIT says otherwise.
    /// let builder = bursar::Bursar::builder().budget("64MiB").env();
    /// ```
    pub fn env(mut self) -> Self {
        match self.config.clone().with_env() {
            Ok(config) => self.config = config,
            Err(error) => {
                self.refused.get_or_insert(error);
            }
        }
        self
    }

    /// Takes the first reading, and starts the monitor's thread unless there is to be none.
    ///
    /// # Errors
    ///
    /// What is wrong with the settings; [`Error::BudgetAboveLimit`] and [`Error::NoBudget`];
    /// [`Error::NotInstalled`] without the global allocator; [`Error::AlreadyStarted`] while
    /// another one runs; [`Error::Tag`] for a tag that cannot have a budget;
    /// [`Error::MonitorNotStarted`] if there can be no thread; `Error::Sampling` if the heap is to
    /// be sampled and cannot.
    pub fn start(self) -> Result<Bursar, Error> {
        if let Some(error) = self.refused {
            return Err(error);
        }
        self.config.validate()?;
        let limits = Limits::discover(self.config.limit_bytes);
        let budget = derive_budget(&self.config, &limits.report())?;
        if !bursar_alloc::is_installed() {
            return Err(Error::NotInstalled);
        }
        let tag_budgets = TagBudgets::set(&self.config)?;

        let _tag = crate::bursar::BURSAR.enter();
        let thread = if self.config.threadless { None } else { Some(MonitorThread::spawn()?) };
        let waiter = thread.as_ref().map(MonitorThread::handle);
        let watch = Watch::start(waiter, budget.soft_limit_bytes()).ok_or(Error::AlreadyStarted)?;
        #[cfg(feature = "profile")]
        let sampling = crate::sampling::Switch::default();
        #[cfg(feature = "profile")]
        if let Some(interval_bytes) = self.config.sampling_interval_bytes {
            let (table, budget) = (self.config.sampling_table_bytes, budget.soft_limit_bytes());
            sampling.on(interval_bytes, table, budget)?;
        }
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::starting_now()));
        let sources = Box::new(Sampler::new(watch, limits, Arc::clone(&clock)));
        let registry = Registry::with_bounds(self.config.bounds());
        let requests = Arc::new(self.config.requests.clone());
        #[cfg(feature = "profile")]
        let sampling_table_bytes = self.config.sampling_table_bytes;
        let settings = Settings { budget: budget.clone(), config: self.config };
        let shared = Arc::<Shared>::default();
        if let Some(thread) = &thread {
            shared.asks().wake(thread.handle());
        }
        let mut monitor = Monitor::new(
            settings,
            registry.clone(),
            sources,
            Arc::clone(&clock),
            Arc::clone(&shared),
        );
        monitor.step();
        let turn = Arc::new(Turn::new(monitor));
        if let Some(thread) = &thread {
            thread.run(Arc::clone(&turn));
        }
        let handle = Handle {
            budget,
            registry,
            shared,
            clock,
            turn,
            requests,
            #[cfg(feature = "profile")]
            sampling_table_bytes,
        };
        Ok(Bursar {
            handle,
            thread,
            _tag_budgets: tag_budgets,
            #[cfg(feature = "profile")]
            sampling,
        })
    }
}

/// The tags that were given budgets of their own, for as long as Bursar runs.
#[derive(Debug)]
pub(crate) struct TagBudgets(Vec<TagHandle>);

impl TagBudgets {
    fn set(config: &Config) -> Result<Self, Error> {
        // Those set before one is refused are taken back.
        let mut set = Self(Vec::new());
        for (name, &budget_bytes) in &config.tag_budget_bytes {
            let tag = TagHandle::new(name)?;
            tag.set_budget_bytes(Some(budget_bytes));
            set.0.push(tag);
        }
        Ok(set)
    }
}

impl Drop for TagBudgets {
    fn drop(&mut self) {
        self.0.iter().for_each(|tag| tag.set_budget_bytes(None));
    }
}
