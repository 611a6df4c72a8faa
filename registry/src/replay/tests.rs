//! Made-up recordings, played under other settings.

use proptest::prelude::*;

use super::*;
use crate::ladder::Stage;
use crate::pressure::Sample;
use crate::profile::Profile;
use crate::purge::RebuildCost;
use crate::testing::MIB;
use crate::trace::TracedCleanup;

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn trace(soft_limit_mib: u64) -> Trace {
    Trace::new(soft_limit_mib * MIB, None, Profile::default()).unwrap()
}

fn push(trace: &mut Trace, millis: u64, item: TraceItem) {
    trace.push(TraceEvent { at: at(millis), item }).unwrap();
}

fn sample(live_mib: u64) -> Sample {
    Sample { live_bytes: live_mib * MIB, ..Sample::default() }
}

fn cache(name: &str, held_mib: u64) -> TraceItem {
    TraceItem::Purgeable(TracedPurgeable {
        name: name.to_owned(),
        stage: Stage::Trim,
        priority: 0,
        rebuild_cost: RebuildCost::Medium,
        purgeable_bytes: held_mib * MIB,
    })
}

/// A cache that grows by 1 MiB a second beside 10 MiB of other things, never cleaned up.
fn growing(seconds: u64) -> Trace {
    let mut trace = trace(1000);
    for second in 0..=seconds {
        push(&mut trace, 1000 * second, TraceItem::Sample(Box::new(sample(10 + second))));
        push(&mut trace, 1000 * second, cache("cache", second));
    }
    trace
}

fn play(trace: &Trace, soft_limit_mib: u64) -> ReplayReport {
    let mut config = trace.config();
    config.soft_limit_bytes = Some(soft_limit_mib * MIB);
    Replay::new(config).play(trace).unwrap()
}

#[test]
fn a_smaller_budget_trims_what_was_left_alone_and_keeps_to_itself() {
    let report = play(&growing(200), 100);
    assert_eq!(report.recorded.peak_footprint_bytes, 210 * MIB);
    assert_eq!(report.recorded.cleanups_total, 0);
    assert_eq!(report.recorded.time_at.normal, at(200_000));

    let replayed = &report.replayed;
    assert!(replayed.cleanups_total >= 8, "{report}");
    assert!(replayed.peak_footprint_bytes <= 72 * MIB, "{report}");
    assert_eq!(replayed.time_above_soft_limit, Duration::ZERO);
    assert!(replayed.time_at.warning > Duration::ZERO);
    assert_eq!(replayed.time_at.emergency, Duration::ZERO);
    assert_eq!(replayed.freed_bytes_by_name["cache"], replayed.freed_bytes_total);
    assert_eq!(replayed.level_changes_total, report.history.level_changes_total());
}

#[test]
fn a_budget_that_nothing_can_hold_says_for_how_long_and_when_the_limit_was_passed() {
    let mut trace = trace(1000);
    for second in 0..=100 {
        let sample = Sample {
            working_set_bytes: Some((second + 20) * MIB),
            limit_bytes: Some(90 * MIB),
            ..sample(second)
        };
        push(&mut trace, 1000 * second, TraceItem::Sample(Box::new(sample)));
    }
    let report = play(&trace, 50);
    assert_eq!(report.replayed.cleanups_total, 0, "there is nothing to ask");
    assert!(report.replayed.futile_cleanups_total > 0);
    let close = |time: Duration, seconds: u64| time.abs_diff(at(1000 * seconds)) < at(50);
    assert!(close(report.replayed.time_above_soft_limit, 50), "{report}");
    assert!(close(report.replayed.time_above_limit, 30), "{report}");
    assert!(close(report.replayed.first_above_limit.unwrap(), 70), "{report}");
    assert_eq!(report.recorded.time_above_limit, report.replayed.time_above_limit);
}

/// A cache is trimmed by 30 MiB once a minute, and grows by that meanwhile.
fn trimmed_each_minute() -> Trace {
    let mut trace = trace(100);
    for minute in 0..5 {
        let begin = 60_000 * minute;
        let purged = if minute == 0 { 0 } else { 30 };
        if purged > 0 {
            let freed_bytes_by_name = [("cache".to_owned(), purged * MIB)].into();
            let freed_bytes = purged * MIB;
            let cleanup =
                TracedCleanup { count: 1, freed_bytes, freed_bytes_by_name, ..Default::default() };
            push(&mut trace, begin, TraceItem::Level { level: PressureLevel::Warning });
            push(&mut trace, begin, TraceItem::Cleanup(cleanup));
            push(&mut trace, begin + 1000, TraceItem::Level { level: PressureLevel::Normal });
        }
        for (after, live) in [(1, 40), (59_999, 70)] {
            push(&mut trace, begin + after, cache("cache", live));
            push(&mut trace, begin + after, TraceItem::Sample(Box::new(sample(live))));
        }
    }
    trace
}

#[test]
fn what_recorded_cleanups_freed_is_kept_under_a_budget_that_has_room_for_it() {
    let report = play(&trimmed_each_minute(), 1000);
    assert_eq!(report.recorded.cleanups_total, 4);
    assert_eq!(report.recorded.level_changes_total, 8);
    assert_eq!(report.recorded.time_at.warning, at(4_000));
    assert_eq!(report.recorded.freed_bytes_by_name["cache"], 120 * MIB);
    assert_eq!(report.recorded.peak_footprint_bytes, 70 * MIB);
    assert_eq!(report.replayed.cleanups_total, 0);
    assert_eq!(report.replayed.peak_footprint_bytes, 190 * MIB, "all growth counts as new");
}

#[test]
fn under_the_recorded_budget_the_replay_is_much_like_the_recording() {
    let report = play(&trimmed_each_minute(), 100);
    let (recorded, replayed) = (&report.recorded, &report.replayed);
    assert!(replayed.cleanups_total.abs_diff(2 * recorded.cleanups_total) <= 4, "{report}");
    assert!(replayed.peak_footprint_bytes.abs_diff(recorded.peak_footprint_bytes) < MIB);
}

#[test]
fn dirty_pages_cost_the_replayed_cache_nothing() {
    let mut trace = Trace::new(100 * MIB, Some(100 * MIB), Profile::default()).unwrap();
    push(&mut trace, 0, cache("cache", 40));
    for second in 0..30 {
        let dirty = second * MIB;
        let sample = Sample {
            dirty_bytes: Some(dirty),
            working_set_bytes: Some(50 * MIB + dirty),
            ..sample(40)
        };
        push(&mut trace, 1000 * second, TraceItem::Sample(Box::new(sample)));
    }
    let report = play(&trace, 90);
    assert!(report.replayed.collected_bytes_total > 15 * MIB, "{report}");
    assert_eq!(report.replayed.freed_bytes_total, 0);
}

#[test]
fn a_limit_can_be_put_in_the_place_of_the_recorded_one() {
    let trace = growing(100);
    let mut config = trace.config();
    (config.soft_limit_bytes, config.limit_bytes) = (Some(60 * MIB), Some(60 * MIB));
    let nothing = Vec::new;
    config.ladder.warning = nothing();
    config.ladder.critical = nothing();
    config.ladder.emergency = nothing();
    let report = Replay::new(config).play(&trace).unwrap();
    assert_eq!(report.recorded.first_above_limit, None);
    assert!(report.replayed.first_above_limit.is_some(), "{report}");
}

#[test]
fn a_purgeable_that_is_registered_anew_otherwise_is_treated_otherwise() {
    let mut trace = growing(80);
    let TraceItem::Purgeable(dear) = cache("cache", 80) else { unreachable!() };
    let dear = TracedPurgeable { stage: Stage::Release, ..dear };
    push(&mut trace, 80_000, TraceItem::Purgeable(dear));
    push(&mut trace, 120_000, TraceItem::Sample(Box::new(sample(95))));
    let report = play(&trace, 100);
    let staged: Vec<_> = report.history.cleanups().flat_map(|c| &c.stages).collect();
    assert!(staged.iter().any(|stage| stage.stage == Stage::Trim && stage.freed_bytes > 0));
}

#[test]
fn an_empty_trace_and_one_without_samples_are_played_in_no_time() {
    let mut trace = trace(100);
    assert_eq!(play(&trace, 100).end, Duration::ZERO);
    push(&mut trace, 5, cache("cache", 10));
    let report = play(&trace, 100);
    assert_eq!((report.end, report.replayed.cleanups_total), (at(5), 0));
}

#[test]
fn bad_settings_are_refused_before_anything_is_played() {
    let trace = trace(100);
    let mut config = trace.config();
    config.soft_limit_bytes = Some(1);
    let error = Replay::new(config).play(&trace).unwrap_err();
    assert!(matches!(error, Error::BudgetTooSmall { given_bytes: 1, .. }), "{error}");
}

#[test]
fn the_report_reads_as_a_table_of_both_runs() {
    let text = play(&growing(200), 100).to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["recorded", "replayed"]);
    assert_eq!(lines[1], "soft limit                   1000.0 MiB      100.0 MiB");
    assert!(text.contains("time at warning"), "{text}");
    assert!(text.contains("\n  by cache "), "{text}");
}

/// Any item at all: sizes over the whole range that a trace may speak of.
fn any_item() -> impl Strategy<Value = TraceItem> {
    let bytes = || (0u32..=50, any::<u64>()).prop_map(|(bits, any)| any & ((1 << bits) - 1));
    let known = move || proptest::option::of(bytes());
    let name = || prop_oneof![Just("a".to_owned()), Just("b".to_owned()), Just("c".to_owned())];
    let stage = prop_oneof![
        Just(Stage::Collect),
        Just(Stage::Trim),
        Just(Stage::Release),
        Just(Stage::Emergency),
    ];
    let level = prop_oneof![
        Just(PressureLevel::Normal),
        Just(PressureLevel::Warning),
        Just(PressureLevel::Critical),
    ];
    let sizes = (bytes(), bytes(), known(), known(), known(), known(), known());
    let sample = sizes.prop_map(|(live, charged, active, dirty, resident, working_set, limit)| {
        TraceItem::Sample(Box::new(Sample {
            live_bytes: live,
            charged_bytes: charged,
            active_bytes: active,
            dirty_bytes: dirty,
            resident_bytes: resident,
            working_set_bytes: working_set,
            limit_bytes: limit,
            ..Sample::default()
        }))
    });
    let purgeable = (name(), stage, any::<i8>(), bytes()).prop_map(
        |(name, stage, priority, purgeable_bytes)| {
            let rebuild_cost = RebuildCost::Low;
            let purgeable =
                TracedPurgeable { name, stage, priority, rebuild_cost, purgeable_bytes };
            TraceItem::Purgeable(purgeable)
        },
    );
    let cleanup =
        (bytes(), bytes(), bytes(), name()).prop_map(|(count, freed, collected, name)| {
            TraceItem::Cleanup(TracedCleanup {
                count,
                freed_bytes: freed,
                collected_bytes: collected,
                freed_bytes_by_name: [(name, freed)].into(),
            })
        });
    prop_oneof![
        4 => sample,
        3 => purgeable,
        1 => cleanup,
        1 => level.prop_map(|level| TraceItem::Level { level }),
        1 => bytes().prop_map(|count| TraceItem::Futile { count }),
    ]
}

fn any_trace() -> impl Strategy<Value = Trace> {
    let waits = prop_oneof![4 => 0u64..2_000, 1 => 0u64..1 << 40];
    proptest::collection::vec((waits, any_item()), 0..24).prop_map(|events| {
        let mut trace = trace(1000);
        let mut now = 0;
        for (wait, item) in events {
            now += wait;
            push(&mut trace, now, item);
        }
        trace
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_trace_is_played_alike_each_time_and_leaves_no_level_within_its_dwell(
        trace in any_trace(), soft_limit_bytes in Budget::MIN_SOFT_LIMIT_BYTES..1 << 50,
    ) {
        let mut config = trace.config();
        config.soft_limit_bytes = Some(soft_limit_bytes);
        let replay = Replay::new(config);
        let report = replay.play(&trace).unwrap();
        prop_assert_eq!(&report, &replay.play(&trace).unwrap());

        let changes: Vec<_> = report.history.level_changes().collect();
        for pair in changes.windows(2) {
            let is_down = pair[1].to < pair[1].from;
            let dwelt = pair[1].at - pair[0].at;
            prop_assert!(!is_down || dwelt >= Profile::default().dwell, "{:?}", pair);
        }
    }

    #[test]
    fn a_run_below_the_warning_watermark_is_left_alone(
        live in proptest::collection::vec((0u64..2_000, 0u64..700), 1..40), held in 0u64..1000,
    ) {
        let mut trace = trace(1000);
        push(&mut trace, 0, cache("cache", held));
        let mut now = 0;
        for (wait, live_mib) in live {
            now += wait;
            push(&mut trace, now, TraceItem::Sample(Box::new(sample(live_mib))));
        }
        let report = play(&trace, 1000);
        prop_assert_eq!(report.replayed.cleanups_total, 0);
        prop_assert_eq!(report.replayed.futile_cleanups_total, 0);
        prop_assert_eq!(report.replayed.level_changes_total, 0);
        prop_assert_eq!(report.replayed.peak_footprint_bytes, report.recorded.peak_footprint_bytes);
    }
}
