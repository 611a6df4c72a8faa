//! [`History`]: what was read, how the level changed and what was cleaned up, within bounds.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytesize::ByteSize;

use crate::live_history::{LiveHistory, SiteReading, SiteSeries, TagReading, TagSeries};
use crate::pressure::{Diagnosis, Finding, PressureLevel, Sample};
use crate::report::CleanupReport;
use crate::thinned::{Point, Thinned};
use crate::trend::trend;

/// Readings of the whole run that are kept.
const SAMPLES: usize = 512;
/// Readings of late that are kept, one for each [`RECENT_SPACING`] at most.
const RECENT_SAMPLES: usize = 256;
/// The rhythm at which usage is read under pressure.
pub(crate) const RECENT_SPACING: Duration = Duration::from_millis(100);
/// Changes of level that are kept.
const LEVEL_CHANGES: usize = 256;
/// Reports of cleanups that are kept.
const CLEANUPS: usize = 32;
/// Callbacks in those reports together.
const PURGES: usize = 512;

/// What a monitor has read and done: samples, changes of level, cleanups; the latest of each,
/// and of the samples also the whole run at a coarser spacing. And the live bytes of the tags that
/// hold most, over the whole run: what grows without a stop, the doctor finds there.
///
/// Bounded: 512 samples that span the run, 256 of late, 256 changes of level, and 32 cleanups
/// with 512 callbacks together; 0.4 MiB at most. The latest report alone may go past that, by a
/// line for each purgeable and stage. Of live bytes, 64 points of each of 64 tags, and of 64 places
/// in the code while the heap is sampled (feature `profile`); 0.2 MiB at most. All of it is charged
/// to the tag `bursar`. Times are those of the monitor's clock: since Bursar was started.
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let history = bursar.history();
///     assert_eq!(history.samples().count(), 1); // `start` has taken a first one
///     println!("{history}");
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct History {
    level: PressureLevel,
    samples: Thinned<SamplePoint>,
    recent_samples: VecDeque<SamplePoint>,
    level_changes_total: u64,
    level_changes: VecDeque<LevelChange>,
    cleanups: VecDeque<CleanupReport>,
    #[cfg_attr(feature = "serde", serde(default))]
    live: LiveHistory,
}

/// A reading, and what was made of it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct SamplePoint {
    /// When, on the monitor's clock.
    pub at: Duration,
    /// What was read.
    pub sample: Sample,
    /// Usage as a share of what it may be.
    pub usage_ratio: f64,
    /// The level in force from then on.
    pub level: PressureLevel,
}

/// A change of level.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LevelChange {
    /// When, on the monitor's clock.
    pub at: Duration,
    /// The level before.
    pub from: PressureLevel,
    /// The level after.
    pub to: PressureLevel,
    /// Usage as a share of what it may be.
    pub usage_ratio: f64,
    /// What pressed.
    pub diagnosis: Diagnosis,
}

/// Of readings that share a place, the one of the highest usage is kept: no peak is lost.
impl Point for SamplePoint {
    fn at(&self) -> Duration {
        self.at
    }

    fn merge(self, later: Self) -> Self {
        if later.usage_ratio >= self.usage_ratio { later } else { self }
    }
}

impl Default for History {
    fn default() -> Self {
        Self {
            level: PressureLevel::Normal,
            samples: Thinned::new(SAMPLES, RECENT_SPACING),
            recent_samples: VecDeque::new(),
            level_changes_total: 0,
            level_changes: VecDeque::new(),
            cleanups: VecDeque::new(),
            live: LiveHistory::default(),
        }
    }
}

impl History {
    /// Samples over the whole run, oldest first, at most 512: of each span of time the one with
    /// the highest usage. Spans begin with 100 ms and double whenever there are too many.
    pub fn samples(&self) -> impl DoubleEndedIterator<Item = &SamplePoint> {
        self.samples.iter()
    }

    /// The latest samples, oldest first, at most 256: of each 100 ms the one with the highest
    /// usage.
    pub fn recent_samples(&self) -> impl DoubleEndedIterator<Item = &SamplePoint> {
        self.recent_samples.iter()
    }

    /// The latest changes of level, oldest first, at most 256.
    pub fn level_changes(&self) -> impl DoubleEndedIterator<Item = &LevelChange> {
        self.level_changes.iter()
    }

    /// Changes of level since the start, kept or not.
    #[must_use]
    pub fn level_changes_total(&self) -> u64 {
        self.level_changes_total
    }

    /// The reports of the latest cleanups, oldest first, at most 32.
    pub fn cleanups(&self) -> impl DoubleEndedIterator<Item = &CleanupReport> {
        self.cleanups.iter()
    }

    /// Live bytes over the whole run of the tags that hold most, in no particular order, at most
    /// 64. What others hold is not kept: a new tag takes the place of the smallest once it holds
    /// twice as much, and one that has held nothing for ten minutes is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{AccountingAllocator, Bursar, System};
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
    ///
    /// fn main() -> Result<(), bursar::Error> {
    ///     let bursar = Bursar::builder().budget("64MiB").start()?;
    ///     let history = bursar.history();
    ///     for series in history.tag_series() {
    ///         let bytes: Vec<u64> = series.points().map(|point| point.live_bytes).collect();
    ///         println!("{}: {bytes:?}", series.tag());
    ///     }
    ///     # assert!(history.tag_series().any(|series| series.tag() == "bursar"));
    ///     Ok(())
    /// }
    /// ```
    pub fn tag_series(&self) -> impl ExactSizeIterator<Item = &TagSeries> {
        self.live.tags().iter()
    }

    /// The same of the places in the code that keep most alive, while the heap is sampled (feature
    /// `profile`).
    pub fn site_series(&self) -> impl ExactSizeIterator<Item = &SiteSeries> {
        self.live.sites().iter()
    }

    /// Takes in what all tags, and all sites, hold at one moment.
    pub(crate) fn add_live_bytes(
        &mut self,
        at: Duration,
        tags: Vec<TagReading>,
        sites: Vec<SiteReading>,
    ) {
        self.live.add(at, tags, sites);
    }

    /// Takes a reading in, and the change of level that came with it, if one did.
    pub(crate) fn add_reading(
        &mut self,
        at: Duration,
        sample: Sample,
        finding: Finding,
        level: PressureLevel,
    ) -> Option<LevelChange> {
        let usage_ratio = finding.usage;
        let point = SamplePoint { at, sample, usage_ratio, level };
        self.samples.push(point);
        match self.recent_samples.back_mut() {
            Some(last) if !is_place_over(last.at, at) => *last = last.merge(point),
            _ => push_bounded(&mut self.recent_samples, point, RECENT_SAMPLES),
        }
        if level == self.level {
            return None;
        }
        let (from, diagnosis) = (self.level, finding.diagnosis);
        let change = LevelChange { at, from, to: level, usage_ratio, diagnosis };
        self.level = level;
        self.level_changes_total += 1;
        push_bounded(&mut self.level_changes, change, LEVEL_CHANGES);
        Some(change)
    }

    /// Takes a cleanup's report in.
    pub(crate) fn add_cleanup(&mut self, report: CleanupReport) {
        push_bounded(&mut self.cleanups, report, CLEANUPS);
        let mut purges: usize = self.cleanups.iter().map(purges_in).sum();
        while purges > PURGES && self.cleanups.len() > 1 {
            purges -= self.cleanups.pop_front().as_ref().map_or(0, purges_in);
        }
    }

    /// Of the tags that grow without a stop the one that grows fastest, and its bytes an hour.
    fn fastest_growing_tag(&self) -> Option<(&str, f64)> {
        let growing = self.tag_series().filter_map(|series| {
            let points = series.points().map(|point| (point.at, point.live_bytes));
            Some((series.tag(), trend(points)?.bytes_per_hour))
        });
        growing.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The latest cleanup.
    pub(crate) fn last_cleanup(&self) -> Option<&CleanupReport> {
        self.cleanups.back()
    }
}

/// Whether a reading at `now` is no longer in the same tenth of a second as one at `at`, which
/// is then kept as it is.
pub(crate) fn is_place_over(at: Duration, now: Duration) -> bool {
    now.as_millis() / RECENT_SPACING.as_millis() > at.as_millis() / RECENT_SPACING.as_millis()
}

fn purges_in(report: &CleanupReport) -> usize {
    report.stages.iter().map(|stage| stage.purges.len()).sum()
}

fn push_bounded<T>(ring: &mut VecDeque<T>, item: T, capacity: usize) {
    if ring.len() == capacity {
        ring.pop_front();
    }
    ring.push_back(item);
}

/// Changes of level and cleanups that are shown.
const SHOWN: usize = 10;

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(first), Some(last)) = (self.samples().next(), self.samples().next_back()) else {
            return f.write_str("nothing was read yet");
        };
        write!(
            f,
            "{:.1} s of history, level {} at {:.1} % with a footprint of {}",
            last.at.saturating_sub(first.at).as_secs_f64(),
            self.level,
            100.0 * last.usage_ratio,
            ByteSize(last.sample.footprint_bytes()),
        )?;
        let highest = self.samples().max_by(|a, b| a.usage_ratio.total_cmp(&b.usage_ratio));
        if let Some(highest) = highest {
            let (percent, at) = (100.0 * highest.usage_ratio, highest.at.as_secs_f64());
            write!(f, "\nhighest {percent:.1} % at {at:.1} s")?;
        }
        if let Some((tag, per_hour)) = self.fastest_growing_tag() {
            write!(f, "\nfastest growing: {tag}, {} an hour", ByteSize(per_hour as u64))?;
        }
        write!(f, "\nchanges of level: {}", self.level_changes_total)?;
        for change in last_of(&self.level_changes) {
            write!(f, "\n  {change}")?;
        }
        write!(f, "\nlatest cleanups: {}", self.cleanups.len().min(SHOWN))?;
        for report in last_of(&self.cleanups) {
            let (at, freed) = (report.started_at.as_secs_f64(), ByteSize(report.freed_bytes));
            let (level, pressure) = (report.level, report.diagnosis);
            let of_tag = report.tag.as_ref().map(|tag| format!(" of {tag}")).unwrap_or_default();
            write!(f, "\n  {at:.1} s {level} ({pressure} pressure{of_tag}): freed {freed}")?;
        }
        Ok(())
    }
}

fn last_of<T>(ring: &VecDeque<T>) -> impl Iterator<Item = &T> {
    ring.iter().skip(ring.len().saturating_sub(SHOWN))
}

impl fmt::Display for LevelChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, percent) = (self.at.as_secs_f64(), 100.0 * self.usage_ratio);
        let Self { from, to, diagnosis, .. } = self;
        write!(f, "{at:.1} s {from} to {to} at {percent:.1} % ({diagnosis} pressure)")
    }
}

#[cfg(test)]
mod tests;
