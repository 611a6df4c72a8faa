//! What is asked for without waiting, and what is put off while requests run.

use super::*;
use crate::asks::PurgeDeferral;
use crate::pressure::TagExcess;
use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable};
use crate::registry::Entry;

const MS: Duration = Duration::from_millis(1);

impl Setting {
    fn deferral(&self) -> PurgeDeferral {
        PurgeDeferral::begin(self.shared.asks())
    }

    fn deferrals_total(&self) -> u64 {
        self.shared.lock().purge_deferrals_total
    }
}

#[test]
fn a_reclaim_that_is_asked_for_is_made_by_the_next_step_once_however_little_is_used() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(40);
    setting.process.set_live_mib(40);
    setting.shared.asks().ask_reclaim(PressureLevel::Warning);
    setting.shared.asks().ask_reclaim(PressureLevel::Critical);
    setting.shared.asks().ask_reclaim(PressureLevel::Warning);
    assert!(cache.asked_bytes().is_empty());
    assert!(setting.monitor.take_pending(), "it need not wait to be woken");
    setting.monitor.step();
    assert_eq!(cache.asked_bytes().len(), 1);
    {
        let status = setting.shared.lock();
        let report = status.history.last_cleanup().unwrap();
        assert_eq!((report.level, status.cleanups_total), (PressureLevel::Critical, 1));
        assert_eq!(status.pressure.level, PressureLevel::Normal);
    }
    assert!(!setting.monitor.take_pending());
    setting.step_after(SECOND);
    assert_eq!(cache.asked_bytes().len(), 1);
}

#[test]
fn a_collection_that_is_asked_for_gives_every_page_back_asks_nobody_and_is_reported() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(40);
    setting.process.set_live_mib(40);
    setting.process.set_dirty_mib(30);
    setting.shared.asks().ask_collect();
    setting.shared.asks().ask_collect();
    setting.monitor.step();
    assert!(cache.asked_bytes().is_empty());
    let purges = setting.process.collections().iter().filter(|how| **how == Collect::Purge).count();
    assert_eq!(purges, 1);
    let status = setting.shared.lock();
    let report = status.history.last_cleanup().unwrap();
    assert_eq!((report.level, report.collected_bytes), (PressureLevel::Normal, Some(30 * MIB)));
    assert_eq!((status.cleanups_total, status.futile_cleanups_total), (1, 0));
}

#[test]
fn what_is_asked_for_is_only_reported_where_nothing_is_to_be_purged() {
    let mut setting = setting_with(|settings| settings.config.observe_only = true);
    let (cache, _registration) = setting.cache(40);
    setting.process.set_live_mib(40);
    setting.process.set_dirty_mib(30);
    setting.shared.asks().ask_collect();
    setting.shared.asks().ask_reclaim(PressureLevel::Critical);
    setting.monitor.step();
    assert!(cache.asked_bytes().is_empty());
    assert!(setting.process.collections().is_empty());
    let status = setting.shared.lock();
    assert_eq!(status.cleanups_total, 2);
    assert!(status.history.cleanups().all(|report| report.observed_only));
}

/// Asks for another reclaim each time it is asked itself, and takes its time.
struct Greedy {
    shared: Arc<Shared>,
    clock: Arc<FakeClock>,
    asked: std::sync::atomic::AtomicU32,
}

impl Purgeable for Greedy {
    fn purgeable_bytes(&self) -> u64 {
        100 * MIB
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.clock.advance(SECOND);
        self.shared.asks().ask_reclaim(PressureLevel::Emergency);
        PurgeOutcome::Busy
    }
}

#[test]
fn a_callback_that_asks_for_the_next_reclaim_gets_no_more_than_the_share_of_a_core() {
    let mut setting = setting();
    setting.process.set_live_mib(40);
    let greedy = Arc::new(Greedy {
        shared: Arc::clone(&setting.shared),
        clock: Arc::clone(&setting.clock),
        asked: Default::default(),
    });
    let entry = Entry::new("greedy", Arc::clone(&greedy) as Arc<dyn Purgeable>);
    let _registration = setting.registry.register(entry).unwrap();
    setting.shared.asks().ask_reclaim(PressureLevel::Emergency);
    let mut wait = Duration::ZERO;
    let mut steps = 0;
    while setting.clock.now() < 100 * SECOND {
        wait = setting.step_after(wait);
        assert!(setting.monitor.take_pending() || wait >= INTERVAL_UNDER_PRESSURE);
        steps += 1;
    }
    let spent = greedy.asked.load(Ordering::Relaxed);
    assert!((20..=30).contains(&spent), "{spent} of 100 seconds");
    assert!(steps < 1200, "{steps} steps");
    assert!(setting.shared.lock().deferred_cleanups_total > 0);
}

#[test]
fn a_cleanup_at_warning_is_put_off_while_a_request_runs_and_made_when_the_last_has_ended() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    let (first, second) = (setting.deferral(), setting.deferral());
    setting.process.set_live_mib(75);
    for _ in 0..10 {
        assert_eq!(setting.step_after(100 * MS), INTERVAL_UNDER_PRESSURE);
    }
    drop(first);
    setting.step_after(100 * MS);
    assert!(cache.asked_bytes().is_empty());
    assert_eq!((setting.level(), setting.deferrals_total()), (PressureLevel::Warning, 1));
    assert!(!setting.monitor.take_pending(), "one still runs");

    drop(second);
    assert!(setting.monitor.take_pending(), "the monitor is told at once");
    setting.monitor.step();
    assert_eq!(cache.asked_bytes().len(), 1);
    assert!(setting.shared.lock().cooldown.is_none());
}

#[test]
fn what_is_asked_for_is_put_off_too_and_made_when_the_last_has_ended() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(40);
    setting.process.set_live_mib(40);
    setting.process.set_dirty_mib(30);
    let deferral = setting.deferral();
    setting.shared.asks().ask_collect();
    setting.shared.asks().ask_reclaim(PressureLevel::Warning);
    let wait = setting.monitor.step();
    assert_eq!(wait, 5 * SECOND, "nothing to look for before it is over");
    assert!(!setting.monitor.take_pending());
    assert_eq!(setting.shared.lock().cleanups_total, 0);
    assert_eq!(setting.deferrals_total(), 1);

    drop(deferral);
    setting.monitor.step();
    assert_eq!((setting.shared.lock().cleanups_total, cache.asked_bytes().len()), (2, 1));
    assert!(setting.process.collections().contains(&Collect::Purge));
}

#[test]
fn cleanups_are_put_off_for_no_longer_than_the_maximum_and_each_time_anew() {
    let mut setting = setting_with(|settings| {
        settings.config.max_purge_deferral = 2 * SECOND;
    });
    let (cache, _registration) = setting.cache(1000);
    let _deferral = setting.deferral();
    let mut cleanups_at = Vec::new();
    while setting.clock.now() < 9 * SECOND {
        setting.process.set_live_mib(75);
        setting.process.set_dirty_mib(0); // its pages decay
        assert!(setting.monitor.step() >= INTERVAL_UNDER_PRESSURE);
        setting.clock.advance(INTERVAL_UNDER_PRESSURE);
        if cache.asked_bytes().len() > cleanups_at.len() {
            cleanups_at.push(setting.clock.now().as_millis() / 100 - 1);
        }
    }
    // The one after begins to wait with the next step.
    assert_eq!(cleanups_at, [20, 41, 62, 83]);
    assert_eq!(setting.deferrals_total(), 5);
}

#[test]
fn cleanups_of_a_tag_that_is_over_its_budget_do_not_lengthen_the_wait() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(1000);
    let tag = bursar_alloc::TagHandle::new("deferred/over").unwrap();
    let part = FakeCache::new(&setting.process, 20);
    part.is_busy.store(true, Ordering::Relaxed);
    let entry = Entry::new("part", Arc::clone(&part) as Arc<dyn Purgeable>).tag(tag);
    let _part = setting.registry.register(entry).unwrap();
    setting.process.put_over_budget(TagExcess {
        tag: "deferred/over".to_owned(),
        held_bytes: 20 * MIB,
        budget_bytes: MIB,
        family: vec!["deferred/over".to_owned()],
    });
    let _deferral = setting.deferral();
    for _ in 0..55 {
        setting.process.set_live_mib(75);
        setting.step_after(100 * MS);
    }
    assert!(part.asked_bytes().len() > 1, "the tag is trimmed meanwhile");
    assert!(!cache.asked_bytes().is_empty(), "five seconds have passed");
}

#[test]
fn what_is_asked_for_waits_for_the_maximum_to_the_moment_though_all_is_quiet() {
    let mut setting = setting_with(|settings| {
        settings.config.max_purge_deferral = 2 * SECOND;
    });
    let _deferral = setting.deferral();
    setting.shared.asks().ask_collect();
    let wait = setting.monitor.step();
    assert_eq!(wait, 2 * SECOND);
    assert_eq!(setting.step_after(wait), 5 * SECOND);
    assert_eq!(setting.shared.lock().cleanups_total, 1);
}

#[test]
fn from_critical_on_nothing_is_put_off() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(1000);
    let _deferral = setting.deferral();
    for (times, live_mib) in [(1, 81), (2, 96)] {
        setting.process.set_live_mib(live_mib);
        setting.step_after(SECOND);
        assert_eq!(cache.asked_bytes().len(), times);
    }
    setting.process.set_live_mib(10);
    for (times, level) in [(3, PressureLevel::Critical), (4, PressureLevel::Emergency)] {
        setting.shared.asks().ask_reclaim(level);
        setting.step_after(SECOND);
        assert_eq!(cache.asked_bytes().len(), times);
    }
    assert_eq!(setting.deferrals_total(), 0);
}

#[test]
fn with_a_maximum_of_zero_nothing_is_put_off() {
    let mut setting = setting_with(|settings| {
        settings.config.max_purge_deferral = Duration::ZERO;
    });
    let (cache, _registration) = setting.cache(60);
    let _deferral = setting.deferral();
    setting.process.set_live_mib(75);
    setting.monitor.step();
    assert_eq!((cache.asked_bytes().len(), setting.deferrals_total()), (1, 0));
}

#[test]
fn pressure_that_passes_by_itself_ends_the_wait() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    let _deferral = setting.deferral();
    for times in 1..=5 {
        setting.process.set_live_mib(75);
        setting.step_after(2 * SECOND);
        setting.process.set_live_mib(50);
        setting.step_after(2 * SECOND);
        assert_eq!(setting.deferrals_total(), times);
    }
    assert!(cache.asked_bytes().is_empty(), "none has waited for five seconds");
}

#[test]
fn the_signal_has_the_usage_of_the_last_reading() {
    let mut setting = setting();
    let signal = setting.shared.signal().clone();
    setting.process.set_live_mib(96);
    setting.monitor.step();
    assert!((signal.usage_ratio() - 0.96).abs() < 1e-9);
    setting.process.set_live_mib(50);
    setting.step_after(SECOND / 10);
    assert!((signal.usage_ratio() - 0.5).abs() < 1e-9);
    assert_eq!(signal.level(), PressureLevel::Emergency, "within its dwell");
}
