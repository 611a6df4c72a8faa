//! When a cleanup stops, what it reports, and when pages go back.

use bursar_alloc::Collect;

use super::*;
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
        let (sources, clock) = (&mut self.process, &self.clock);
        Cleanup { plan, slots: &slots, sources, clock }.run()
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
        target_bytes: target_mib * MIB,
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
    assert_eq!((report.live_bytes_before, report.live_bytes_after), (80 * MIB, 70 * MIB));
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
fn a_warning_lets_pages_decay_and_a_critical_level_purges_them() {
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
    let (sources, clock) = (&mut setting.process, &setting.clock);
    let report = Cleanup { plan: &plan, slots: &slots, sources, clock }.run();
    assert!(report.stages[0].purges.is_empty());
    assert!(gone.asked_bytes().is_empty());
}
