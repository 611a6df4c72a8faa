//! Levels entered and left, and what presses.

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_level_is_entered_at_once_and_left_below_the_hysteresis_after_the_dwell() {
    let profile = Profile::default();
    let normal = Pressure::default();
    let warning = normal.classify(0.70, &profile, at(10));
    assert_eq!(warning, Pressure { level: PressureLevel::Warning, since: at(10) });

    assert_eq!(warning.classify(0.66, &profile, at(100)), warning, "within the hysteresis");
    assert_eq!(warning.classify(0.10, &profile, at(10)), warning, "within the dwell");
    assert_eq!(warning.classify(0.64, &profile, at(11)).level, PressureLevel::Normal);

    let emergency = warning.classify(2.0, &profile, at(10));
    assert_eq!(emergency.level, PressureLevel::Emergency);
    assert_eq!(emergency.classify(0.77, &profile, at(20)).level, PressureLevel::Critical);
}

#[test]
fn a_level_that_usage_is_about_to_reach_again_is_not_left() {
    let profile = Profile::default();
    let emergency = Pressure::default().classify(0.96, &profile, at(10));
    let soon = |reached| emergency.classify_reached(0.82, reached, &profile, at(20)).level;
    assert_eq!(soon(PressureLevel::Emergency), PressureLevel::Emergency);
    assert_eq!(soon(PressureLevel::Critical), PressureLevel::Critical);
}

#[test]
fn a_clock_that_runs_backwards_keeps_the_level() {
    let profile = Profile::default();
    let warning = Pressure::default().classify(0.7, &profile, at(10));
    assert_eq!(warning.classify(0.1, &profile, at(5)), warning);
}

proptest! {
    #[test]
    fn a_higher_usage_never_gives_a_lower_level(
        level in 0usize..4, low in 0.0f64..1.5, more in 0.0f64..1.0, now in 0u64..100,
    ) {
        let profile = Profile::default();
        let level = [PressureLevel::Normal, PressureLevel::Warning, PressureLevel::Critical,
            PressureLevel::Emergency][level];
        let before = Pressure { level, since: at(1) };
        let at_low = before.classify(low, &profile, at(now)).level;
        let at_high = before.classify(low + more, &profile, at(now)).level;
        prop_assert!(at_low <= at_high);
    }

    #[test]
    fn on_a_random_walk_no_level_is_left_within_its_dwell(
        walk in proptest::collection::vec((0.5f64..1.1, 0u64..700), 1..200),
    ) {
        let profile = Profile::default();
        let mut pressure = Pressure::default();
        let mut now = Duration::ZERO;
        for (usage, step_ms) in walk {
            now += Duration::from_millis(step_ms);
            let next = pressure.classify(usage, &profile, now);
            if next.level < pressure.level {
                prop_assert!(now - pressure.since >= profile.dwell);
                prop_assert!(usage < profile.watermarks.of(pressure.level) - profile.hysteresis);
            }
            pressure = next;
        }
    }
}

fn sample(footprint_mib: u64, dirty_mib: u64, working_set_mib: u64) -> Sample {
    Sample {
        live_bytes: footprint_mib << 20,
        active_bytes: Some(footprint_mib << 20),
        dirty_bytes: Some(dirty_mib << 20),
        working_set_bytes: Some(working_set_mib << 20),
        limit_bytes: Some(128 << 20),
        ..Sample::default()
    }
}

#[test]
fn live_dirty_and_outside_pressure_are_told_apart() {
    let budget = Budget::new(112 << 20).unwrap();
    let of = |sample| diagnose(&sample, &budget).diagnosis;
    assert_eq!(of(sample(100, 20, 121)), Diagnosis::Live);
    assert_eq!(of(sample(50, 40, 110)), Diagnosis::Dirty);
    assert_eq!(of(sample(50, 1, 120)), Diagnosis::Outside);
    assert_eq!(of(sample(50, 1, 30)), Diagnosis::Live);
}

#[test]
fn a_container_that_is_almost_full_comes_before_a_heap_that_is_not() {
    let budget = Budget::new(112 << 20).unwrap();
    let of = |sample| diagnose(&sample, &budget);
    let finding = of(sample(85, 35, 122));
    assert_eq!(finding.diagnosis, Diagnosis::Dirty);
    assert!(finding.usage > 0.95, "{}", finding.usage);
    assert_eq!(of(sample(85, 1, 122)).diagnosis, Diagnosis::Outside);
    assert_eq!(of(sample(85, 35, 121)).diagnosis, Diagnosis::Live, "94 % is not the last level");
    assert_eq!(of(sample(107, 15, 123)).diagnosis, Diagnosis::Live, "both are at it");
}

#[test]
fn without_a_limit_of_the_container_what_the_process_has_in_memory_counts() {
    let budget = Budget::new(100 << 20).unwrap();
    let sample = Sample {
        live_bytes: 10 << 20,
        resident_bytes: Some(96 << 20),
        working_set_bytes: Some(8 << 30),
        process_limit_bytes: Some(128 << 20),
        ..Sample::default()
    };
    let finding = diagnose(&sample, &budget);
    assert_eq!((finding.usage, finding.diagnosis), (0.75, Diagnosis::Outside));
}

#[test]
fn what_is_not_known_does_not_press() {
    let budget = Budget::new(100 << 20).unwrap();
    let sample = Sample { live_bytes: 10 << 20, ..Sample::default() };
    let finding = diagnose(&sample, &budget);
    assert_eq!(finding.diagnosis, Diagnosis::Live);
    assert!((finding.usage - 0.1).abs() < 1e-9);
}
