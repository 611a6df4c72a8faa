//! A made-up process for tests: a clock that is set, memory that is a number, and purgeables
//! that take from it.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bursar_alloc::{AccountingAllocator, Collect, Collected, System, TagHandle};

use crate::budget::Budget;
pub(crate) use crate::clock::ManualClock as FakeClock;
use crate::live_history::{SiteReading, TagReading};
use crate::pressure::{Sample, TagExcess};
use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable};
use crate::registry::Entry;
use crate::source::{LimitAnswer, LimitCandidate, LimitReport, LimitSource, Sources, Unavailable};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

pub(crate) const MIB: u64 = 1 << 20;

/// A process whose memory is what the test says. Clones are the same process.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeProcess(Arc<FakeMemory>);

#[derive(Debug, Default)]
struct FakeMemory {
    live_bytes: AtomicU64,
    dirty_bytes: AtomicU64,
    outside_bytes: AtomicU64,
    /// In pages that hold live blocks, but not in the blocks.
    gap_bytes: AtomicU64,
    freed_bytes: AtomicU64,
    collections: Mutex<Vec<Collect>>,
    /// Parts that were collected by themselves.
    collected_parts: Mutex<Vec<usize>>,
    /// Tags that were, each with how many parts had been by then.
    collected_tags: Mutex<Vec<(String, usize)>>,
    flag_at_part: Mutex<Option<usize>>,
    /// How long each part takes.
    part_takes: Mutex<Option<(Arc<FakeClock>, Duration)>>,
    charged_bytes: AtomicU64,
    /// Zero for what it is at first.
    limit_bytes: AtomicU64,
    /// As of the last sample.
    sampled_limit_bytes: AtomicU64,
    looks: AtomicU64,
    tags_over: Mutex<Vec<TagExcess>>,
    live_bytes_of_tags: Mutex<Vec<TagReading>>,
    live_bytes_of_sites: Mutex<Vec<SiteReading>>,
    /// How often the tags' live bytes were read.
    tag_readings: AtomicU64,
    pending: AtomicBool,
}

/// Parts that the made-up allocator has.
pub(crate) const PARTS: usize = 3;

/// The made-up container's limit.
pub(crate) const LIMIT_BYTES: u64 = 120 * MIB;

impl FakeProcess {
    pub(crate) fn set_live_mib(&self, mib: u64) {
        self.0.live_bytes.store(mib * MIB, Ordering::Relaxed);
    }

    pub(crate) fn set_dirty_mib(&self, mib: u64) {
        self.0.dirty_bytes.store(mib * MIB, Ordering::Relaxed);
    }

    pub(crate) fn set_outside_mib(&self, mib: u64) {
        self.0.outside_bytes.store(mib * MIB, Ordering::Relaxed);
    }

    pub(crate) fn set_gaps_mib(&self, mib: u64) {
        self.0.gap_bytes.store(mib * MIB, Ordering::Relaxed);
    }

    pub(crate) fn live_mib(&self) -> u64 {
        self.0.live_bytes.load(Ordering::Relaxed) / MIB
    }

    pub(crate) fn set_limit_mib(&self, mib: u64) {
        self.0.limit_bytes.store(mib * MIB, Ordering::Relaxed);
    }

    /// How often the limit alone was looked at.
    pub(crate) fn looks(&self) -> u64 {
        self.0.looks.load(Ordering::Relaxed)
    }

    pub(crate) fn raise_flag(&self) {
        self.0.pending.store(true, Ordering::Relaxed);
    }

    pub(crate) fn set_charged_mib(&self, mib: u64) {
        self.0.charged_bytes.store(mib * MIB, Ordering::Relaxed);
    }

    pub(crate) fn take_for_each_part(&self, clock: &Arc<FakeClock>, time: Duration) {
        *self.0.part_takes.lock().unwrap() = Some((Arc::clone(clock), time));
    }

    /// Has usage reach the next watermark while this part is collected.
    pub(crate) fn raise_flag_at_part(&self, part: usize) {
        *self.0.flag_at_part.lock().unwrap() = Some(part);
    }

    pub(crate) fn put_over_budget(&self, excess: TagExcess) {
        self.0.tags_over.lock().unwrap().push(excess);
    }

    pub(crate) fn set_live_bytes_of(&self, tags: Vec<TagReading>, sites: Vec<SiteReading>) {
        *self.0.live_bytes_of_tags.lock().unwrap() = tags;
        *self.0.live_bytes_of_sites.lock().unwrap() = sites;
    }

    /// How often the tags' live bytes were read.
    pub(crate) fn tag_readings(&self) -> u64 {
        self.0.tag_readings.load(Ordering::Relaxed)
    }

    pub(crate) fn collected_parts(&self) -> Vec<usize> {
        self.0.collected_parts.lock().unwrap().clone()
    }

    pub(crate) fn collected_tags(&self) -> Vec<(String, usize)> {
        self.0.collected_tags.lock().unwrap().clone()
    }

    pub(crate) fn collections(&self) -> Vec<Collect> {
        self.0.collections.lock().unwrap().clone()
    }

    /// Turns live bytes into dirty pages, as a free does; where there are gaps, into gaps.
    pub(crate) fn free(&self, bytes: u64) {
        self.0.live_bytes.fetch_sub(bytes, Ordering::Relaxed);
        let is_fragmented = self.0.gap_bytes.load(Ordering::Relaxed) > 0;
        let becomes = if is_fragmented { &self.0.gap_bytes } else { &self.0.dirty_bytes };
        becomes.fetch_add(bytes, Ordering::Relaxed);
        self.0.freed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Sources for FakeProcess {
    fn take_pending(&mut self) -> bool {
        self.0.pending.swap(false, Ordering::Relaxed)
    }

    fn sample(&mut self, _: &Budget) -> Sample {
        let live_bytes = self.0.live_bytes.load(Ordering::Relaxed);
        let dirty_bytes = self.0.dirty_bytes.load(Ordering::Relaxed);
        let gap_bytes = self.0.gap_bytes.load(Ordering::Relaxed);
        let outside_bytes = self.0.outside_bytes.load(Ordering::Relaxed);
        let limit_bytes = self.limits().limit_bytes;
        self.0.sampled_limit_bytes.store(limit_bytes.unwrap_or(0), Ordering::Relaxed);
        Sample {
            live_bytes,
            active_bytes: Some(live_bytes + gap_bytes),
            dirty_bytes: Some(dirty_bytes),
            working_set_bytes: Some(live_bytes + gap_bytes + dirty_bytes + outside_bytes),
            limit_bytes,
            ..Sample::default()
        }
    }

    fn limits(&self) -> Arc<LimitReport> {
        let bytes = match self.0.limit_bytes.load(Ordering::Relaxed) {
            0 => LIMIT_BYTES,
            bytes => bytes,
        };
        let answer = LimitAnswer::Limited { bytes, place: "made up".to_owned() };
        let candidate = LimitCandidate { source: LimitSource::Cgroup, answer };
        Arc::new(LimitReport::decide(vec![candidate]))
    }

    fn has_limit_changed(&mut self) -> bool {
        self.0.looks.fetch_add(1, Ordering::Relaxed);
        let sampled_bytes = self.0.sampled_limit_bytes.load(Ordering::Relaxed);
        self.limits().limit_bytes != Some(sampled_bytes)
    }

    fn unavailable(&self) -> Arc<Unavailable> {
        Arc::default()
    }

    fn held_bytes(&mut self) -> u64 {
        self.0.live_bytes.load(Ordering::Relaxed) + self.charged_bytes(None)
    }

    fn held_bytes_of(&mut self, tag: &str) -> u64 {
        let over = self.0.tags_over.lock().unwrap();
        let held = over.iter().find(|excess| excess.tag == tag).map_or(0, |e| e.held_bytes);
        held.saturating_sub(self.0.freed_bytes.load(Ordering::Relaxed))
    }

    fn tags_over_budget(&mut self) -> Vec<TagExcess> {
        let freed_bytes = self.0.freed_bytes.load(Ordering::Relaxed);
        let mut over = self.0.tags_over.lock().unwrap().clone();
        over.retain(|excess| excess.held_bytes.saturating_sub(freed_bytes) > excess.budget_bytes);
        over
    }

    fn live_bytes_of_tags(&mut self) -> Vec<TagReading> {
        self.0.tag_readings.fetch_add(1, Ordering::Relaxed);
        self.0.live_bytes_of_tags.lock().unwrap().clone()
    }

    fn live_bytes_of_sites(&mut self) -> Vec<SiteReading> {
        self.0.live_bytes_of_sites.lock().unwrap().clone()
    }

    fn dirty_bytes(&mut self) -> Option<u64> {
        Some(self.0.dirty_bytes.load(Ordering::Relaxed))
    }

    fn collect(&mut self, how: Collect) -> Collected {
        self.0.collections.lock().unwrap().push(how);
        if how == Collect::Purge {
            self.0.dirty_bytes.store(0, Ordering::Relaxed);
        }
        Collected::Done
    }

    fn collect_part(&mut self, how: Collect, part: usize) -> Option<Collected> {
        if part >= PARTS {
            return None;
        }
        if part == 0 {
            self.collect(how);
        }
        if self.0.flag_at_part.lock().unwrap().take_if(|at| *at == part).is_some() {
            self.0.pending.store(true, Ordering::Relaxed);
        }
        self.0.collected_parts.lock().unwrap().push(part);
        if let Some((clock, time)) = &*self.0.part_takes.lock().unwrap() {
            clock.advance(*time);
        }
        Some(Collected::Done)
    }

    fn collect_tag(&mut self, tag: &TagHandle) {
        let parts = self.collected_parts().len();
        self.0.collected_tags.lock().unwrap().push((tag.name().into_owned(), parts));
    }

    fn net_freed_by_this_thread(&mut self, _: Option<&TagHandle>) -> Option<i64> {
        Some(self.0.freed_bytes.load(Ordering::Relaxed) as i64)
    }

    fn charged_bytes(&mut self, _: Option<&TagHandle>) -> u64 {
        self.0.charged_bytes.load(Ordering::Relaxed)
    }
}

/// A cache of a made-up process: holds a number of bytes, and frees what it is asked for.
pub(crate) struct FakeCache {
    process: FakeProcess,
    held_bytes: AtomicU64,
    /// Claims to free, and frees nothing.
    pub(crate) lies: AtomicBool,
    pub(crate) is_busy: AtomicBool,
    pub(crate) requests: Mutex<Vec<PurgeRequest>>,
}

impl FakeCache {
    pub(crate) fn new(process: &FakeProcess, held_mib: u64) -> Arc<Self> {
        Arc::new(Self {
            process: process.clone(),
            held_bytes: AtomicU64::new(held_mib * MIB),
            lies: AtomicBool::new(false),
            is_busy: AtomicBool::new(false),
            requests: Mutex::new(Vec::new()),
        })
    }

    pub(crate) fn asked_bytes(&self) -> Vec<u64> {
        self.requests.lock().unwrap().iter().map(|request| request.target_bytes).collect()
    }

    pub(crate) fn purgeable_mib(&self) -> u64 {
        self.purgeable_bytes() / MIB
    }

    pub(crate) fn entry(self: &Arc<Self>, name: &'static str) -> Entry {
        Entry::new(name, Arc::clone(self) as Arc<dyn Purgeable>)
    }
}

impl Purgeable for FakeCache {
    fn purgeable_bytes(&self) -> u64 {
        self.held_bytes.load(Ordering::Relaxed)
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        self.requests.lock().unwrap().push(request.clone());
        if self.is_busy.load(Ordering::Relaxed) {
            return PurgeOutcome::Busy;
        }
        let bytes = request.target_bytes.min(self.purgeable_bytes());
        if bytes == 0 {
            return PurgeOutcome::Empty;
        }
        if !self.lies.load(Ordering::Relaxed) {
            self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.process.free(bytes);
        }
        PurgeOutcome::Freed(bytes)
    }
}

/// What panics with another of its kind whenever it is dropped: the payload of a panic at its
/// worst.
pub(crate) struct PanicsWhenDropped;

impl PanicsWhenDropped {
    /// Panics with one.
    pub(crate) fn throw() {
        resume_unwind(Box::new(Self));
    }
}

impl Drop for PanicsWhenDropped {
    fn drop(&mut self) {
        Self::throw();
    }
}
