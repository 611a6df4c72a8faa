//! What is noted of the tags and sites as steps are made.

use super::*;
use crate::live_history::{SiteReading, TagReading};

fn tag(name: &'static str, mib: u64) -> TagReading {
    TagReading { name: name.into(), live_bytes: mib * MIB }
}

fn site(key: u64, mib: u64) -> SiteReading {
    let (tag, stack) = ("images".into(), vec![1, 2, 3]);
    SiteReading { key, tag, stack, samples: mib, live_bytes: mib * MIB }
}

#[test]
fn tags_are_read_once_in_ten_seconds_however_often_there_is_a_step() {
    let mut setting = setting();
    setting.monitor.step();
    assert_eq!(setting.process.tag_readings(), 1);
    for _ in 0..99 {
        setting.step_after(SECOND / 10);
    }
    assert_eq!(setting.process.tag_readings(), 1);
    setting.step_after(SECOND / 10);
    assert_eq!(setting.process.tag_readings(), 2);
    for _ in 0..12 {
        setting.step_after(5 * SECOND);
    }
    assert_eq!(setting.process.tag_readings(), 8);
}

#[test]
fn what_tags_and_sites_hold_is_in_the_history_by_the_monitors_clock() {
    let mut setting = setting();
    for mib in [1, 2, 3] {
        setting.process.set_live_bytes_of(vec![tag("images", mib)], vec![site(7, 10 * mib)]);
        setting.step_after(10 * SECOND);
    }
    let history = setting.shared.lock().history.clone();
    let [series] = &history.tag_series().collect::<Vec<_>>()[..] else { panic!("{history:?}") };
    assert_eq!(series.tag(), "images");
    let points = series.points().map(|point| (point.at.as_secs(), point.live_bytes / MIB));
    assert_eq!(points.collect::<Vec<_>>(), [(10, 1), (20, 2), (30, 3)]);
    let [series] = &history.site_series().collect::<Vec<_>>()[..] else { panic!("{history:?}") };
    assert_eq!((series.key(), series.tag(), series.samples()), (7, "images", 30));
    assert_eq!(series.stack(), [1, 2, 3]);
    assert_eq!(series.points().next_back().unwrap().live_bytes, 30 * MIB);
}
