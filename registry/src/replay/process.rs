//! The made-up process of a replay: the recorded one, changed by what is purged and collected.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bursar_alloc::{Collect, Collected, TagHandle};

use super::curve::{Demand, Done};
use crate::budget::Budget;
use crate::clock::Clock;
use crate::pressure::{Sample, TagExcess};
use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable};
use crate::source::{LimitReport, Sources, Unavailable};

/// A clock that stands still until it is set. One thread uses it.
#[derive(Debug, Default)]
pub(super) struct ReplayClock(AtomicU64);

impl ReplayClock {
    pub(super) fn set(&self, now: Duration) {
        let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        self.0.store(micros, Ordering::Relaxed);
    }
}

impl Clock for ReplayClock {
    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Clones are the same process.
#[derive(Debug, Clone, Default)]
pub(super) struct ReplayedProcess(Arc<Mutex<Memory>>);

#[derive(Debug, Default)]
struct Memory {
    demand: Demand,
    /// What the recorded sample knows, and its limit.
    like: Sample,
    /// By how much replayed cleanups have changed live and dirty bytes.
    live_change: i128,
    dirty_change: i128,
    freed_bytes_total: u64,
    purgeables: BTreeMap<String, Held>,
}

/// What a replayed purgeable holds is what it held when it was recorded, and a change.
#[derive(Debug, Default)]
struct Held {
    recorded: i128,
    change: i128,
    freed_bytes_total: u64,
}

impl Held {
    fn bytes(&self) -> u64 {
        u64::try_from((self.recorded + self.change).max(0)).unwrap_or(u64::MAX)
    }

    /// What is gone by itself cannot be owed on.
    fn settle(&mut self) {
        self.change = self.change.max(-self.recorded);
    }
}

impl Memory {
    fn sample(&self) -> Sample {
        self.demand.sample(&self.like, self.live_change, self.dirty_change)
    }

    /// What a cleanup has freed the process may have dropped by itself later: it is not owed
    /// twice.
    fn settle(&mut self) {
        self.live_change = self.live_change.max(-self.demand.live);
        self.dirty_change = self.dirty_change.max(-self.demand.dirty);
    }
}

impl ReplayedProcess {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it need what the recorded one needed. Growth comes to lie first in pages that are
    /// dirty here and were not there.
    pub(super) fn set_demand(&self, demand: Demand, like: Sample, done: &Done) {
        let mut memory = self.lock();
        let growth = (demand.live - memory.demand.live).max(0);
        let more_dirty = (memory.dirty_change - (done.freed - done.collected)).max(0);
        memory.dirty_change -= growth.min(more_dirty);
        (memory.demand, memory.like) = (demand, like);
        memory.settle();
    }

    /// Has a purgeable hold what the recorded one held.
    pub(super) fn set_purgeable_bytes(&self, name: &str, bytes: u64) {
        let mut memory = self.lock();
        let held = memory.purgeables.entry(name.to_owned()).or_default();
        held.recorded = i128::from(bytes);
        held.settle();
    }

    /// What a recorded cleanup took of a purgeable it keeps here.
    pub(super) fn keep_in_purgeables(&self, freed_bytes_by_name: &BTreeMap<String, u64>) {
        let mut memory = self.lock();
        for (name, &bytes) in freed_bytes_by_name {
            if let Some(held) = memory.purgeables.get_mut(name) {
                held.change += i128::from(bytes);
            }
        }
    }

    pub(super) fn read(&self) -> Sample {
        self.lock().sample()
    }

    pub(super) fn freed_bytes_by_name(&self) -> BTreeMap<String, u64> {
        let memory = self.lock();
        let freed = memory.purgeables.iter().filter(|(_, held)| held.freed_bytes_total > 0);
        freed.map(|(name, held)| (name.clone(), held.freed_bytes_total)).collect()
    }
}

impl Sources for ReplayedProcess {
    fn take_pending(&mut self) -> bool {
        false
    }

    fn sample(&mut self, _: &Budget) -> Sample {
        self.read()
    }

    /// Each sample brings its limit.
    fn limits(&self) -> Arc<LimitReport> {
        Arc::default()
    }

    fn unavailable(&self) -> Arc<Unavailable> {
        Arc::default()
    }

    fn held_bytes(&mut self) -> u64 {
        self.read().held_bytes()
    }

    /// Budgets of single tags are not replayed.
    fn held_bytes_of(&mut self, _: &str) -> u64 {
        0
    }

    fn tags_over_budget(&mut self) -> Vec<TagExcess> {
        Vec::new()
    }

    fn dirty_bytes(&mut self) -> Option<u64> {
        self.read().dirty_bytes
    }

    /// Decay is left to the recorded run.
    fn collect(&mut self, how: Collect) -> Collected {
        if how == Collect::Purge {
            let mut memory = self.lock();
            let dirty = memory.sample().dirty_bytes.unwrap_or(0);
            memory.dirty_change -= i128::from(dirty);
        }
        Collected::Done
    }

    fn collect_part(&mut self, how: Collect, part: usize) -> Option<Collected> {
        (part == 0).then(|| self.collect(how))
    }

    /// What a purgeable gives up outside the heap was recorded as part of what it freed.
    fn charged_bytes(&mut self, _: Option<&TagHandle>) -> u64 {
        0
    }

    fn net_freed_by_this_thread(&mut self, _: Option<&TagHandle>) -> Option<i64> {
        Some(self.lock().freed_bytes_total as i64)
    }
}

/// A purgeable of the made-up process. It frees what it is asked for, if it holds that much.
#[derive(Debug)]
pub(super) struct ReplayedPurgeable {
    pub(super) process: ReplayedProcess,
    pub(super) name: String,
}

impl Purgeable for ReplayedPurgeable {
    fn purgeable_bytes(&self) -> u64 {
        self.process.lock().purgeables.get(&self.name).map_or(0, Held::bytes)
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let memory = &mut *self.process.lock();
        let live = memory.sample().live_bytes;
        let Some(held) = memory.purgeables.get_mut(&self.name) else { return PurgeOutcome::Empty };
        let bytes = request.target_bytes.min(held.bytes()).min(live);
        if bytes == 0 {
            return PurgeOutcome::Empty;
        }
        held.change -= i128::from(bytes);
        held.freed_bytes_total = held.freed_bytes_total.saturating_add(bytes);
        memory.live_change -= i128::from(bytes);
        memory.dirty_change += i128::from(bytes);
        memory.freed_bytes_total = memory.freed_bytes_total.wrapping_add(bytes);
        PurgeOutcome::Freed(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pressure::PressureLevel;

    fn process(live: u64) -> (ReplayedProcess, ReplayedPurgeable) {
        let process = ReplayedProcess::default();
        process.need(live);
        process.set_purgeable_bytes("cache", live);
        let cache = ReplayedPurgeable { process: process.clone(), name: "cache".to_owned() };
        (process, cache)
    }

    impl ReplayedProcess {
        /// With nothing dirty in the recorded process.
        fn need(&self, live: u64) {
            let demand = Demand { live: live.into(), ..Demand::default() };
            let like = Sample { dirty_bytes: Some(0), ..Sample::default() };
            self.set_demand(demand, like, &Done::default());
        }

        fn live_and_dirty(&self) -> (u64, u64) {
            let sample = self.read();
            (sample.live_bytes, sample.dirty_bytes.unwrap())
        }
    }

    fn purge(cache: &ReplayedPurgeable, bytes: u64) -> PurgeOutcome {
        cache.purge(&PurgeRequest::new(bytes, PressureLevel::Warning))
    }

    #[test]
    fn what_is_purged_becomes_dirty_and_growth_comes_to_lie_there_first() {
        let (process, cache) = process(50);
        assert_eq!(purge(&cache, 10), PurgeOutcome::Freed(10));
        assert_eq!(process.live_and_dirty(), (40, 10));
        process.need(56);
        assert_eq!(process.live_and_dirty(), (46, 4));
        process.need(70);
        assert_eq!(process.live_and_dirty(), (60, 0));
    }

    #[test]
    fn what_was_purged_and_then_dropped_anyway_is_not_missing_twice() {
        let (process, cache) = process(50);
        assert_eq!(purge(&cache, 30), PurgeOutcome::Freed(30));
        process.need(10);
        process.set_purgeable_bytes("cache", 10);
        assert_eq!((process.read().live_bytes, cache.purgeable_bytes()), (0, 0));
        process.need(25);
        process.set_purgeable_bytes("cache", 25);
        assert_eq!((process.read().live_bytes, cache.purgeable_bytes()), (15, 15));
    }

    #[test]
    fn a_purgeable_gives_no_more_than_it_holds_and_a_collection_what_is_dirty() {
        let (mut process, cache) = process(50);
        assert_eq!(purge(&cache, u64::MAX), PurgeOutcome::Freed(50));
        assert_eq!(purge(&cache, u64::MAX), PurgeOutcome::Empty);
        process.collect(Collect::Decay);
        assert_eq!(process.live_and_dirty(), (0, 50));
        process.collect(Collect::Purge);
        assert_eq!(process.live_and_dirty(), (0, 0));
    }
}
