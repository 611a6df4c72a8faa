//! What keeps cleanups from taking too much: of a core, of who has nothing; and what hurries them.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable};
use crate::registry::Entry;

/// Frees a little, and takes its time.
struct Slow {
    process: FakeProcess,
    clock: Arc<FakeClock>,
    shared: Arc<Shared>,
    has_shown_as_stalled: AtomicBool,
}

impl Slow {
    fn register(setting: &Setting) -> (Arc<Self>, Registration) {
        let slow = Arc::new(Self {
            process: setting.process.clone(),
            clock: Arc::clone(&setting.clock),
            shared: Arc::clone(&setting.shared),
            has_shown_as_stalled: AtomicBool::new(false),
        });
        let entry = Entry::new("slow", Arc::clone(&slow) as Arc<dyn Purgeable>);
        let registration = setting.registry.register(entry).unwrap();
        (slow, registration)
    }
}

impl Purgeable for Slow {
    fn purgeable_bytes(&self) -> u64 {
        100 * MIB
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        self.process.free(3 * MIB);
        self.clock.advance(2 * SECOND);
        let stall = self.shared.lock().stall(self.clock.now(), SECOND);
        let shows =
            stall.is_some_and(|stall| stall.name == "slow" && stall.running_for == 2 * SECOND);
        self.has_shown_as_stalled.store(shows, Ordering::Relaxed);
        PurgeOutcome::Freed(3 * MIB)
    }
}

#[test]
fn cleanups_past_their_share_of_a_core_wait_but_for_an_emergency() {
    let mut setting = setting();
    let (_slow, _registration) = Slow::register(&setting);
    setting.process.set_live_mib(90);
    setting.monitor.step();
    assert_eq!(setting.process.live_mib(), 87);
    // Two seconds at a quarter of a core are eight.
    setting.step_after(SECOND);
    assert_eq!(setting.process.live_mib(), 87);
    assert_eq!(setting.shared.lock().deferred_cleanups_total, 1);

    setting.process.set_live_mib(96);
    setting.step_after(SECOND);
    assert!(setting.process.live_mib() < 96, "an emergency does not wait");
    setting.process.set_live_mib(90);
    setting.step_after(60 * SECOND);
    assert_eq!(setting.process.live_mib(), 87, "the share has come back");
}

#[test]
fn a_callback_that_hangs_shows_as_a_stall_while_it_does() {
    let mut setting = setting();
    let (slow, _registration) = Slow::register(&setting);
    setting.process.set_live_mib(90);
    setting.monitor.step();
    assert!(slow.has_shown_as_stalled.load(Ordering::Relaxed));
    assert_eq!(setting.shared.lock().stall(setting.clock.now(), SECOND), None);
}

#[test]
fn one_that_has_nothing_is_passed_over_while_others_are_asked() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(80);
    let liar = FakeCache::new(&setting.process, 20);
    liar.lies.store(true, Ordering::Relaxed);
    let _liar = setting.registry.register(liar.entry("liar").priority(-1)).unwrap();
    for _ in 0..3 {
        setting.process.set_live_mib(72);
        setting.step_after(SECOND / 10);
    }
    assert_eq!(liar.asked_bytes().len(), 1);
    assert_eq!(cache.asked_bytes().len(), 3);
    setting.process.set_live_mib(72);
    setting.step_after(SECOND);
    assert_eq!(liar.asked_bytes().len(), 2, "its wait is over");
}

#[test]
fn in_an_emergency_nobody_is_passed_over() {
    let mut setting = setting();
    let (_cache, _registration) = setting.cache(1000);
    let liar = FakeCache::new(&setting.process, 20);
    liar.lies.store(true, Ordering::Relaxed);
    let _liar = setting.registry.register(liar.entry("liar").priority(-1)).unwrap();
    for times in 1..=3 {
        setting.process.set_live_mib(97);
        setting.step_after(SECOND / 10);
        assert_eq!(liar.asked_bytes().len(), times);
    }
}

#[test]
fn a_cleanup_that_was_cut_short_is_followed_by_a_look_at_once() {
    let mut setting = setting();
    let (_cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(85);
    setting.process.raise_flag_at_part(0);
    assert_eq!(setting.monitor.step(), Duration::ZERO);
    assert!(setting.monitor.step() > Duration::ZERO);
}

#[test]
fn what_cleanups_take_back_does_not_hide_how_fast_usage_grows() {
    let mut setting = setting_with(|settings| {
        let profile = Profile { growth_horizon: SECOND, ..Profile::default() };
        settings.budget = settings.budget.clone().with_profile(profile).unwrap();
    });
    let (cache, _registration) = setting.cache(1000);
    setting.process.set_live_mib(20);
    for _ in 0..200 {
        setting.process.set_live_mib(setting.process.live_mib() + 1);
        setting.step_after(Duration::from_millis(10));
    }
    let levels: Vec<_> = cache.requests.lock().unwrap().iter().map(|asked| asked.level).collect();
    assert!(levels.len() > 3, "{levels:?}");
    assert!(levels.iter().all(|&level| level == PressureLevel::Critical), "{levels:?}");
}

#[test]
fn usage_that_is_about_to_reach_the_emergency_is_met_one_level_up() {
    let met_at = |step: Duration| {
        let mut setting = setting();
        let (cache, _registration) = setting.cache(80);
        for live_mib in 20..=89 {
            setting.process.set_live_mib(live_mib);
            // Nobody asks at the levels below, so that it grows on.
            let busy = live_mib < 89;
            cache.is_busy.store(busy, Ordering::Relaxed);
            setting.step_after(step);
        }
        let request = cache.requests.lock().unwrap().last().unwrap().clone();
        request.level
    };
    assert_eq!(met_at(Duration::from_millis(2)), PressureLevel::Emergency);
    assert_eq!(met_at(SECOND / 5), PressureLevel::Critical);
}

#[test]
fn a_clock_that_jumps_by_years_ends_every_wait_and_harms_nothing() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(60);
    cache.lies.store(true, Ordering::Relaxed);
    setting.process.set_live_mib(75);
    setting.monitor.step();
    cache.lies.store(false, Ordering::Relaxed);
    setting.step_after(Duration::from_secs(10 * 365 * 24 * 3600));
    assert!(setting.process.live_mib() < 65, "{}", setting.process.live_mib());
    setting.step_after(SECOND);
    assert_eq!(setting.level(), PressureLevel::Normal);
}

#[test]
fn under_a_load_that_oscillates_around_a_watermark_a_level_falls_at_most_once_a_dwell() {
    let mut setting = setting();
    let mut changes = Vec::new();
    let mut level = PressureLevel::Normal;
    for step in 0..600_u64 {
        setting.process.set_live_mib(if step % 2 == 0 { 75 } else { 50 });
        setting.step_after(SECOND / 20);
        if setting.level() < level {
            changes.push(setting.clock.now());
        } else if setting.level() > level {
            assert_eq!(step % 2, 0, "upward at once");
        }
        level = setting.level();
    }
    assert!(changes.windows(2).all(|pair| pair[1] - pair[0] >= SECOND), "{changes:?}");
    assert!((10..=30).contains(&changes.len()), "{}", changes.len());
}

#[test]
fn the_monitor_rests_less_the_sooner_usage_reaches_the_next_watermark() {
    let rest = |step_mib: u64| {
        let mut setting = setting();
        let mut live_mib = 0;
        while live_mib < 60 {
            setting.process.set_live_mib(live_mib);
            setting.step_after(Duration::from_millis(5));
            live_mib += step_mib;
        }
        setting.monitor.rest()
    };
    assert_eq!(rest(20), SHORTEST_REST);
    assert_eq!(rest(1), LONGEST_REST);
}
