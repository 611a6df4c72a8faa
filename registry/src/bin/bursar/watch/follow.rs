//! [`Follower`]: makes a trace's events of what a service says again and again.

use std::collections::BTreeMap;
use std::time::Duration;

use bursar::{
    CleanupReport, History, PressureLevel, PurgeableStats, Stats, TraceEvent, TraceItem,
    TracedCleanup, TracedPurgeable,
};

/// Readings closer than this take each other's place in a history.
const SPACING_MS: u128 = 100;
/// A purgeable's size is written when it has changed by this part of what was written last.
const SIZE_CHANGE_PART: u64 = 64;

/// How far a recording has come.
#[derive(Debug)]
pub(super) struct Follower {
    sampled_until: Option<Duration>,
    level: PressureLevel,
    level_changes: u64,
    cleaned_until: Option<Duration>,
    /// What is told of, on top of what there was at the start.
    told: Sums,
    futile: u64,
    sizes: BTreeMap<String, TracedPurgeable>,
    /// What is to be written after a reading that has not come yet, or that a higher one may
    /// still take the place of.
    pending: Vec<TraceEvent>,
}

#[derive(Debug, Clone, Copy)]
struct Sums {
    cleanups: u64,
    freed_bytes: u64,
    collected_bytes: u64,
}

impl Sums {
    fn of(stats: &Stats) -> Self {
        Self {
            cleanups: stats.cleanups_total,
            freed_bytes: stats.freed_bytes_total,
            collected_bytes: stats.collected_bytes_total,
        }
    }
}

impl Follower {
    /// From the latest reading on. The level in force is told of as if it had just been entered.
    pub(super) fn starting_at(stats: &Stats, history: &History) -> Self {
        Self {
            sampled_until: history.recent_samples().nth_back(1).map(|point| point.at),
            level: PressureLevel::Normal,
            level_changes: history.level_changes_total(),
            cleaned_until: history.cleanups().next_back().map(|report| report.started_at),
            told: Sums::of(stats),
            futile: stats.futile_cleanups_total,
            sizes: BTreeMap::new(),
            pending: Vec::new(),
        }
    }

    /// What there is to tell since the last time, with samples first among those of the same
    /// time. `stats` were read before `history`.
    pub(super) fn advance(
        &mut self,
        stats: &Stats,
        history: &History,
        is_over: bool,
    ) -> Vec<TraceEvent> {
        let now = stats.uptime;
        self.note_sizes(stats);
        let mut events = std::mem::take(&mut self.pending);
        let horizon = self.samples(history, now, is_over, &mut events);
        self.levels(stats, history, &mut events);
        self.cleanups(stats, history, &mut events);
        events.sort_by_key(|event| (event.at, !matches!(event.item, TraceItem::Sample(_))));
        let ready = events.partition_point(|event| event.at < horizon);
        self.pending = events.split_off(ready);
        events
    }

    /// Readings that stay; answers when the first was that may not.
    fn samples(
        &mut self,
        history: &History,
        now: Duration,
        is_over: bool,
        events: &mut Vec<TraceEvent>,
    ) -> Duration {
        for point in history.recent_samples() {
            if self.sampled_until.is_some_and(|until| point.at <= until) {
                continue;
            }
            let is_place_over = now.as_millis() / SPACING_MS > point.at.as_millis() / SPACING_MS;
            if !is_over && !is_place_over {
                return point.at;
            }
            self.sampled_until = Some(point.at);
            let item = TraceItem::Sample(Box::new(point.sample));
            events.push(TraceEvent { at: point.at, item });
        }
        Duration::MAX
    }

    fn levels(&mut self, stats: &Stats, history: &History, events: &mut Vec<TraceEvent>) {
        let new = history.level_changes_total().saturating_sub(self.level_changes);
        let kept = history.level_changes().count();
        let skipped = kept.saturating_sub(usize::try_from(new).unwrap_or(usize::MAX));
        for change in history.level_changes().skip(skipped) {
            self.level = change.to;
            events.push(level_event(change.at, change.to));
        }
        // Only at the start: `stats` are older than `history`.
        if self.level_changes == history.level_changes_total() && self.level != stats.level {
            self.level = stats.level;
            events.push(level_event(stats.uptime, stats.level));
        }
        self.level_changes = history.level_changes_total();
    }

    /// Each report that is kept; what the totals say beyond those, in one.
    fn cleanups(&mut self, stats: &Stats, history: &History, events: &mut Vec<TraceEvent>) {
        let until = self.cleaned_until;
        let is_new = |report: &&CleanupReport| until.is_none_or(|at| report.started_at > at);
        for report in history.cleanups().filter(is_new) {
            let cleanup = TracedCleanup::from(report);
            self.tell_of(&cleanup);
            self.cleaned_until = Some(report.started_at);
            events.push(TraceEvent { at: report.started_at, item: TraceItem::Cleanup(cleanup) });
        }
        let total = Sums::of(stats);
        let rest = TracedCleanup {
            count: total.cleanups.saturating_sub(self.told.cleanups),
            freed_bytes: total.freed_bytes.saturating_sub(self.told.freed_bytes),
            collected_bytes: total.collected_bytes.saturating_sub(self.told.collected_bytes),
            ..TracedCleanup::default()
        };
        if rest.count > 0 {
            self.tell_of(&rest);
            events.push(TraceEvent { at: stats.uptime, item: TraceItem::Cleanup(rest) });
        }
        let futile = stats.futile_cleanups_total.saturating_sub(self.futile);
        if futile > 0 {
            let item = TraceItem::Futile { count: futile };
            events.push(TraceEvent { at: stats.uptime, item });
        }
        self.futile = stats.futile_cleanups_total;
    }

    fn tell_of(&mut self, cleanup: &TracedCleanup) {
        let told = &mut self.told;
        told.cleanups = told.cleanups.saturating_add(cleanup.count);
        told.freed_bytes = told.freed_bytes.saturating_add(cleanup.freed_bytes);
        told.collected_bytes = told.collected_bytes.saturating_add(cleanup.collected_bytes);
    }

    /// Keeps for the next [`advance`](Self::advance) what purgeables hold: sizes that have changed
    /// by a good part, and of what is gone, nothing.
    pub(super) fn note_sizes(&mut self, stats: &Stats) {
        let events = &mut self.pending;
        let mut gone = std::mem::take(&mut self.sizes);
        let at = stats.uptime;
        for purgeable in &stats.purgeables {
            let size = traced(purgeable);
            let kept = gone.remove(&size.name).filter(|last| is_much_the_same(last, &size));
            let size = kept.unwrap_or_else(|| {
                events.push(TraceEvent { at, item: TraceItem::Purgeable(size.clone()) });
                size
            });
            self.sizes.insert(size.name.clone(), size);
        }
        events.extend(gone.into_values().map(|last| {
            let item = TraceItem::Purgeable(TracedPurgeable { purgeable_bytes: 0, ..last });
            TraceEvent { at, item }
        }));
    }
}

fn level_event(at: Duration, level: PressureLevel) -> TraceEvent {
    TraceEvent { at, item: TraceItem::Level { level } }
}

fn traced(purgeable: &PurgeableStats) -> TracedPurgeable {
    TracedPurgeable {
        name: purgeable.name.clone(),
        stage: purgeable.stage,
        priority: purgeable.priority,
        rebuild_cost: purgeable.rebuild_cost,
        purgeable_bytes: purgeable.purgeable_bytes,
    }
}

fn is_much_the_same(last: &TracedPurgeable, new: &TracedPurgeable) -> bool {
    let change = last.purgeable_bytes.abs_diff(new.purgeable_bytes);
    let declared = |p: &TracedPurgeable| (p.stage, p.priority, p.rebuild_cost);
    declared(last) == declared(new) && change <= last.purgeable_bytes / SIZE_CHANGE_PART
}

#[cfg(test)]
mod tests;
