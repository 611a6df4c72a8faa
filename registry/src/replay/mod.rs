//! [`Replay`]: what another budget would have done with a recorded run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::clock::Clock;
use crate::config::Config;
use crate::error::Error;
use crate::monitor::{Monitor, Settings};
use crate::pressure::PressureLevel;
use crate::registry::{Entry, Registration, Registry};
use crate::status::Shared;
use crate::trace::{Trace, TraceEvent, TraceItem, TracedPurgeable};

#[cfg(feature = "chart")]
mod chart;
mod curve;
mod process;
mod report;

use curve::{Demand, Done, Knot};
use process::{ReplayClock, ReplayedProcess, ReplayedPurgeable};
pub use report::{LevelTimes, ReplayReport, RunFigures};
use report::{Meter, ReplayPoint};

/// The shortest step of a replay.
const STEP: Duration = Duration::from_millis(10);
/// The most steps from one event to the next, which are longer then.
const MAX_STEPS: u32 = 64;

/// Plays a recorded run through the monitor and the ladder under other settings, with a clock
/// that is set and a made-up process: "what would this budget have done?"
///
/// # The model
///
/// The made-up process is the recorded one, less what the recorded cleanups did to it, plus what
/// the replayed ones do.
///
/// - *Demand* is the recorded live bytes and all that recorded cleanups had freed until then, on a
///   straight line from one sample to the next. Less what replayed cleanups have freed, it is the
///   replayed live bytes.
/// - A purgeable holds what was recorded, and what recorded cleanups took from it, less what
///   replayed ones did. It frees what it is asked for, and that becomes dirty pages.
/// - Dirty pages are as recorded but for what cleanups freed into them and gave back. What grows
///   comes to lie first in those that are more than recorded.
/// - Gaps in pages, charges and what else is resident or in the working set are as recorded.
/// - The monitor is woken when the footprint reaches the next watermark, as by the allocator, and
///   else keeps its own rhythm. Steps are of 10 ms, longer where events are far apart (64 steps
///   from one to the next at most). Cleanups take no time.
///
/// # What it cannot know
///
/// Whether what a service built again after a purge it would have kept without one: growth is
/// taken as recorded. So for a budget above the recorded one the footprint is at most what is
/// shown, for one below it at least that, and hit rates are not told of at all. A purgeable that
/// was busy or claimed too much does better here than it did. How dirty pages decay, and what a
/// purge leaves in gaps, is as recorded. Budgets of single tags are not played. Where nothing was
/// recorded for some seconds, what happened meanwhile is a straight line.
///
/// The same trace and settings give the same report.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bursar::{
///     Profile, RebuildCost, Replay, Sample, Stage, Trace, TraceEvent, TraceItem, TracedPurgeable,
/// };
///
/// // A cache that grows by 1 MiB a second, in a budget of 256 MiB.
/// let mut trace = Trace::new(256 << 20, None, Profile::default())?;
/// for second in 0..100 {
///     let at = Duration::from_secs(second);
///     let mut sample = Sample::default();
///     sample.live_bytes = second << 20;
///     trace.push(TraceEvent { at, item: TraceItem::Sample(Box::new(sample)) })?;
///     let cache = TracedPurgeable {
///         name: "cache".to_owned(),
///         stage: Stage::Trim,
///         priority: 0,
///         rebuild_cost: RebuildCost::Medium,
///         purgeable_bytes: second << 20,
///     };
///     trace.push(TraceEvent { at, item: TraceItem::Purgeable(cache) })?;
/// }
/// let mut config = trace.config();
/// config.soft_limit_bytes = Some(64 << 20);
/// let report = Replay::new(config).play(&trace)?;
/// assert_eq!(report.recorded.peak_footprint_bytes, 99 << 20);
/// assert!(report.replayed.peak_footprint_bytes < 64 << 20);
/// assert!(report.replayed.cleanups_total > 0);
/// println!("{report}");
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Replay {
    config: Config,
}

impl Replay {
    /// A replay under `config`. Without a soft limit, the recorded one holds; without a limit, the
    /// recorded ones do. Bounds of single purgeables change nothing: what they held is recorded.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self { config }
    }

    /// Plays `trace`. Some microseconds for each step; a day recorded every five seconds is about
    /// a million steps.
    ///
    /// # Errors
    ///
    /// What [`Config::validate`] says.
    pub fn play(&self, trace: &Trace) -> Result<ReplayReport, Error> {
        self.config.validate()?;
        let soft_limit_bytes = self.config.soft_limit_bytes.unwrap_or(trace.soft_limit_bytes());
        let budget = Budget::new(soft_limit_bytes)?.with_profile(self.config.profile.clone())?;
        let knots = curve::knots(trace);
        let mut run = Run::new(&self.config, trace, budget);
        let mut next = 0;
        for event in trace.events() {
            run.advance_to(event.at, &knots[next.min(knots.len())..]);
            if let TraceItem::Sample(_) = event.item {
                run.last_knot = knots.get(next).copied();
                next += 1;
            }
            run.take(event)?;
        }
        Ok(run.finish(trace))
    }
}

/// A replay under way.
struct Run {
    budget: Budget,
    monitor: Monitor,
    shared: Arc<Shared>,
    registry: Registry,
    clock: Arc<ReplayClock>,
    process: ReplayedProcess,
    registrations: BTreeMap<String, (TracedPurgeable, Registration)>,
    /// In place of the recorded ones.
    limit_bytes: Option<u64>,
    recorded_limit_bytes: Option<u64>,
    now: Duration,
    last_knot: Option<Knot>,
    /// When the monitor is due, and the footprint that wakes it before.
    next_step: Option<(Duration, u64)>,
    done: Done,
    recorded_level: PressureLevel,
    recorded: Meter,
    replayed: Meter,
    report: ReplayReport,
}

impl Run {
    fn new(config: &Config, trace: &Trace, budget: Budget) -> Self {
        let process = ReplayedProcess::default();
        let (registry, clock) = (Registry::default(), Arc::new(ReplayClock::default()));
        let shared = Arc::new(Shared::default());
        let monitor = Monitor::new(
            Settings { budget: budget.clone(), config: config.clone() },
            registry.clone(),
            Box::new(process.clone()),
            Arc::clone(&clock) as Arc<dyn Clock>,
            Arc::clone(&shared),
        );
        Self {
            monitor,
            shared,
            registry,
            clock,
            process,
            registrations: BTreeMap::new(),
            limit_bytes: config.limit_bytes,
            recorded_limit_bytes: trace.limit_bytes(),
            now: Duration::ZERO,
            last_knot: None,
            next_step: None,
            done: Done::default(),
            recorded_level: PressureLevel::Normal,
            recorded: Meter::new(trace.soft_limit_bytes()),
            replayed: Meter::new(budget.soft_limit_bytes()),
            report: ReplayReport::new(&budget, trace),
            budget,
        }
    }

    /// Steps up to `at`, towards the first of `ahead` if there is one.
    fn advance_to(&mut self, at: Duration, ahead: &[Knot]) {
        let Some(from) = self.last_knot else {
            self.now = at;
            return;
        };
        let to = ahead.first().copied().unwrap_or(from);
        let began = self.now;
        let gap = at.saturating_sub(began);
        if gap.is_zero() {
            return;
        }
        let steps = (gap.as_nanos() / STEP.as_nanos()).clamp(1, u128::from(MAX_STEPS)) as u32;
        for step in 1..=steps {
            let now = if step == steps { at } else { began + gap / steps * step };
            self.step(now, &from, &to);
        }
    }

    fn step(&mut self, now: Duration, from: &Knot, to: &Knot) {
        let elapsed = now.saturating_sub(self.now);
        self.now = now;
        self.clock.set(now);
        let demand = if from.at < to.at { Demand::between(from, to, now) } else { from.demand };
        let recorded_limit = from.sample.limit_bytes.or(self.recorded_limit_bytes);
        let mut like = from.sample;
        like.limit_bytes = recorded_limit;
        let recorded =
            demand.sample(&like, -self.done.freed, self.done.freed - self.done.collected);
        like.limit_bytes = self.limit_bytes.or(recorded_limit);
        self.process.set_demand(demand, like, &self.done);
        let replayed = self.process.read();

        self.recorded.add(now, elapsed, self.recorded_level, &recorded);
        self.replayed.add(now, elapsed, self.level(), &replayed);
        let cleanups = self.watch(replayed.footprint_bytes());
        let point = ReplayPoint {
            at: now,
            recorded_footprint_bytes: recorded.footprint_bytes(),
            replayed_footprint_bytes: replayed.footprint_bytes(),
            recorded_level: self.recorded_level,
            replayed_level: self.level(),
            recorded_cleanups: 0,
            replayed_cleanups: cleanups,
        };
        self.report.add_point(point, replayed.limit_bytes);
    }

    /// Has the monitor make a step if it is due or woken; answers how many cleanups it made.
    fn watch(&mut self, footprint_bytes: u64) -> u64 {
        let is_due =
            |(due, wakes_at): (Duration, u64)| self.now >= due || footprint_bytes >= wakes_at;
        if !self.next_step.is_none_or(is_due) {
            return 0;
        }
        let before = self.shared.lock().cleanups_total;
        let wait = self.monitor.step();
        let footprint_bytes = self.process.read().footprint_bytes();
        let wakes_at = footprint_bytes.saturating_add(self.budget.room_bytes(footprint_bytes));
        self.next_step = Some((self.now.saturating_add(wait), wakes_at));
        self.shared.lock().cleanups_total - before
    }

    fn level(&self) -> PressureLevel {
        self.shared.lock().pressure.level
    }

    fn take(&mut self, event: &TraceEvent) -> Result<(), Error> {
        self.done.add(&event.item);
        match &event.item {
            TraceItem::Sample(_) => {
                if let Some(knot) = self.last_knot {
                    self.step(event.at, &knot, &knot);
                }
            }
            TraceItem::Purgeable(purgeable) => self.hold(purgeable)?,
            TraceItem::Level { level } => {
                self.recorded.count_level(self.recorded_level, *level);
                self.recorded_level = *level;
            }
            TraceItem::Cleanup(cleanup) => {
                self.process.keep_in_purgeables(&cleanup.freed_bytes_by_name);
                self.report.mark_recorded_cleanups(cleanup.count);
            }
            TraceItem::Futile { .. } => {}
        }
        Ok(())
    }

    /// Registers a purgeable when it is first told of, or differently from before.
    fn hold(&mut self, traced: &TracedPurgeable) -> Result<(), Error> {
        let TracedPurgeable { name, stage, priority, rebuild_cost, purgeable_bytes } = traced;
        self.process.set_purgeable_bytes(name, *purgeable_bytes);
        if let Some((known, _)) = self.registrations.get(name) {
            let declared = |p: &TracedPurgeable| (p.stage, p.priority, p.rebuild_cost);
            if declared(known) == declared(traced) {
                return Ok(());
            }
            self.registrations.remove(name);
        }
        let purgeable = ReplayedPurgeable { process: self.process.clone(), name: name.clone() };
        let entry = Entry::new(name.clone(), Arc::new(purgeable))
            .stage(*stage)
            .priority(*priority)
            .rebuild_cost(*rebuild_cost);
        let registration = self.registry.register(entry)?;
        self.registrations.insert(name.clone(), (traced.clone(), registration));
        Ok(())
    }

    fn finish(self, trace: &Trace) -> ReplayReport {
        let Self { recorded, replayed, mut report, done, process, shared, .. } = self;
        let status = shared.lock();
        report.truncated_line = trace.truncated_line();
        report.recorded = recorded.figures;
        report.recorded.cleanups_total = done.cleanups;
        report.recorded.futile_cleanups_total = done.futile;
        report.recorded.freed_bytes_total = u64::try_from(done.freed).unwrap_or(u64::MAX);
        report.recorded.collected_bytes_total = u64::try_from(done.collected).unwrap_or(u64::MAX);
        report.recorded.freed_bytes_by_name = done.freed_bytes_by_name;
        report.replayed = replayed.figures;
        report.replayed.level_changes_total = status.history.level_changes_total();
        report.replayed.cleanups_total = status.cleanups_total;
        report.replayed.futile_cleanups_total = status.futile_cleanups_total;
        report.replayed.freed_bytes_total = status.freed_bytes_total;
        report.replayed.collected_bytes_total = status.collected_bytes_total;
        report.replayed.freed_bytes_by_name = process.freed_bytes_by_name();
        report.history = status.history.clone();
        report
    }
}

#[cfg(test)]
mod tests;
