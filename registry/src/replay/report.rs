//! [`ReplayReport`]: a recorded run and its replay side by side.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

use crate::budget::Budget;
use crate::history::History;
use crate::pressure::{PressureLevel, Sample};
use crate::profile::Watermarks;
use crate::thinned::{Point, Thinned};
use crate::trace::Trace;

/// Points that a chart is drawn from.
const POINTS: usize = 1024;

/// What a [`Replay`](crate::Replay) has shown: the figures of the run as it was recorded, and as
/// it would have been. Text by `Display`, JSON by serde, a chart by `write_chart` (with the
/// feature `chart`). Some 300 KiB at most, however long the run.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ReplayReport {
    /// When the recording ended, on its clock.
    pub end: Duration,
    /// The run as it was recorded.
    pub recorded: RunFigures,
    /// The run as it would have been.
    pub replayed: RunFigures,
    /// Where the replay's levels begin.
    pub watermarks: Watermarks,
    /// The tightest limit of the container in the replay, if it was limited.
    pub limit_bytes: Option<u64>,
    /// What the replay's monitor read and did.
    pub history: History,
    /// The number of the recording's last line, if it was cut off.
    pub truncated_line: Option<usize>,
    pub(super) points: Thinned<ReplayPoint>,
}

/// Figures of one run.
#[derive(Debug, Clone, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RunFigures {
    /// What the footprint was kept to.
    pub soft_limit_bytes: u64,
    /// How long each level was in force.
    pub time_at: LevelTimes,
    /// Changes of level.
    pub level_changes_total: u64,
    /// Cleanups made.
    pub cleanups_total: u64,
    /// Cleanups that freed next to nothing, or for which there was nothing to ask.
    pub futile_cleanups_total: u64,
    /// Live bytes that callbacks freed.
    pub freed_bytes_total: u64,
    /// Bytes of freed pages given back to the system, as far as the allocator knows.
    pub collected_bytes_total: u64,
    /// What each purgeable freed, by name.
    pub freed_bytes_by_name: BTreeMap<String, u64>,
    /// The highest footprint.
    pub peak_footprint_bytes: u64,
    /// How long the footprint was above the soft limit.
    pub time_above_soft_limit: Duration,
    /// How long the process was above the container's limit, by the working set, or else the
    /// resident bytes, or else the footprint and dirty pages. It would have been killed.
    pub time_above_limit: Duration,
    /// When that was first so.
    pub first_above_limit: Option<Duration>,
}

/// How long each level was in force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LevelTimes {
    /// [`PressureLevel::Normal`].
    pub normal: Duration,
    /// [`PressureLevel::Warning`].
    pub warning: Duration,
    /// [`PressureLevel::Critical`].
    pub critical: Duration,
    /// [`PressureLevel::Emergency`].
    pub emergency: Duration,
}

/// Both runs at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct ReplayPoint {
    pub(super) at: Duration,
    pub(super) recorded_footprint_bytes: u64,
    pub(super) replayed_footprint_bytes: u64,
    pub(super) recorded_level: PressureLevel,
    pub(super) replayed_level: PressureLevel,
    pub(super) recorded_cleanups: u64,
    pub(super) replayed_cleanups: u64,
}

/// The highest of each; cleanups add up.
impl Point for ReplayPoint {
    fn at(&self) -> Duration {
        self.at
    }

    fn merge(self, later: Self) -> Self {
        let highest = |figure: fn(&Self) -> u64| figure(&self).max(figure(&later));
        let sum = |figure: fn(&Self) -> u64| figure(&self).saturating_add(figure(&later));
        Self {
            at: self.at.max(later.at),
            recorded_footprint_bytes: highest(|point| point.recorded_footprint_bytes),
            replayed_footprint_bytes: highest(|point| point.replayed_footprint_bytes),
            recorded_level: self.recorded_level.max(later.recorded_level),
            replayed_level: self.replayed_level.max(later.replayed_level),
            recorded_cleanups: sum(|point| point.recorded_cleanups),
            replayed_cleanups: sum(|point| point.replayed_cleanups),
        }
    }
}

/// Adds figures up while a run goes on.
#[derive(Debug)]
pub(super) struct Meter {
    pub(super) figures: RunFigures,
}

impl Meter {
    pub(super) fn new(soft_limit_bytes: u64) -> Self {
        Self { figures: RunFigures { soft_limit_bytes, ..RunFigures::default() } }
    }

    /// Takes in how it was for the time `elapsed` that ends at `now`.
    pub(super) fn add(
        &mut self,
        now: Duration,
        elapsed: Duration,
        level: PressureLevel,
        sample: &Sample,
    ) {
        let figures = &mut self.figures;
        let footprint = sample.footprint_bytes();
        figures.peak_footprint_bytes = figures.peak_footprint_bytes.max(footprint);
        *figures.time_at.of_mut(level) += elapsed;
        if footprint > figures.soft_limit_bytes {
            figures.time_above_soft_limit += elapsed;
        }
        let in_memory = sample.working_set_bytes.or(sample.resident_bytes);
        let in_memory = in_memory.unwrap_or(footprint + sample.dirty_bytes.unwrap_or(0));
        if sample.limit_bytes.is_some_and(|limit| in_memory > limit) {
            figures.time_above_limit += elapsed;
            figures.first_above_limit.get_or_insert(now);
        }
    }

    pub(super) fn count_level(&mut self, from: PressureLevel, to: PressureLevel) {
        self.figures.level_changes_total += u64::from(from != to);
    }
}

impl LevelTimes {
    /// How long `level` was in force.
    #[must_use]
    pub fn of(&self, level: PressureLevel) -> Duration {
        match level {
            PressureLevel::Normal => self.normal,
            PressureLevel::Warning => self.warning,
            PressureLevel::Critical => self.critical,
            PressureLevel::Emergency => self.emergency,
        }
    }

    fn of_mut(&mut self, level: PressureLevel) -> &mut Duration {
        match level {
            PressureLevel::Normal => &mut self.normal,
            PressureLevel::Warning => &mut self.warning,
            PressureLevel::Critical => &mut self.critical,
            PressureLevel::Emergency => &mut self.emergency,
        }
    }
}

impl ReplayReport {
    pub(super) fn new(budget: &Budget, trace: &Trace) -> Self {
        Self {
            end: trace.events().last().map_or(Duration::ZERO, |event| event.at),
            recorded: RunFigures::default(),
            replayed: RunFigures::default(),
            watermarks: budget.profile().watermarks,
            limit_bytes: None,
            history: History::default(),
            truncated_line: None,
            points: Thinned::new(POINTS, super::STEP),
        }
    }

    pub(super) fn add_point(&mut self, point: ReplayPoint, limit_bytes: Option<u64>) {
        self.points.push(point);
        let tightest = self.limit_bytes.into_iter().chain(limit_bytes).min();
        self.limit_bytes = tightest;
    }

    /// Recorded cleanups at the time of the last point.
    pub(super) fn mark_recorded_cleanups(&mut self, count: u64) {
        if let Some(&last) = self.points.iter().next_back() {
            self.points.push(ReplayPoint {
                recorded_cleanups: count,
                replayed_cleanups: 0,
                ..last
            });
        }
    }
}

impl fmt::Display for ReplayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (recorded, replayed) = (&self.recorded, &self.replayed);
        write!(f, "{:<24} {:>14} {:>14}", "", "recorded", "replayed")?;
        let mut row = |name: &str, figure: &dyn Fn(&RunFigures) -> String| {
            write!(f, "\n{name:<24} {:>14} {:>14}", figure(recorded), figure(replayed))
        };
        row("soft limit", &|run| bytes(run.soft_limit_bytes))?;
        row("highest footprint", &|run| bytes(run.peak_footprint_bytes))?;
        row("time above soft limit", &|run| seconds(run.time_above_soft_limit))?;
        row("time above limit", &|run| seconds(run.time_above_limit))?;
        row("first above limit at", &|run| {
            run.first_above_limit.map_or_else(|| "never".to_owned(), seconds)
        })?;
        for level in std::iter::once(PressureLevel::Normal).chain(PressureLevel::ABOVE_NORMAL) {
            row(&format!("time at {level}"), &|run| seconds(run.time_at.of(level)))?;
        }
        row("changes of level", &|run| run.level_changes_total.to_string())?;
        row("cleanups", &|run| run.cleanups_total.to_string())?;
        row("futile cleanups", &|run| run.futile_cleanups_total.to_string())?;
        row("given back in pages", &|run| bytes(run.collected_bytes_total))?;
        row("freed", &|run| bytes(run.freed_bytes_total))?;
        let mut names: Vec<_> = recorded
            .freed_bytes_by_name
            .keys()
            .chain(replayed.freed_bytes_by_name.keys())
            .collect();
        names.sort();
        names.dedup();
        for name in names {
            let freed = |run: &RunFigures| run.freed_bytes_by_name.get(name).copied().unwrap_or(0);
            row(&format!("  by {name}"), &|run| bytes(freed(run)))?;
        }
        if let Some(line) = self.truncated_line {
            write!(f, "\nline {line}, the last one, was cut off and is left out")?;
        }
        Ok(())
    }
}

fn bytes(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
