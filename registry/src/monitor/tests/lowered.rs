//! A limit that comes down below what is in use.

use super::*;

/// The budget follows from the limit, of which it is 90 %.
fn following() -> Setting {
    setting_with(|settings| {
        settings.config.soft_limit_bytes = None;
        settings.budget = Budget::new(108 * MIB).unwrap();
    })
}

#[test]
fn what_is_over_a_lowered_limit_goes_and_the_rest_of_the_cache_stays() {
    let mut setting = following();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(75);
    setting.monitor.step();
    setting.process.set_limit_mib(86);
    assert_eq!(setting.step_after(SECOND), Duration::ZERO, "looked at again at once");
    assert_eq!(setting.level(), PressureLevel::Emergency, "75 of 77: and so it is told");
    let before_exit_mib = 75 - 77 * 65 / 100;
    let freed_mib = 75 - setting.process.live_mib();
    assert!((before_exit_mib..before_exit_mib + 4).contains(&freed_mib), "{freed_mib}");
    assert_eq!(cache.asked_bytes().len(), 1);
    assert_eq!(setting.step_after(SECOND / 1000), INTERVAL_UNDER_PRESSURE);
    assert_eq!(cache.asked_bytes().len(), 1, "and it was enough");
}

#[test]
fn where_half_of_each_is_not_enough_the_rest_gives_what_is_missing_and_no_more() {
    let mut setting = following();
    let (_cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(75);
    setting.monitor.step();
    setting.process.set_limit_mib(60);
    setting.step_after(SECOND);
    let exit_mib = 52 * 65 / 100;
    let live_mib = setting.process.live_mib();
    assert!((exit_mib - 4..exit_mib).contains(&live_mib), "{live_mib}");
}

#[test]
fn what_is_cut_short_goes_on_as_it_began() {
    let mut setting = following();
    let (_cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(75);
    setting.monitor.step();
    setting.process.set_limit_mib(50);
    setting.process.raise_flag_at_part(0);
    setting.step_after(SECOND);
    assert_eq!(setting.process.live_mib(), 45, "cut short after half of the cache");
    setting.step_after(SECOND / 1000);
    let exit_mib = 42 * 65 / 100;
    let live_mib = setting.process.live_mib();
    assert!((exit_mib - 3..exit_mib).contains(&live_mib), "{live_mib}");
}

#[test]
fn still_an_emergency_after_that_everything_goes_in_the_next_step() {
    let mut setting = following();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(75);
    setting.monitor.step();
    setting.process.set_limit_mib(86);
    setting.step_after(SECOND);
    // What was freed has been allocated again, by who cannot be asked.
    setting.process.set_live_mib(76);
    setting.step_after(SECOND / 1000);
    assert_eq!(cache.asked_bytes().last(), Some(&u64::MAX));
    assert_eq!(cache.purgeable_mib(), 0);
}

#[test]
fn usage_that_grew_to_an_emergency_costs_everything_as_ever() {
    let mut setting = following();
    let (cache, _registration) = setting.cache(60);
    setting.monitor.step();
    setting.process.set_live_mib(104);
    setting.step_after(SECOND);
    assert_eq!(cache.purgeable_mib(), 0);
}

#[test]
fn dirty_pages_over_a_lowered_limit_cost_no_entry_though_the_heap_presses_too() {
    let mut setting = following();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(63);
    setting.monitor.step();
    setting.process.set_dirty_mib(34);
    let collections = setting.process.collections().len();
    setting.process.set_limit_mib(98);
    assert_eq!(setting.step_after(SECOND), Duration::ZERO);
    assert_eq!(setting.process.collections()[collections..], [Collect::Purge]);
    assert!(cache.asked_bytes().is_empty());
    // 63 of 88: a warning by itself.
    setting.step_after(SECOND / 1000);
    assert_eq!(cache.asked_bytes().len(), 1);
}

#[test]
fn pages_that_are_not_to_be_had_do_not_keep_a_heap_from_its_turn() {
    let mut setting = following();
    let (cache, _registration) = setting.cache(60);
    cache.is_busy.store(true, Ordering::Relaxed);
    setting.process.set_live_mib(80);
    setting.process.set_outside_mib(36);
    setting.monitor.step();
    assert_eq!(cache.asked_bytes().len(), 2, "trim and all, since the container is full");
    cache.is_busy.store(false, Ordering::Relaxed);
    setting.step_after(SECOND / 10);
    assert_eq!(cache.asked_bytes().len(), 3);
    let status = setting.shared.lock();
    let report = status.history.last_cleanup().unwrap();
    assert_eq!((report.level, report.diagnosis), (PressureLevel::Warning, Diagnosis::Live));
}

#[test]
fn a_given_budget_does_not_hide_a_lowered_limit() {
    let mut setting = setting_with(|settings| settings.config.soft_limit_bytes = Some(80 * MIB));
    let (cache, _registration) = setting.cache(40);
    setting.process.set_live_mib(50);
    setting.process.set_outside_mib(30);
    setting.monitor.step();
    setting.process.set_limit_mib(83);
    setting.step_after(SECOND);
    let status = setting.shared.lock();
    let report = status.history.last_cleanup().unwrap();
    assert_eq!((report.level, report.diagnosis), (PressureLevel::Emergency, Diagnosis::Outside));
    assert_eq!(report.freed_bytes, report.target_bytes, "what the container is over");
    assert!(cache.purgeable_mib() > 0);
}

#[test]
fn a_share_that_jumps_since_the_limit_came_down_is_not_taken_for_growth() {
    let mut setting = following();
    let (_cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(70);
    setting.monitor.step();
    // From 65 to 93 % within 10 ms: at that rate, it would be past 95 % by now.
    setting.process.set_limit_mib(84);
    setting.step_after(SECOND / 100);
    assert_eq!(setting.level(), PressureLevel::Critical);
}

#[test]
fn a_raised_limit_is_no_reason_for_anything() {
    let mut setting = following();
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(60);
    setting.monitor.step();
    setting.process.set_limit_mib(200);
    assert_eq!(setting.step_after(SECOND), 5 * SECOND);
    assert!(cache.asked_bytes().is_empty());
}
