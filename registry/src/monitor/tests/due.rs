//! What ends a wait for the next step.

use super::*;

const LOOK: Duration = Duration::from_millis(250);

impl Setting {
    fn wait_after(&mut self, wait: Duration) -> Option<Duration> {
        self.clock.advance(wait);
        self.monitor.wait_for_step()
    }
}

#[test]
fn between_two_steps_the_limit_alone_is_looked_at_every_quarter_of_a_second() {
    let mut setting = setting();
    assert_eq!(setting.monitor.step(), 5 * SECOND);
    assert_eq!(setting.monitor.wait_for_step(), Some(LOOK));
    assert_eq!(setting.process.looks(), 0, "the step has just looked");
    for looks in 1..20 {
        assert_eq!(setting.wait_after(LOOK), Some(LOOK));
        assert_eq!(setting.process.looks(), looks);
    }
    assert_eq!(setting.wait_after(LOOK), None, "the step is due");
    assert_eq!(setting.process.looks(), 19, "and looks for itself");
}

#[test]
fn a_wait_that_ends_early_goes_on_without_a_look_or_a_step() {
    let mut setting = setting();
    setting.monitor.step();
    assert_eq!(setting.wait_after(LOOK / 5), Some(LOOK / 5 * 4));
    assert_eq!(setting.process.looks(), 0);
}

#[test]
fn a_limit_that_comes_down_makes_the_step_due_within_a_quarter_of_a_second() {
    let mut setting = setting_with(|settings| settings.config.soft_limit_bytes = None);
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(60);
    setting.monitor.step();
    setting.process.set_limit_mib(80);
    assert_eq!(setting.wait_after(LOOK), None);
    setting.monitor.step();
    assert_eq!(cache.asked_bytes().len(), 1);
    assert_eq!(setting.monitor.wait_for_step(), None, "to see whether that was enough");
    setting.monitor.step();
    assert!(setting.monitor.wait_for_step().is_some());
}

#[test]
fn a_raised_flag_and_what_was_asked_for_make_the_step_due_at_once() {
    let mut setting = setting();
    setting.monitor.step();
    setting.process.raise_flag();
    assert_eq!(setting.monitor.wait_for_step(), None);
    setting.monitor.step();
    assert!(setting.monitor.wait_for_step().is_some());
    setting.shared.asks().ask_collect();
    assert_eq!(setting.monitor.wait_for_step(), None);
}

#[test]
fn under_pressure_each_step_looks_and_nothing_else_has_to() {
    let mut setting = setting();
    let (_cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(75);
    assert_eq!(setting.monitor.step(), INTERVAL_UNDER_PRESSURE);
    assert_eq!(setting.wait_after(INTERVAL_UNDER_PRESSURE), None);
    assert_eq!(setting.process.looks(), 0);
}
