//! When a cleanup stops, what it reports, and when pages go back.

use bursar_alloc::{Collect, Tag};

use super::*;
use crate::pressure::{Diagnosis, PressureLevel};
use crate::registry::{Entry, Registration, Registry};
use crate::testing::{FakeCache, FakeClock, FakeProcess, MIB};

struct Setting {
    process: FakeProcess,
    registry: Registry,
    clock: FakeClock,
    registrations: Vec<Registration>,
}

impl Setting {
    fn with_live_mib(mib: u64) -> Self {
        let process = FakeProcess::default();
        process.set_live_mib(mib);
        let (registry, clock) = (Registry::default(), FakeClock::default());
        Self { process, registry, clock, registrations: Vec::new() }
    }

    fn register(&mut self, entry: Entry) {
        self.registrations.push(self.registry.register(entry).unwrap());
    }

    fn cache(&mut self, name: &'static str, held_mib: u64) -> Arc<FakeCache> {
        let cache = FakeCache::new(&self.process, held_mib);
        self.register(cache.entry(name));
        cache
    }

    fn run(&mut self, plan: &Plan) -> CleanupReport {
        let slots = self.registry.slots();
        self.run_on(plan, &slots, false)
    }

    fn run_on(&mut self, plan: &Plan, slots: &[Arc<Slot>], observe_only: bool) -> CleanupReport {
        let (profile, shared) = (Profile::default(), Shared::default());
        let sources = &mut self.process;
        let mut cleanup = Cleanup::new(plan, slots, sources, &self.clock, &profile, &shared);
        cleanup.observe_only = observe_only;
        cleanup.run()
    }
}

fn trim(level: PressureLevel, target_mib: u64, max_mib: &[u64]) -> Plan {
    let asks = max_mib
        .iter()
        .enumerate()
        .map(|(index, mib)| Ask { index, max_bytes: mib * MIB })
        .collect();
    Plan {
        level,
        diagnosis: Diagnosis::Live,
        tag: None,
        target_bytes: target_mib * MIB,
        purges_pages: level > PressureLevel::Warning,
        stages: vec![PlannedStage { stage: Stage::Trim, asks }],
    }
}

#[test]
fn it_stops_at_the_target_to_the_byte_and_asks_nobody_after() {
    let mut setting = Setting::with_live_mib(80);
    let first = setting.cache("first", 30);
    let second = setting.cache("second", 30);
    let report = setting.run(&trim(PressureLevel::Warning, 10, &[10, 10]));
    assert_eq!(setting.process.live_mib(), 70);
    assert_eq!(first.asked_bytes(), [10 * MIB]);
    assert!(second.asked_bytes().is_empty());
    assert_eq!(report.freed_bytes, 10 * MIB);
    assert_eq!((report.held_bytes_before, report.held_bytes_after), (80 * MIB, 70 * MIB));
}

#[test]
fn each_is_asked_for_what_is_still_missing_and_at_most_its_share() {
    let mut setting = Setting::with_live_mib(80);
    let first = setting.cache("first", 30);
    let second = setting.cache("second", 30);
    setting.run(&trim(PressureLevel::Warning, 10, &[4, 20]));
    assert_eq!(first.asked_bytes(), [4 * MIB]);
    assert_eq!(second.asked_bytes(), [6 * MIB]);
}

#[test]
fn a_claim_that_nothing_came_of_is_reported_beside_what_was_measured() {
    let mut setting = Setting::with_live_mib(80);
    let liar = setting.cache("liar", 30);
    liar.lies.store(true, std::sync::atomic::Ordering::Relaxed);
    let report = setting.run(&trim(PressureLevel::Warning, 10, &[10]));
    let purge = &report.stages[0].purges[0];
    assert_eq!((purge.claimed_bytes, purge.measured_bytes), (10 * MIB, Some(0)));
    assert_eq!(report.freed_bytes, 0);
}

#[test]
fn a_later_stage_runs_only_if_the_target_was_not_reached() {
    let stages = |first_mib| {
        let mut setting = Setting::with_live_mib(80);
        let _cache = setting.cache("cache", 30);
        let mut plan = trim(PressureLevel::Critical, 10, &[first_mib]);
        let asks = vec![Ask { index: 0, max_bytes: u64::MAX }];
        plan.stages.push(PlannedStage { stage: Stage::Release, asks });
        let report = setting.run(&plan);
        report.stages.iter().map(|stage| stage.stage).collect::<Vec<_>>()
    };
    assert_eq!(stages(10), [Stage::Trim]);
    assert_eq!(stages(9), [Stage::Trim, Stage::Release]);
}

#[test]
fn the_memory_of_tags_that_were_trimmed_is_given_back_before_all_other() {
    static TRIMMED: Tag = Tag::new("trimmed").isolated();
    static LEFT_ALONE: Tag = Tag::new("left-alone").isolated();
    let mut setting = Setting::with_live_mib(80);
    let caches =
        [(&TRIMMED, "trimmed", 30), (&TRIMMED, "empty", 0), (&LEFT_ALONE, "left-alone", 30)];
    for (tag, name, held_mib) in caches {
        let cache = FakeCache::new(&setting.process, held_mib);
        setting.register(cache.entry(name).tag(tag));
    }
    // In the order of their names.
    setting.run(&trim(PressureLevel::Warning, 10, &[5, 0, 5]));
    assert_eq!(setting.process.collected_tags(), [("trimmed".to_owned(), 0)]);
    assert!(!setting.process.collected_parts().is_empty());
}

#[test]
fn a_stage_ends_with_the_pages_that_are_due_or_with_all_as_the_plan_says() {
    for (level, how) in
        [(PressureLevel::Warning, Collect::Decay), (PressureLevel::Critical, Collect::Purge)]
    {
        let mut setting = Setting::with_live_mib(80);
        let _cache = setting.cache("cache", 30);
        let report = setting.run(&trim(level, 10, &[10]));
        assert_eq!(setting.process.collections(), [how]);
        let collected = if how == Collect::Purge { 10 * MIB } else { 0 };
        assert_eq!(report.collected_bytes, Some(collected));
    }
}

#[test]
fn giving_pages_back_ends_early_when_usage_reaches_the_next_watermark() {
    let mut setting = Setting::with_live_mib(80);
    let _cache = setting.cache("cache", 30);
    let mut plan = trim(PressureLevel::Critical, 40, &[10]);
    let asks = vec![Ask { index: 0, max_bytes: u64::MAX }];
    plan.stages.push(PlannedStage { stage: Stage::Release, asks });
    assert!(!setting.run(&plan).is_cut_short);
    assert_eq!(setting.process.collected_parts(), [0, 1, 2, 0, 1, 2]);

    setting.process.raise_flag_at_part(1);
    let report = setting.run(&plan);
    assert!(report.is_cut_short);
    assert_eq!(setting.process.collected_parts()[6..], [0, 1]);
    assert_eq!(report.stages.len(), 1, "and the monitor looks anew");
}

#[test]
fn one_that_panics_is_reported_and_the_next_is_asked() {
    struct Fragile;
    impl crate::purge::Purgeable for Fragile {
        fn purgeable_bytes(&self) -> u64 {
            MIB
        }
        fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
            std::panic::resume_unwind(Box::new("as expected"))
        }
    }
    let mut setting = Setting::with_live_mib(80);
    setting.register(Entry::new("fragile", Arc::new(Fragile)));
    let second = setting.cache("second", 30);
    let report = setting.run(&trim(PressureLevel::Warning, 10, &[10, 10]));
    assert_eq!(report.stages[0].purges[0].status, PurgeStatus::Panicked);
    assert_eq!(second.asked_bytes(), [10 * MIB]);
    assert_eq!(setting.process.live_mib(), 70);
}

#[test]
fn one_that_was_unregistered_meanwhile_is_passed_over() {
    let mut setting = Setting::with_live_mib(80);
    let gone = setting.cache("gone", 30);
    let slots = setting.registry.slots();
    setting.registrations.clear();
    let plan = trim(PressureLevel::Warning, 10, &[10]);
    let report = setting.run_on(&plan, &slots, false);
    assert!(report.stages[0].purges.is_empty());
    assert!(gone.asked_bytes().is_empty());
}

#[test]
fn in_observe_only_mode_it_says_whom_it_would_ask_and_asks_nobody() {
    let mut setting = Setting::with_live_mib(80);
    let cache = setting.cache("cache", 30);
    let slots = setting.registry.slots();
    let report = setting.run_on(&trim(PressureLevel::Critical, 10, &[10]), &slots, true);
    assert!(cache.asked_bytes().is_empty());
    assert!(setting.process.collections().is_empty());
    let purge = &report.stages[0].purges[0];
    assert_eq!((purge.status, purge.asked_bytes), (PurgeStatus::Observed, 10 * MIB));
    assert!(report.observed_only && report.freed_bytes == 0);
    assert!(report.to_string().contains("cache would be asked for 10.0 MiB"), "{report}");
}

#[test]
fn bytes_that_a_callback_gives_up_outside_the_heap_count_as_freed() {
    struct Mapping(FakeProcess);
    impl crate::purge::Purgeable for Mapping {
        fn purgeable_bytes(&self) -> u64 {
            8 * MIB
        }
        fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
            self.0.set_charged_mib(12);
            PurgeOutcome::Freed(8 * MIB)
        }
    }
    let mut setting = Setting::with_live_mib(60);
    setting.process.set_charged_mib(20);
    setting.register(Entry::new("mapping", Arc::new(Mapping(setting.process.clone()))));
    let second = setting.cache("second", 30);
    let report = setting.run(&trim(PressureLevel::Warning, 8, &[8, 8]));
    assert_eq!(report.freed_bytes, 8 * MIB);
    assert_eq!((report.held_bytes_before, report.held_bytes_after), (80 * MIB, 72 * MIB));
    assert!(second.asked_bytes().is_empty());
}

#[test]
fn a_callback_is_told_when_its_answer_is_due() {
    let mut setting = Setting::with_live_mib(80);
    let cache = setting.cache("cache", 30);
    setting.run(&trim(PressureLevel::Warning, 10, &[10]));
    assert!(cache.requests.lock().unwrap()[0].deadline.is_some());
}

#[test]
fn one_that_freed_nothing_is_passed_over_for_a_while_and_one_that_was_busy_is_not() {
    struct Busy;
    impl crate::purge::Purgeable for Busy {
        fn purgeable_bytes(&self) -> u64 {
            MIB
        }
        fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
            PurgeOutcome::Busy
        }
    }
    let mut setting = Setting::with_live_mib(80);
    setting.register(Entry::new("busy", Arc::new(Busy)));
    let liar = setting.cache("liar", 30);
    liar.lies.store(true, std::sync::atomic::Ordering::Relaxed);
    setting.run(&trim(PressureLevel::Warning, 10, &[MIB, 10]));
    let slots = setting.registry.slots();
    let [busy, liar] = [&slots[0], &slots[1]];
    assert_eq!(busy.cooldown(), None);
    let cooldown = liar.cooldown().unwrap();
    assert!(cooldown.reason.contains("freed none"), "{}", cooldown.reason);
    assert!(liar.is_cooling_down(PressureLevel::Warning, setting.clock.now()));
    assert!(!liar.is_cooling_down(PressureLevel::Critical, setting.clock.now()));
}

/// Frees whole entries of one size, as a cache does.
struct Grained {
    process: FakeProcess,
    entry_bytes: u64,
    entries: std::sync::atomic::AtomicU64,
}

impl crate::purge::Purgeable for Grained {
    fn purgeable_bytes(&self) -> u64 {
        self.entries.load(std::sync::atomic::Ordering::Relaxed) * self.entry_bytes
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let held = self.entries.load(std::sync::atomic::Ordering::Relaxed);
        let entries = request.target_bytes.div_ceil(self.entry_bytes).min(held);
        if entries == 0 {
            return PurgeOutcome::Empty;
        }
        self.entries.fetch_sub(entries, std::sync::atomic::Ordering::Relaxed);
        self.process.free(entries * self.entry_bytes);
        PurgeOutcome::Freed(entries * self.entry_bytes)
    }
}

proptest::proptest! {
    #[test]
    fn a_cleanup_frees_its_target_if_it_can_and_passes_it_by_less_than_one_callback(
        caches in proptest::collection::vec((1u64..200_000, 0u64..300, -2i8..2), 1..12),
        footprint_mib in 70u64..96,
    ) {
        let mut setting = Setting::with_live_mib(footprint_mib);
        for (index, &(entry_bytes, entries, priority)) in caches.iter().enumerate() {
            let process = setting.process.clone();
            let grained = Grained { process, entry_bytes, entries: entries.into() };
            let entry = Entry::new(format!("cache-{index:02}"), Arc::new(grained));
            setting.register(entry.priority(priority));
        }
        let slots = setting.registry.slots();
        let candidates: Vec<_> =
            slots.iter().enumerate().map(|(index, slot)| slot.candidate(index)).collect();
        let budget = crate::budget::Budget::new(100 * MIB).unwrap();
        let usage = footprint_mib as f64 / 100.0;
        let level = crate::pressure::level_reached(usage, budget.profile());
        let sample = crate::pressure::Sample {
            live_bytes: footprint_mib * MIB,
            ..Default::default()
        };
        let plan = crate::ladder::Ladder::default()
            .plan(level, Diagnosis::Live, &sample, &budget, &candidates);
        proptest::prop_assert_eq!(plan.is_none(), caches.iter().all(|cache| cache.1 == 0));
        let Some(plan) = plan else { return Ok(()) };

        let report = setting.run_on(&plan, &slots, false);
        let purges: Vec<_> = report.stages.iter().flat_map(|stage| &stage.purges).collect();
        let last = purges.last().unwrap();
        proptest::prop_assert!(report.freed_bytes - last.freed_bytes() < plan.target_bytes);
        if last.asked_bytes != u64::MAX {
            let index = slots.iter().position(|slot| slot.name() == last.name).unwrap();
            proptest::prop_assert!(report.freed_bytes < plan.target_bytes + caches[index].0);
        }
        let could_give: u64 = plan.stages.iter().flat_map(|stage| &stage.asks)
            .map(|ask| ask.max_bytes.min(candidates[ask.index].purgeable_bytes)).sum();
        proptest::prop_assert!(report.freed_bytes >= plan.target_bytes.min(could_give)
            || plan.stages.len() > 1);
    }
}
