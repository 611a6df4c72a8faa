//! What is asked for directly, observing alone, and the last report.

use super::*;
use crate::report::EmergencyReport;

#[test]
fn a_reclaim_runs_the_stages_of_its_level_however_little_is_used() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(40);
    setting.process.set_live_mib(40);
    let report = setting.monitor.reclaim(PressureLevel::Critical);
    assert_eq!(report.level, PressureLevel::Critical);
    assert_eq!(report.freed_bytes, report.target_bytes);
    assert_eq!(cache.asked_bytes().len(), 1);
    assert_eq!(setting.level(), PressureLevel::Normal);

    let nothing = setting.monitor.reclaim(PressureLevel::Normal);
    assert!(nothing.stages.is_empty());
}

#[test]
fn an_emergency_that_is_none_costs_nothing_and_one_that_is_takes_everything() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(70);
    setting.process.set_live_mib(100);
    let report = setting.monitor.emergency();
    let EmergencyReport::NotNeeded(compliance) = report else { panic!("{report:?}") };
    assert_eq!((compliance.is_compliant, compliance.margin_bytes), (true, 0));
    assert!(cache.asked_bytes().is_empty());

    setting.process.set_live_mib(101);
    let report = setting.monitor.emergency();
    let EmergencyReport::Done(report) = report else { panic!("{report:?}") };
    assert_eq!(report.freed_bytes, 70 * MIB);
    assert_eq!(cache.asked_bytes(), [u64::MAX]);
    assert_eq!(setting.process.live_mib(), 31);
}

#[test]
fn collecting_gives_pages_back_and_asks_nobody() {
    let mut setting = setting();
    let (cache, _registration) = setting.cache(40);
    setting.process.set_live_mib(40);
    setting.process.set_dirty_mib(30);
    let report = setting.monitor.collect();
    assert!(report.is_supported);
    let dirty = (report.dirty_bytes_before, report.dirty_bytes_after);
    assert_eq!(dirty, (Some(30 * MIB), Some(0)));
    assert!(cache.asked_bytes().is_empty());
}

#[test]
fn observing_alone_judges_and_reports_and_purges_nothing() {
    let mut setting = setting_with(|settings| settings.config.observe_only = true);
    let (cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(85);
    setting.process.set_dirty_mib(20);
    for _ in 0..10 {
        setting.step_after(SECOND / 10);
    }
    setting.monitor.reclaim(PressureLevel::Emergency);
    setting.monitor.collect();
    assert!(cache.asked_bytes().is_empty());
    setting.process.set_live_mib(10);
    setting.step_after(2 * SECOND);
    assert_eq!(setting.level(), PressureLevel::Normal);
    assert!(setting.process.collected_parts().is_empty());
    assert!(setting.process.collections().is_empty());
    let status = setting.shared.lock();
    let report = status.history.cleanups().next().unwrap();
    assert!(report.observed_only && report.target_bytes > 0);
    assert_eq!(
        status.history.cleanups().count(),
        2,
        "one a cooldown, and the one that was asked for"
    );
}

#[test]
fn entering_the_emergency_level_writes_the_last_report_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("termination-log");
    let mut setting =
        setting_with(|settings| settings.config.last_report_path = Some(path.clone()));
    setting.process.set_live_mib(94);
    setting.monitor.step();
    assert!(!path.exists());
    setting.process.set_live_mib(96);
    setting.step_after(SECOND);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("memory emergency after"), "{text}");
    assert!(text.contains("\nlive 96.0 MiB") && text.len() <= 4096, "{text}");

    std::fs::remove_file(&path).unwrap();
    setting.step_after(SECOND);
    assert!(!path.exists(), "the level was in force already");
    assert_eq!(setting.shared.lock().last_report_error, None);
}

#[test]
fn a_last_report_that_cannot_be_written_is_said_and_stops_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let mut setting =
        setting_with(|settings| settings.config.last_report_path = Some(path.clone()));
    let (_cache, _registration) = setting.cache(60);
    setting.process.set_live_mib(96);
    setting.monitor.step();
    let error = setting.shared.lock().last_report_error.clone().unwrap();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert!(setting.process.live_mib() < 70);
}
