//! What is done in quiet times.

use super::*;
use crate::purge::{PurgeOutcome, PurgeRequest, Purgeable};
use crate::registry::Entry;
use crate::testing::PARTS;

#[derive(Default)]
struct Listener(std::sync::Mutex<u32>);

impl Purgeable for Listener {
    fn purgeable_bytes(&self) -> u64 {
        0
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        PurgeOutcome::Empty
    }

    fn pressure_passed(&self) {
        *self.0.lock().unwrap() += 1;
    }
}

#[test]
fn purgeables_are_told_once_that_the_pressure_has_passed_after_the_calm() {
    let mut setting = setting();
    let listener = Arc::new(Listener::default());
    let entry = Entry::new("listener", Arc::clone(&listener) as Arc<dyn Purgeable>);
    let _registration = setting.registry.register(entry).unwrap();
    let told = || *listener.0.lock().unwrap();
    setting.monitor.step();
    setting.step_after(60 * SECOND);
    assert_eq!(told(), 0, "nothing has pressed");

    setting.process.set_live_mib(75);
    setting.monitor.step();
    setting.process.set_live_mib(50);
    setting.step_after(2 * SECOND);
    assert_eq!(setting.level(), PressureLevel::Normal);
    setting.step_after(9 * SECOND);
    assert_eq!(told(), 0, "not calm for long enough");
    setting.step_after(SECOND);
    assert_eq!(told(), 1);
    setting.step_after(60 * SECOND);
    assert_eq!(told(), 1);
}

#[test]
fn pressure_that_comes_back_within_the_calm_begins_it_anew() {
    let mut setting = setting();
    let listener = Arc::new(Listener::default());
    let entry = Entry::new("listener", Arc::clone(&listener) as Arc<dyn Purgeable>);
    let _registration = setting.registry.register(entry).unwrap();
    for _ in 0..5 {
        setting.process.set_live_mib(75);
        setting.monitor.step();
        setting.process.set_live_mib(50);
        setting.step_after(2 * SECOND);
        setting.step_after(6 * SECOND);
    }
    assert_eq!(*listener.0.lock().unwrap(), 0);
}

#[test]
fn an_idle_process_has_its_pages_decay_part_by_part_once_an_interval() {
    let mut setting = setting();
    let round: Vec<usize> = (0..PARTS).collect();
    setting.monitor.step();
    assert_eq!(setting.process.collected_parts(), round);
    setting.step_after(SECOND);
    assert_eq!(setting.process.collected_parts(), round, "not due again");
    setting.step_after(5 * SECOND);
    assert_eq!(setting.process.collected_parts(), [round.clone(), round].concat());
    assert_eq!(setting.process.collections(), [Collect::Decay; 2], "nothing more than is due");
}

#[test]
fn a_round_that_takes_long_is_left_after_each_part_so_that_usage_is_read_in_between() {
    let mut setting = setting();
    setting.process.take_for_each_part(&setting.clock, Duration::from_millis(30));
    assert!(setting.monitor.step() <= Duration::from_millis(10));
    assert_eq!(setting.process.collected_parts(), [0]);
    setting.monitor.step();
    assert_eq!(setting.process.collected_parts(), [0, 1]);
}

fn with_a_budget_of_the_limit() -> Setting {
    setting_with(|settings| settings.config.soft_limit_bytes = None)
}

#[test]
fn a_budget_that_follows_from_the_limit_follows_it_down_and_up() {
    let mut setting = with_a_budget_of_the_limit();
    let soft_limit_mib =
        |setting: &Setting| setting.shared.lock().budget.as_ref().unwrap().soft_limit_bytes() / MIB;
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(60);
    setting.monitor.step();
    setting.process.set_limit_mib(80);
    setting.step_after(SECOND);
    assert_eq!(soft_limit_mib(&setting), 72, "a tenth is left for what is outside the heap");
    assert_eq!(cache.asked_bytes().len(), 1, "60 of 72 is critical");
    setting.process.set_limit_mib(1000);
    setting.step_after(SECOND);
    assert_eq!(soft_limit_mib(&setting), 900);
}

#[test]
fn a_given_budget_gives_way_to_a_lower_limit_and_comes_back_with_it() {
    let mut setting = setting_with(|settings| settings.config.soft_limit_bytes = Some(100 * MIB));
    let soft_limit_mib =
        |setting: &Setting| setting.shared.lock().budget.as_ref().unwrap().soft_limit_bytes() / MIB;
    for (limit_mib, expected_mib) in [(200, 100), (80, 72), (4, 72), (120, 100)] {
        setting.process.set_limit_mib(limit_mib);
        setting.step_after(SECOND);
        assert_eq!(soft_limit_mib(&setting), expected_mib, "at a limit of {limit_mib} MiB");
    }
}
