//! What is kept and what is not.

use bursar_alloc::thread_usage;

use super::*;
use crate::bursar::BURSAR;
use crate::ladder::Stage;
use crate::report::{PurgeReport, PurgeStatus, StageReport};

fn finding(usage: f64) -> Finding {
    Finding { usage, diagnosis: Diagnosis::Live }
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Readings of 50 %, a tenth of a second apart.
fn add_readings(history: &mut History, tenths: std::ops::Range<u64>) {
    for tenth in tenths {
        let usage = finding(0.5);
        history.add_reading(at(100 * tenth), Sample::default(), usage, PressureLevel::Normal);
    }
}

fn report(purges: usize) -> CleanupReport {
    let purge = |index| PurgeReport {
        name: format!("{index:064}"),
        status: PurgeStatus::Freed,
        asked_bytes: 1,
        claimed_bytes: 1,
        measured_bytes: Some(1),
        elapsed: Duration::ZERO,
    };
    CleanupReport {
        level: PressureLevel::Warning,
        diagnosis: Diagnosis::Live,
        tag: None,
        observed_only: false,
        is_cut_short: false,
        target_bytes: 1 << 20,
        freed_bytes: 1 << 20,
        held_bytes_before: 0,
        held_bytes_after: 0,
        collected_bytes: None,
        started_at: at(1500),
        elapsed: Duration::ZERO,
        stages: vec![StageReport {
            stage: Stage::Trim,
            freed_bytes: 0,
            collected_bytes: None,
            elapsed: Duration::ZERO,
            purges: (0..purges).map(purge).collect(),
        }],
    }
}

#[test]
fn of_each_tenth_of_a_second_the_highest_reading_is_kept() {
    let mut history = History::default();
    for (millis, usage) in [(0, 0.5), (120, 0.6), (130, 0.9), (199, 0.4), (200, 0.3)] {
        let sample = Sample::default();
        history.add_reading(at(millis), sample, finding(usage), PressureLevel::Normal);
    }
    let kept: Vec<_> = history.recent_samples().map(|p| (p.at, p.usage_ratio)).collect();
    assert_eq!(kept, [(at(0), 0.5), (at(130), 0.9), (at(200), 0.3)]);
}

#[test]
fn the_samples_span_the_whole_run_while_the_recent_ones_are_of_late() {
    let mut history = History::default();
    add_readings(&mut history, 0..100_000);
    let (first, last) = (history.samples().next(), history.samples().next_back());
    assert!(first.unwrap().at < at(100_000), "{first:?}");
    assert!(last.unwrap().at > at(9_900_000), "{last:?}");
    assert!((SAMPLES / 2..=SAMPLES).contains(&history.samples().count()));

    assert_eq!(history.recent_samples().count(), RECENT_SAMPLES);
    assert_eq!(history.recent_samples().next_back().unwrap().at, at(9_999_900));
}

#[test]
fn a_change_of_level_is_noted_with_what_it_came_from() {
    let mut history = History::default();
    let levels = [PressureLevel::Normal, PressureLevel::Critical, PressureLevel::Critical];
    for (millis, level) in (0..).step_by(10).zip(levels) {
        history.add_reading(at(millis), Sample::default(), finding(0.85), level);
    }
    let changes: Vec<_> = history.level_changes().copied().collect();
    let [change] = changes[..] else { panic!("one change: {changes:?}") };
    assert_eq!((change.from, change.to), (PressureLevel::Normal, PressureLevel::Critical));
    assert_eq!((change.at, change.usage_ratio, change.diagnosis), (at(10), 0.85, Diagnosis::Live));
    assert_eq!(history.level_changes_total(), 1);
}

#[test]
fn reports_are_bounded_in_number_and_in_callbacks_and_the_latest_is_kept_whatever_its_size() {
    let mut history = History::default();
    (0..100).for_each(|_| history.add_cleanup(report(1)));
    assert_eq!(history.cleanups().count(), CLEANUPS);

    (0..100).for_each(|_| history.add_cleanup(report(100)));
    assert_eq!(history.cleanups().count(), PURGES / 100);

    history.add_cleanup(report(10_000));
    assert_eq!(history.cleanups().count(), 1);
}

/// The bound that the documentation states.
const MOST_BYTES: u64 = 4 * (1 << 20) / 10;

#[test]
fn filled_to_its_bounds_it_grows_no_more_and_keeps_to_what_is_stated() {
    let held = || {
        let usage = thread_usage(&BURSAR).expect("the accounting allocator");
        usage.allocated_bytes - usage.freed_bytes
    };
    let _tag = BURSAR.enter();
    let before = held();
    let mut history = History::default();
    let mut fill = |tenths: std::ops::Range<u64>| {
        for tenth in tenths {
            let level = [PressureLevel::Normal, PressureLevel::Warning][tenth as usize % 2];
            let sample = Sample::default();
            history.add_reading(at(100 * tenth), sample, finding(0.7), level);
            history.add_cleanup(report(16));
        }
        held() - before
    };
    let filled = fill(0..3_000);
    assert!(filled <= MOST_BYTES, "{filled} bytes");
    assert!(filled >= MOST_BYTES / 4, "{filled} bytes: the stated bound is far off");
    assert_eq!(fill(3_000..20_000), filled);
}

#[test]
fn it_reads_well() {
    let mut history = History::default();
    assert_eq!(history.to_string(), "nothing was read yet");
    let sample = Sample { live_bytes: 71 << 20, ..Sample::default() };
    history.add_reading(at(0), Sample::default(), finding(0.0), PressureLevel::Normal);
    history.add_reading(at(1500), sample, finding(0.71), PressureLevel::Warning);
    history.add_cleanup(report(1));
    history.add_cleanup(CleanupReport { tag: Some("sessions".to_owned()), ..report(1) });
    assert_eq!(
        history.to_string(),
        "1.5 s of history, level warning at 71.0 % with a footprint of 71.0 MiB\n\
         highest 71.0 % at 1.5 s\n\
         changes of level: 1\n  \
         1.5 s normal to warning at 71.0 % (live pressure)\n\
         latest cleanups: 2\n  \
         1.5 s warning (live pressure): freed 1.0 MiB\n  \
         1.5 s warning (live pressure of sessions): freed 1.0 MiB"
    );
}
