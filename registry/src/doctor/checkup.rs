//! [`Checkup`]: what a process is examined by.

use std::collections::HashMap;
use std::time::Duration;

use bursar_alloc::{TagUsage, Usage};

#[cfg(any(feature = "cli", feature = "profile"))]
use crate::heap_profile::HeapProfile;
use crate::history::History;
#[cfg(any(feature = "cli", feature = "profile"))]
use crate::live_history::SiteSeries;
use crate::pressure::PressureLevel;
use crate::stats::{PurgeableStats, Stats};

/// What a process is examined by: a reading of its statistics, and what else is at hand. The more,
/// the more is found: rates need an earlier reading, what lasts needs a history.
///
/// All of it may come from another process, by JSON, and have any figures in it.
#[derive(Debug, Clone)]
pub struct Checkup {
    pub(super) stats: Stats,
    pub(super) earlier: Option<Stats>,
    pub(super) history: Option<History>,
    pub(super) usage: Option<Usage>,
    pub(super) stacks: HashMap<u64, Vec<String>>,
}

/// Calls of a place in the code that are named: as many as fit into a line.
#[cfg(any(feature = "cli", feature = "profile"))]
const NAMED_CALLS: usize = 6;

/// What is less than this part of the budget is not worth a finding: below 1/64 of it, nothing
/// would be won by doing something about it. The monitor goes by the same part.
const WORTHWHILE_PART: u64 = 64;

impl Checkup {
    /// With one reading.
    #[must_use]
    pub fn new(stats: Stats) -> Self {
        Self { stats, earlier: None, history: None, usage: None, stacks: HashMap::new() }
    }

    /// With an earlier reading of the same process too, some seconds or minutes before. One that
    /// is not earlier by the process's own clock is of another run, and left aside.
    #[must_use]
    pub fn with_earlier(self, earlier: Stats) -> Self {
        let is_earlier = earlier.uptime < self.stats.uptime;
        Self { earlier: is_earlier.then_some(earlier), ..self }
    }

    /// With what has happened since the start.
    #[must_use]
    pub fn with_history(self, history: History) -> Self {
        Self { history: Some(history), ..self }
    }

    /// With what the allocator counts beside: [`usage`](crate::usage).
    #[must_use]
    pub fn with_usage(self, usage: Usage) -> Self {
        Self { usage: Some(usage), ..self }
    }

    /// With the names of the functions in the stacks of [`History::site_series`], the innermost
    /// first, by the series' [`key`](crate::SiteSeries::key): what a heap profile knows. Those that
    /// are missing are shown by their addresses.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use bursar::{Checkup, History, Stats};
    ///
    /// fn checkup(stats: Stats, history: History) -> Checkup {
    ///     let name = |address: &u64| format!("function_at_{address:#x}"); // a debugger, say
    ///     let stacks: HashMap<u64, Vec<String>> = history
    ///         .site_series()
    ///         .map(|site| (site.key(), site.stack().iter().map(name).collect()))
    ///         .collect();
    ///     Checkup::new(stats).with_history(history).with_stacks(stacks)
    /// }
    /// ```
    #[must_use]
    pub fn with_stacks(self, stacks: HashMap<u64, Vec<String>>) -> Self {
        Self { stacks, ..self }
    }

    /// As [`with_stacks`](Self::with_stacks), with what a heap profile of the same run knows: the
    /// names that [`HeapProfile::resolve_symbols`](crate::HeapProfile::resolve_symbols) has found,
    /// or that a file has. After [`with_history`](Self::with_history).
    #[cfg(any(feature = "cli", feature = "profile"))]
    #[must_use]
    pub fn with_heap_profile(self, profile: &HeapProfile) -> Self {
        let keys = self.sites().map(SiteSeries::key);
        let named = keys.map(|key| (key, profile.top_frames(key, NAMED_CALLS)));
        let stacks = named.filter(|(_, names)| !names.is_empty()).collect();
        self.with_stacks(stacks)
    }

    /// The places in the code whose bytes were kept.
    #[cfg(any(feature = "cli", feature = "profile"))]
    pub(crate) fn sites(&self) -> impl Iterator<Item = &SiteSeries> {
        self.history.iter().flat_map(History::site_series)
    }

    /// Whether so many bytes are worth a finding.
    pub(super) fn is_worthwhile(&self, bytes: u64) -> bool {
        bytes > 0 && bytes >= self.stats.soft_limit_bytes / WORTHWHILE_PART
    }

    pub(super) fn is_pressed(&self) -> bool {
        self.stats.level > PressureLevel::Normal
    }

    /// Live and charged bytes now.
    pub(super) fn held_bytes(&self) -> u64 {
        self.stats.live_bytes.saturating_add(self.stats.charged_bytes)
    }

    /// What all purgeables together say they could free now.
    pub(super) fn purgeable_bytes(&self) -> u64 {
        purgeable_bytes(&self.stats)
    }

    /// What no purge can free: live and charged bytes beyond those that are purgeable. Of two
    /// readings the lower: what requests hold for a moment is not there all the time.
    pub(super) fn fixed_bytes(&self) -> u64 {
        let fixed = |stats: &Stats| {
            let held = stats.live_bytes.saturating_add(stats.charged_bytes);
            held.saturating_sub(purgeable_bytes(stats))
        };
        self.earlier.iter().map(fixed).fold(fixed(&self.stats), u64::min)
    }

    /// Where a level begins, in bytes; the whole budget where the watermark is no share.
    pub(super) fn watermark_bytes(&self, level: PressureLevel) -> u64 {
        let watermark = self.stats.watermarks.of(level);
        let watermark = if (0.0..=1.0).contains(&watermark) { watermark } else { 1.0 };
        (self.stats.soft_limit_bytes as f64 * watermark) as u64
    }

    /// Bytes that can still be used before the budget or the limit is reached.
    pub(super) fn room_bytes(&self) -> u64 {
        let sample = &self.stats.sample;
        let footprint = sample.footprint_bytes().max(self.held_bytes());
        let by_budget = self.stats.soft_limit_bytes.saturating_sub(footprint);
        match sample.working_set_bytes.zip(sample.limit_bytes) {
            Some((used, limit)) => by_budget.min(limit.saturating_sub(used)),
            None => by_budget,
        }
    }

    /// The time between the two readings.
    pub(super) fn span(&self) -> Option<Duration> {
        let earlier = self.earlier.as_ref()?;
        self.stats.uptime.checked_sub(earlier.uptime).filter(|span| !span.is_zero())
    }

    /// What the earlier reading has of the tags, by name.
    pub(super) fn earlier_tags(&self) -> HashMap<&str, &TagUsage> {
        let tags = self.earlier.iter().flat_map(|earlier| &earlier.tags);
        tags.map(|tag| (&*tag.name, tag)).collect()
    }

    /// What the earlier reading has of the purgeables, by name.
    pub(super) fn earlier_purgeables(&self) -> HashMap<&str, &PurgeableStats> {
        let purgeables = self.earlier.iter().flat_map(|earlier| &earlier.purgeables);
        purgeables.map(|purgeable| (&*purgeable.name, purgeable)).collect()
    }
}

fn purgeable_bytes(stats: &Stats) -> u64 {
    let sizes = stats.purgeables.iter().map(|purgeable| purgeable.purgeable_bytes);
    sizes.fold(0, u64::saturating_add)
}
