//! A service is followed by what it says at several times.

use super::*;
use crate::testing::{MIB, cleanup, history, purgeable, stats};

fn ms(at: u64) -> Duration {
    Duration::from_millis(at)
}

fn stats_at(at: u64) -> Stats {
    let mut stats = stats();
    stats.uptime = ms(at);
    stats
}

/// The kinds of events, with a figure of each.
fn kinds(events: &[TraceEvent]) -> Vec<String> {
    let kind = |event: &TraceEvent| match &event.item {
        TraceItem::Sample(sample) => format!("sample {}", sample.live_bytes / MIB),
        TraceItem::Purgeable(cache) => format!("{} {}", cache.name, cache.purgeable_bytes / MIB),
        TraceItem::Level { level } => level.to_string(),
        TraceItem::Cleanup(cleanup) => {
            format!("{} cleanup of {}", cleanup.count, cleanup.freed_bytes / MIB)
        }
        TraceItem::Futile { count } => format!("{count} futile"),
        other => format!("{other:?}"),
    };
    events.iter().map(kind).collect()
}

#[test]
fn what_comes_after_the_start_is_told_once_and_in_order() {
    let (warning, normal) = (PressureLevel::Warning, PressureLevel::Normal);
    let (old, new) = (cleanup(ms(500), 7), cleanup(ms(3010), 20));
    let mut before = stats_at(2050);
    (before.cleanups_total, before.freed_bytes_total) = (1, 7 * MIB);
    before.purgeables = vec![purgeable("cache", 60)];
    let seen = history(&[(ms(1000), 10), (ms(2000), 20)], &[], std::slice::from_ref(&old));
    let mut follower = Follower::starting_at(&before, &seen);
    let first = follower.advance(&before, &seen, false);
    assert!(kinds(&first).is_empty(), "a higher reading may still come in that tenth");

    let mut after = stats_at(4190);
    (after.cleanups_total, after.freed_bytes_total) = (2, 27 * MIB);
    after.purgeables = vec![purgeable("cache", 40)];
    let samples = [(ms(1000), 10), (ms(2000), 20), (ms(3000), 71), (ms(4150), 50)];
    let levels = [(ms(3000), warning), (ms(4150), normal)];
    let seen = history(&samples, &levels, &[old, new]);
    let second = follower.advance(&after, &seen, false);
    assert_eq!(
        kinds(&second),
        ["sample 20", "cache 60", "sample 71", "warning", "1 cleanup of 20"]
    );
    let last = follower.advance(&after, &seen, true);
    assert_eq!(kinds(&last), ["sample 50", "normal", "cache 40"]);
    assert!(follower.advance(&after, &seen, true).is_empty());
}

#[test]
fn the_level_in_force_at_the_start_is_told_of() {
    let mut pressed = stats_at(9000);
    pressed.level = PressureLevel::Critical;
    let seen = history(&[(ms(8000), 90)], &[(ms(10), PressureLevel::Critical)], &[]);
    let mut follower = Follower::starting_at(&pressed, &seen);
    assert_eq!(kinds(&follower.advance(&pressed, &seen, true)), ["sample 90", "critical"]);
}

#[test]
fn cleanups_whose_reports_are_gone_are_told_of_in_one() {
    let (none, mut stats) = (history(&[], &[], &[]), stats_at(1000));
    let mut follower = Follower::starting_at(&stats, &none);
    (stats.uptime, stats.cleanups_total, stats.freed_bytes_total) = (ms(9000), 40, 90 * MIB);
    stats.futile_cleanups_total = 3;
    let kept = history(&[], &[], &[cleanup(ms(8000), 10)]);
    assert_eq!(
        kinds(&follower.advance(&stats, &kept, true)),
        ["1 cleanup of 10", "39 cleanup of 80", "3 futile"]
    );
    assert!(follower.advance(&stats, &kept, true).is_empty());
}

#[test]
fn a_report_that_is_newer_than_the_totals_is_not_told_of_twice() {
    let (none, mut stats) = (history(&[], &[], &[]), stats_at(1000));
    let mut follower = Follower::starting_at(&stats, &none);
    let kept = history(&[], &[], &[cleanup(ms(1001), 10)]);
    assert_eq!(kinds(&follower.advance(&stats, &kept, true)), ["1 cleanup of 10"]);
    (stats.uptime, stats.cleanups_total, stats.freed_bytes_total) = (ms(2000), 1, 10 * MIB);
    assert!(follower.advance(&stats, &kept, true).is_empty());
}

#[test]
fn sizes_are_told_when_they_have_changed_by_a_good_part_and_when_the_purgeable_is_gone() {
    let (seen, mut stats) = (history(&[], &[], &[]), stats_at(1000));
    let mut follower = Follower::starting_at(&stats, &seen);
    let mut told = |mib: Option<u64>| {
        stats.uptime += ms(100);
        stats.purgeables = mib.map(|mib| purgeable("cache", mib)).into_iter().collect();
        follower.note_sizes(&stats);
        kinds(&follower.advance(&stats, &seen, false))
    };
    assert_eq!(told(Some(640)), ["cache 640"]);
    assert_eq!(told(Some(650)), [""; 0]);
    assert_eq!(told(Some(651)), ["cache 651"]);
    assert_eq!(told(None), ["cache 0"]);
    assert_eq!(told(None), [""; 0]);
}

#[test]
fn numbers_at_the_ends_of_their_range_make_no_panic() {
    let (seen, mut stats) = (history(&[], &[], &[cleanup(Duration::MAX, 1)]), stats_at(1000));
    let mut follower = Follower::starting_at(&stats, &seen);
    for total in [u64::MAX, 0, u64::MAX] {
        (stats.cleanups_total, stats.freed_bytes_total) = (total, total);
        (stats.futile_cleanups_total, stats.uptime) = (total, Duration::MAX);
        let size = purgeable("cache", 0);
        stats.purgeables = vec![size.clone(), size];
        stats.purgeables[0].purgeable_bytes = total;
        follower.advance(&stats, &seen, true);
    }
}
