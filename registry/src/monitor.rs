//! [`Monitor`]: reads, judges, plans, cleans up; one step at a time, by a thread or without.

mod asked;
mod calls;
mod due;
mod last_report;
mod limit;
mod live;
mod pages;
mod relief;
mod tags;
mod waits;

use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;

use crate::asks::Asked;
use crate::budget::Budget;
use crate::cleanup::Cleanup;
use crate::clock::Clock;
use crate::config::Config;
use crate::cooldown::Cooldown;
use crate::cpu_share::CpuShare;
use crate::growth::Growth;
use crate::history::LevelChange;
use crate::ladder::{Candidate, Plan};
use crate::pressure::{
    Diagnosis, Finding, Pressure, PressureLevel, Sample, diagnose, level_reached,
};
use crate::profile::Profile;
use crate::registry::{Registry, Slot};
use crate::report::CleanupReport;
use crate::source::{LimitReport, Sources};
use crate::stats::Stats;
use crate::status::Shared;
use crate::telemetry::Telemetry;
use asked::PutOff;
use due::Due;
use limit::Bounds;
use live::Rhythm;
use pages::PageReturn;
use relief::Relief;
use tags::TagCooldowns;
use waits::{Futile, NOTHING_TO_FREE};

/// Above normal, usage is read at least this often: a level is to be left in good time, and what
/// does not allocate (another process in the container) to be noticed.
const INTERVAL_UNDER_PRESSURE: Duration = Duration::from_millis(100);
/// The monitor rests so long after a step, so that it takes little of a core however often it is
/// woken. How far usage can get in that time is part of how far a level can be passed.
const SHORTEST_REST: Duration = Duration::from_millis(1);
const LONGEST_REST: Duration = Duration::from_millis(3);
/// A rest is this part of the time in which usage grows to the next watermark.
const REST_PART: f64 = 8.0;
/// A cleanup that frees less than this part of its target was futile.
const FUTILE_PART: u64 = 20;

/// What a monitor is to do.
#[derive(Debug)]
pub(crate) struct Settings {
    /// What follows from the settings and the limit in force.
    pub(crate) budget: Budget,
    pub(crate) config: Config,
}

pub(crate) struct Monitor {
    settings: Settings,
    registry: Registry,
    sources: Box<dyn Sources>,
    /// Those that the budget follows from.
    limits: Arc<LimitReport>,
    clock: Arc<dyn Clock>,
    shared: Arc<Shared>,
    pressure: Pressure,
    growth: Growth,
    cpu: CpuShare,
    /// A wait of its own for each of what a cleanup could not have, by [`Futile`].
    cooldowns: [Option<Cooldown>; 3],
    tag_cooldowns: TagCooldowns,
    relief: Relief,
    pages: PageReturn,
    live_bytes: Rhythm,
    /// What was asked for and is still to be done.
    asked: Asked,
    put_off: PutOff,
    telemetry: Telemetry,
    /// What usage was held against in the last reading.
    bounds: Option<Bounds>,
    /// That has come down since the last cleanup.
    is_lowered: bool,
    /// A cleanup was cut short, or had only what was over a lowered limit: usage is to be read at
    /// once.
    is_hurried: bool,
    due: Due,
}

/// What one look at the process found.
struct Reading {
    sample: Sample,
    finding: Finding,
    /// What usage has reached now, or is about to: this is acted on, not the level in force. That
    /// one stays for its dwell after a spike, and must not cost in calm what the spike did.
    reached: PressureLevel,
}

impl Monitor {
    pub(crate) fn new(
        settings: Settings,
        registry: Registry,
        sources: Box<dyn Sources>,
        clock: Arc<dyn Clock>,
        shared: Arc<Shared>,
    ) -> Self {
        shared.set_budget(&settings.budget);
        Self {
            limits: sources.limits(),
            cpu: CpuShare::new(settings.budget.profile().max_cpu_share),
            settings,
            registry,
            sources,
            clock,
            shared,
            pressure: Pressure::default(),
            growth: Growth::default(),
            cooldowns: [const { None }; 3],
            tag_cooldowns: TagCooldowns::default(),
            relief: Relief::default(),
            pages: PageReturn::default(),
            live_bytes: Rhythm::default(),
            asked: Asked::default(),
            put_off: PutOff::default(),
            telemetry: Telemetry::default(),
            bounds: None,
            is_lowered: false,
            is_hurried: false,
            due: Due::default(),
        }
    }

    /// Whether the allocator has raised its flag since the last step began, or something was
    /// asked for.
    pub(crate) fn take_pending(&mut self) -> bool {
        self.sources.take_pending() || self.shared.asks().is_asked()
    }

    /// Reads usage and does what is due. Returns how long to wait for the next step, unless the
    /// allocator wakes the monitor before.
    pub(crate) fn step(&mut self) -> Duration {
        // Taken before the reading: what is used up from here on raises it anew.
        let _ = self.sources.take_pending();
        self.is_hurried = false;
        self.take_asks();
        let mut reading = self.read();
        self.pass_over_pages(&mut reading);
        if self.is_due(&reading) {
            self.answer(&reading);
        }
        self.do_what_was_asked();
        self.keep_tags_to_their_budgets();
        self.relieve();
        self.return_pages();
        self.note_live_bytes();
        let wait = self.interval();
        self.due.begin(self.clock.now(), wait);
        wait
    }

    fn profile(&self) -> &Profile {
        self.settings.budget.profile()
    }

    fn read(&mut self) -> Reading {
        let mut sample = self.sources.sample(&self.settings.budget);
        if self.follow_limit() {
            // With the headroom of the new budget.
            sample = self.sources.sample(&self.settings.budget);
        }
        let finding = diagnose(&sample, &self.settings.budget);
        let now = self.clock.now();
        self.note_usage(&sample, finding.usage, now);
        let profile = self.settings.budget.profile();
        let reached = level_reached(finding.usage, profile);
        let reached = self.growth.escalate(reached, finding.usage, profile);
        let before = self.pressure.level;
        self.pressure = self.pressure.classify_reached(finding.usage, reached, profile, now);
        if self.pressure.level == PressureLevel::Normal {
            self.cooldowns = [const { None }; 3];
        }
        self.is_lowered &= reached > PressureLevel::Normal;
        let change = {
            let mut status = self.shared.lock();
            status.sample = sample;
            status.limits = Arc::clone(&self.limits);
            status.unavailable = self.sources.unavailable();
            status.finding = Some(finding);
            status.pressure = self.pressure;
            status.cooldown = self.longest_cooldown();
            status.history.add_reading(now, sample, finding, self.pressure.level)
        };
        self.shared.signal().set_usage(finding.usage);
        self.shared.signal().set(self.pressure.level);
        self.tell(change, now);
        if self.pressure.level == PressureLevel::Emergency && before < PressureLevel::Emergency {
            self.write_last_report();
        }
        Reading { sample, finding, reached }
    }

    /// Whether a cleanup may run now.
    fn is_due(&mut self, reading: &Reading) -> bool {
        let level = reading.reached;
        let is_waiting = self.waits_for(Futile::of(reading.finding.diagnosis), level)
            || (self.waits_for(Futile::Fragmentation, level) && self.is_fragmented(reading));
        if level == PressureLevel::Normal || is_waiting || self.is_put_off(level) {
            return false;
        }
        level == PressureLevel::Emergency || self.has_its_share()
    }

    /// Cleans up, and looks at what came of it.
    fn answer(&mut self, reading: &Reading) {
        let level = reading.reached;
        let futile = self.clean_up(level, reading);
        let after = self.read();
        // Pages are back, and the heap is to have its turn.
        self.is_hurried |= reading.finding.diagnosis == Diagnosis::Dirty
            && after.finding.diagnosis == Diagnosis::Live
            && after.reached > PressureLevel::Normal;
        self.growth.rebase(after.finding.usage, self.clock.now());
        let fragmentation = if futile.is_some() { None } else { self.fragmentation(&after) };
        self.note_futile(Futile::of(reading.finding.diagnosis), level, futile);
        self.note_futile(Futile::Fragmentation, level, fragmentation);
        self.shared.lock().cooldown = self.longest_cooldown();
    }

    /// Plans and runs a cleanup. Answers why it was futile, if it was.
    fn clean_up(&mut self, level: PressureLevel, reading: &Reading) -> Option<String> {
        let now = self.clock.now();
        let slots = self.registry.slots();
        let awake =
            |slot: &Slot| level == PressureLevel::Emergency || !slot.is_cooling_down(level, now);
        let candidates = candidates(&slots, awake);
        let Settings { budget, config } = &self.settings;
        let diagnosis = reading.finding.diagnosis;
        let (ladder, sample) = (&config.ladder, &reading.sample);
        let is_lowered = std::mem::take(&mut self.is_lowered);
        let plan = match is_lowered {
            true => ladder.plan_for_lowered_limit(level, diagnosis, sample, budget, &candidates),
            false => ladder.plan(level, diagnosis, sample, budget, &candidates),
        };
        self.is_hurried |= is_lowered;
        let Some(plan) = plan else {
            return Some(NOTHING_TO_FREE.to_owned());
        };
        let report = self.carry_out(&plan, &slots);
        // The rest of it is for the next step.
        self.is_lowered = is_lowered && report.is_cut_short;
        self.end_put_off();
        let futile = futility(&report, &self.settings.budget);
        self.publish(report, Some(futile.is_some()));
        futile
    }

    /// Lets everyone know what a cleanup did, and whether it was futile, where that was judged.
    fn publish(&self, report: CleanupReport, is_futile: Option<bool>) {
        let stall_after = self.profile().stall_after;
        self.telemetry.cleaned_up(&report, is_futile, stall_after, &self.shared);
        self.shared.lock().publish(report);
    }

    /// Lets everyone know what a reading found.
    fn tell(&mut self, change: Option<LevelChange>, now: Duration) {
        if let Some(change) = change {
            self.telemetry.level_changed(&change, &self.shared);
        }
        let (budget, registry, shared) = (&self.settings.budget, &self.registry, &*self.shared);
        self.telemetry.sampled(now, shared, || Stats::read(budget, registry, shared, now));
    }

    fn carry_out(&mut self, plan: &Plan, slots: &[Arc<Slot>]) -> CleanupReport {
        let Settings { budget, config } = &self.settings;
        let (sources, clock) = (&mut *self.sources, &*self.clock);
        let mut cleanup = Cleanup::new(plan, slots, sources, clock, budget.profile(), &self.shared);
        cleanup.observe_only = config.observe_only;
        let report = cleanup.run();
        self.sources.refresh();
        self.cpu.spend(report.elapsed);
        self.is_hurried |= report.is_cut_short;
        report
    }

    /// How long to rest after a step, whatever wakes the monitor: while usage hardly grows, longer
    /// than when the next watermark is near by the rate at which it does.
    pub(crate) fn rest(&self) -> Duration {
        let budget = &self.settings.budget;
        let footprint = self.shared.lock().sample.footprint_bytes();
        let room = budget.usage(budget.room_bytes(footprint));
        let soon = self.growth.time_to_grow(room / REST_PART).unwrap_or(LONGEST_REST);
        soon.clamp(SHORTEST_REST, LONGEST_REST)
    }

    fn interval(&self) -> Duration {
        if self.is_hurried {
            return Duration::ZERO;
        }
        let longest = match self.pressure.level {
            PressureLevel::Normal => self.profile().interval,
            _ => self.profile().interval.min(INTERVAL_UNDER_PRESSURE),
        };
        let now = self.clock.now();
        [self.relief.wait(now), self.pages.wait(), self.wait_for_asked(now)]
            .into_iter()
            .flatten()
            .fold(longest, Duration::min)
    }
}

/// Those of `slots` that may be asked.
fn candidates(slots: &[Arc<Slot>], may_ask: impl Fn(&Slot) -> bool) -> Vec<Candidate> {
    let asked = slots.iter().enumerate().filter(|(_, slot)| may_ask(slot));
    asked.map(|(index, slot)| slot.candidate(index)).collect()
}

/// Why a cleanup was not worth its while, if it was not.
fn futility(report: &CleanupReport, budget: &Budget) -> Option<String> {
    if report.observed_only {
        return Some("nothing is purged in observe-only mode".to_owned());
    }
    let collected = report.collected_bytes.unwrap_or(0);
    if report.target_bytes == 0 {
        let worthwhile = budget.soft_limit_bytes() / 64;
        return (collected < worthwhile)
            .then(|| format!("collecting gave back {} only", ByteSize(collected)));
    }
    (report.freed_bytes < report.target_bytes / FUTILE_PART).then(|| {
        let [freed, asked] = [report.freed_bytes, report.target_bytes].map(ByteSize);
        match asked {
            ByteSize(u64::MAX) => format!("the callbacks freed {freed} when asked for all"),
            _ => format!("the callbacks freed {freed} of {asked}"),
        }
    })
}

#[cfg(test)]
mod tests;
