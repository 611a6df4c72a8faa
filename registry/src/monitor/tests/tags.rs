//! Tags with budgets of their own.

use bursar_alloc::TagHandle;

use super::*;
use crate::pressure::TagExcess;
use crate::purge::Purgeable;
use crate::registry::Entry;

fn over_by_five() -> TagExcess {
    TagExcess {
        tag: "monitor/over".to_owned(),
        held_bytes: 25 * MIB,
        budget_bytes: 20 * MIB,
        family: vec!["monitor/over".to_owned(), "monitor/over/part".to_owned()],
    }
}

impl Setting {
    fn cache_under(&self, tag: &str) -> (Arc<FakeCache>, Registration) {
        let cache = FakeCache::new(&self.process, 25);
        let tag = TagHandle::new(tag).unwrap();
        let name = tag.name().into_owned();
        let entry = Entry::new(name, Arc::clone(&cache) as Arc<dyn Purgeable>).tag(tag);
        let registration = self.registry.register(entry).unwrap();
        (cache, registration)
    }
}

#[test]
fn a_tag_over_its_budget_has_only_what_is_registered_under_it_or_its_parts_trimmed() {
    let mut setting = setting();
    setting.process.set_live_mib(40);
    let (other, _other) = setting.cache_under("monitor/other");
    let (part, _part) = setting.cache_under("monitor/over/part");
    setting.process.put_over_budget(over_by_five());
    setting.monitor.step();
    assert!(other.asked_bytes().is_empty());
    let margin = 20 * MIB / 16;
    assert_eq!(part.asked_bytes(), [5 * MIB + margin]);
    assert_eq!(setting.level(), PressureLevel::Normal, "the process is not short of memory");
    let report = setting.shared.lock().history.last_cleanup().cloned().unwrap();
    assert_eq!(report.tag.as_deref(), Some("monitor/over"));

    setting.step_after(SECOND);
    assert_eq!(part.asked_bytes().len(), 1, "it is within its budget now");
}

#[test]
fn a_tag_with_nobody_to_ask_waits_longer_each_time_and_holds_nobody_else_up() {
    let mut setting = setting();
    setting.process.set_live_mib(40);
    setting.process.put_over_budget(over_by_five());
    for _ in 0..40 {
        setting.step_after(SECOND / 10);
    }
    assert_eq!(setting.shared.lock().futile_cleanups_total, 3, "at 0, 1 and 3 seconds");
    let (cache, _registration) = setting.cache(30);
    setting.process.set_live_mib(75);
    setting.step_after(SECOND / 10);
    assert_eq!(cache.asked_bytes().len(), 1);
}

#[test]
fn of_those_under_a_tag_one_that_frees_nothing_is_passed_over_while_others_are_asked() {
    let mut setting = setting();
    setting.process.set_live_mib(40);
    let (liar, _liar) = setting.cache_under("monitor/over");
    liar.lies.store(true, Ordering::Relaxed);
    let (part, _part) = setting.cache_under("monitor/over/part");
    for times in 1..=3 {
        setting
            .process
            .put_over_budget(TagExcess { held_bytes: 40 * times * MIB, ..over_by_five() });
        setting.step_after(SECOND / 10);
    }
    assert_eq!(liar.asked_bytes().len(), 1);
    assert!(!part.asked_bytes().is_empty());
}
