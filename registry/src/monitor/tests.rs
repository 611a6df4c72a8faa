//! Steps on a made-up process and a clock that is set.

mod asked;
mod caps;
mod deferred;
mod due;
mod live;
mod lowered;
mod quiet;
mod tags;

use std::sync::atomic::Ordering;

use bursar_alloc::Collect;

use super::*;
use crate::registry::Registration;
use crate::testing::{FakeCache, FakeClock, FakeProcess, MIB};

struct Setting {
    process: FakeProcess,
    registry: Registry,
    clock: Arc<FakeClock>,
    shared: Arc<Shared>,
    monitor: Monitor,
}

/// A budget of 100 MiB in a container of 120.
fn setting() -> Setting {
    setting_with(|_| ())
}

fn setting_with(change: impl FnOnce(&mut Settings)) -> Setting {
    let process = FakeProcess::default();
    let registry = Registry::default();
    let clock = Arc::new(FakeClock::default());
    let shared = Arc::new(Shared::default());
    let mut settings =
        Settings { budget: Budget::new(100 * MIB).unwrap(), config: Config::default() };
    change(&mut settings);
    let monitor = Monitor::new(
        settings,
        registry.clone(),
        Box::new(process.clone()),
        Arc::clone(&clock) as Arc<dyn Clock>,
        Arc::clone(&shared),
    );
    Setting { process, registry, clock, shared, monitor }
}

impl Setting {
    fn cache(&self, held_mib: u64) -> (Arc<FakeCache>, Registration) {
        let cache = FakeCache::new(&self.process, held_mib);
        let registration = self.registry.register(cache.entry("cache")).unwrap();
        (cache, registration)
    }

    fn step_after(&mut self, wait: Duration) -> Duration {
        self.clock.advance(wait);
        self.monitor.step()
    }

    fn level(&self) -> PressureLevel {
        self.shared.lock().pressure.level
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn below_the_watermark_nothing_is_asked_and_the_rhythm_is_slow() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(69);
    assert_eq!(setting.monitor.step(), Duration::from_secs(5));
    assert!(cache.asked_bytes().is_empty());
    assert_eq!(setting.level(), PressureLevel::Normal);
}

#[test]
fn at_the_watermark_exactly_the_cache_is_trimmed_and_the_level_left_after_its_dwell() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(70);
    assert_eq!(setting.monitor.step(), INTERVAL_UNDER_PRESSURE);
    assert_eq!(cache.asked_bytes().len(), 1);
    assert!((57..60).contains(&setting.process.live_mib()), "{}", setting.process.live_mib());
    assert_eq!(setting.level(), PressureLevel::Warning);
    assert_eq!(setting.shared.lock().cleanups_total, 1);

    assert_eq!(setting.step_after(SECOND), Duration::from_secs(5));
    assert_eq!(setting.level(), PressureLevel::Normal);
    assert_eq!(cache.asked_bytes().len(), 1, "below the watermark nothing more is asked");
}

#[test]
fn dirty_pages_are_collected_and_the_cache_keeps_every_entry() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(60);
    setting.process.set_dirty_mib(55);
    setting.monitor.step();
    assert!(cache.asked_bytes().is_empty());
    assert_eq!(setting.process.collections(), [Collect::Purge]);
    let status = setting.shared.lock();
    let report = status.history.last_cleanup().unwrap();
    assert_eq!(report.diagnosis, Diagnosis::Dirty);
    assert_eq!(report.collected_bytes, Some(55 * MIB));
    assert_eq!(status.freed_bytes_total, 0);
}

#[test]
fn pressure_from_outside_costs_the_cache_nothing_until_it_is_critical() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(50);
    setting.process.set_live_mib(50);
    setting.process.set_outside_mib(40);
    setting.monitor.step();
    assert!(cache.asked_bytes().is_empty());
    setting.process.set_outside_mib(60);
    setting.step_after(SECOND);
    assert!(!cache.asked_bytes().is_empty());
}

#[test]
fn a_futile_cleanup_is_not_repeated_before_its_cooldown_which_doubles_up_to_the_longest() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    cache.lies.store(true, Ordering::Relaxed);
    setting.process.set_live_mib(75);
    setting.monitor.step();
    assert_eq!(cache.asked_bytes().len(), 1);
    setting.step_after(SECOND / 2);
    assert_eq!(cache.asked_bytes().len(), 1, "still waiting");
    let reason = setting.shared.lock().cooldown.clone().unwrap().reason;
    assert!(reason.contains("freed 0 B of 12.0 MiB"), "{reason}");

    let mut waits = Vec::new();
    for _ in 0..8 {
        let wait = setting.shared.lock().cooldown.clone().unwrap().wait;
        waits.push(wait.as_secs());
        setting.step_after(wait);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(cache.asked_bytes().len(), 9);
}

#[test]
fn a_higher_level_does_not_wait_for_a_lower_ones_cooldown() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    cache.lies.store(true, Ordering::Relaxed);
    setting.process.set_live_mib(75);
    setting.monitor.step();
    cache.lies.store(false, Ordering::Relaxed);
    setting.process.set_live_mib(81);
    setting.step_after(SECOND / 10);
    assert_eq!(cache.asked_bytes().len(), 2);
    assert!(setting.process.live_mib() < 60);
    assert!(setting.shared.lock().cooldown.is_none());
}

#[test]
fn with_nothing_registered_it_says_so_and_does_not_spin() {
    let mut setting = setting();
    setting.process.set_live_mib(99);
    setting.monitor.step();
    for _ in 0..100 {
        setting.step_after(SECOND / 200);
    }
    let status = setting.shared.lock();
    assert_eq!(status.pressure.level, PressureLevel::Emergency);
    assert_eq!(status.futile_cleanups_total, 3, "at 0, 0.1 and 0.3 seconds");
    assert!(status.cooldown.as_ref().unwrap().reason.contains("nothing that is registered"));
}

#[test]
fn after_a_spike_the_next_warning_costs_no_more_than_a_warning() {
    let mut setting = setting();
    let spent = FakeCache::new(&setting.process, 90);
    let _spent = setting.registry.register(spent.entry("spent")).unwrap();
    setting.process.set_live_mib(96);
    setting.monitor.step();
    assert_eq!(setting.level(), PressureLevel::Emergency);
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(70);
    setting.step_after(SECOND / 10);
    assert_eq!(setting.level(), PressureLevel::Emergency, "still within its dwell");
    assert_eq!(cache.asked_bytes().len(), 1);
    assert!(setting.process.live_mib() > 55, "{}", setting.process.live_mib());
}

#[test]
fn pages_that_were_not_to_be_had_do_not_hold_up_a_trim() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(60);
    setting.process.set_outside_mib(30);
    setting.monitor.step();
    let cooldown = setting.shared.lock().cooldown.clone().unwrap();
    assert!(cooldown.reason.contains("collecting gave back"), "{}", cooldown.reason);
    assert!(cache.asked_bytes().is_empty());

    setting.process.set_live_mib(71);
    setting.step_after(SECOND / 10);
    assert_eq!(cache.asked_bytes().len(), 1, "entries press now");

    // The trim was worth its while, and says nothing of pages.
    let collections = setting.process.collections().len();
    setting.process.set_live_mib(60);
    setting.process.set_dirty_mib(0);
    setting.step_after(SECOND / 10);
    assert_eq!(setting.process.collections().len(), collections, "their wait goes on");
}

#[test]
fn fragmentation_does_not_hold_up_a_trim_once_live_blocks_alone_press() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(60);
    setting.process.set_gaps_mib(12);
    setting.monitor.step();
    assert_eq!(cache.asked_bytes().len(), 1);
    setting.step_after(SECOND / 10);
    assert_eq!(cache.asked_bytes().len(), 1, "a second trim would free as little");
    setting.process.set_gaps_mib(0);
    setting.process.set_live_mib(72);
    setting.step_after(SECOND / 10);
    assert_eq!(cache.asked_bytes().len(), 2);
}

#[test]
fn a_cache_is_not_trimmed_on_and_on_for_pages_that_do_not_come_free() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(60);
    setting.process.set_gaps_mib(20);
    setting.monitor.step();
    assert_eq!(cache.asked_bytes().len(), 1);
    for _ in 0..50 {
        setting.step_after(SECOND / 100);
    }
    assert_eq!(cache.asked_bytes().len(), 1);
    setting.step_after(SECOND);
    let cooldown = setting.shared.lock().cooldown.clone().unwrap();
    assert_eq!(cooldown.wait, 2 * SECOND, "the wait doubles");
    assert!(cooldown.reason.contains("fragmentation"), "{}", cooldown.reason);
}

#[test]
fn readings_changes_of_level_and_cleanups_go_into_the_history() {
    let mut setting = setting();
    let (_cache, _registration) = setting.cache(60);
    setting.monitor.step();
    setting.process.set_live_mib(71);
    setting.step_after(SECOND);
    setting.step_after(SECOND);
    let history = setting.shared.lock().history.clone();
    let levels: Vec<_> = history.level_changes().map(|change| change.to).collect();
    assert_eq!(levels, [PressureLevel::Warning, PressureLevel::Normal]);
    assert_eq!(history.cleanups().count(), 1);
    let live: Vec<_> = history.samples().map(|point| point.sample.live_bytes / MIB).collect();
    assert_eq!(live[..2], [0, 71], "the reading before the cleanup, not the lower one after");
}
