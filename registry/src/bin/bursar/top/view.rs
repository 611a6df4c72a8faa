//! [`View`]: what the screen shows, apart from the screen.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bursar::{CleanupReport, History, Stats};

use crate::failure::Failure;

/// Readings that the graph can show.
const MAX_POINTS: usize = 1024;

/// What is shown at one moment.
#[derive(Debug)]
pub(super) struct View {
    pub(super) address: String,
    pub(super) interval: Duration,
    pub(super) has_colours: bool,
    pub(super) stats: Stats,
    /// The latest first.
    pub(super) cleanups: Vec<CleanupReport>,
    /// A history that came while it was paused.
    pub(super) unseen: Option<History>,
    /// Shares of the budget, the oldest first.
    pub(super) usage: VecDeque<f64>,
    /// Bytes allocated a second, by tag.
    pub(super) rates: BTreeMap<String, u64>,
    pub(super) table: Table,
    /// The first row that is shown.
    pub(super) scroll: usize,
    /// How the tables of tags and of purgeables are sorted.
    pub(super) tag_order: TagOrder,
    pub(super) purgeable_order: PurgeableOrder,
    pub(super) is_paused: bool,
    pub(super) shows_help: bool,
    /// Why there is no new reading, if there is none.
    pub(super) trouble: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    Tags,
    Purgeables,
    Cleanups,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagOrder {
    Live,
    Rate,
    Peak,
    Name,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PurgeableOrder {
    CouldFree,
    Freed,
    Purges,
    Name,
}

impl Table {
    pub(super) const ALL: [Self; 3] = [Self::Tags, Self::Purgeables, Self::Cleanups];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tags => "Tags",
            Self::Purgeables => "Purgeables",
            Self::Cleanups => "Cleanups",
        }
    }
}

impl View {
    pub(super) fn new(
        address: String,
        interval: Duration,
        has_colours: bool,
        stats: Stats,
    ) -> Self {
        Self {
            address,
            interval,
            has_colours,
            usage: VecDeque::from([stats.usage_ratio]),
            stats,
            cleanups: Vec::new(),
            unseen: None,
            rates: BTreeMap::new(),
            table: Table::Tags,
            scroll: 0,
            tag_order: TagOrder::Live,
            purgeable_order: PurgeableOrder::CouldFree,
            is_paused: false,
            shows_help: false,
            trouble: None,
        }
    }

    /// Takes a reading in, unless paused. A history comes with it when there are new cleanups.
    pub(super) fn take(&mut self, stats: Stats, history: Option<History>) {
        self.trouble = None;
        // What is not asked for again is kept.
        self.unseen = history.or(self.unseen.take());
        if self.is_paused {
            return;
        }
        if stats.uptime < self.stats.uptime {
            // Another process: nothing goes on from before.
            self.usage.clear();
            self.rates.clear();
            self.cleanups.clear();
        } else {
            self.rates = rates(&self.stats, &stats);
        }
        if let Some(history) = self.unseen.take() {
            self.cleanups = history.cleanups().rev().cloned().collect();
        }
        while self.usage.len() >= MAX_POINTS {
            self.usage.pop_front();
        }
        self.usage.push_back(stats.usage_ratio);
        self.stats = stats;
        self.scroll = self.scroll.min(self.last_row());
    }

    /// Keeps showing what was read, and says that it is old.
    pub(super) fn miss(&mut self, failure: &Failure) {
        self.trouble = Some(failure.to_string());
    }

    pub(super) fn rows(&self) -> usize {
        match self.table {
            Table::Tags => self.stats.tags.len(),
            Table::Purgeables => self.stats.purgeables.len(),
            Table::Cleanups => self.cleanups.len(),
        }
    }

    pub(super) fn last_row(&self) -> usize {
        self.rows().saturating_sub(1)
    }
}

fn rates(before: &Stats, now: &Stats) -> BTreeMap<String, u64> {
    let seconds = now.uptime.saturating_sub(before.uptime).as_secs_f64();
    let before: BTreeMap<&str, u64> =
        before.tags.iter().map(|tag| (&*tag.name, tag.allocated_bytes_total)).collect();
    let rate = |allocated: u64| (allocated as f64 / seconds) as u64;
    now.tags
        .iter()
        .filter(|_| seconds > 0.0)
        .filter_map(|tag| {
            let allocated = tag.allocated_bytes_total.checked_sub(*before.get(&*tag.name)?)?;
            Some((tag.name.to_string(), rate(allocated)))
        })
        .collect()
}
