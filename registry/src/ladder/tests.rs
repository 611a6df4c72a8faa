//! Whom a plan asks, for how much, in which order.

use proptest::prelude::*;

use super::*;

const MIB: u64 = 1 << 20;

fn budget() -> Budget {
    Budget::new(100 * MIB).unwrap()
}

fn sample(live_mib: u64) -> Sample {
    Sample { live_bytes: live_mib * MIB, ..Sample::default() }
}

fn candidate(index: usize, purgeable_bytes: u64) -> Candidate {
    Candidate {
        index,
        stage: Stage::Trim,
        priority: 0,
        rebuild_cost: RebuildCost::Medium,
        purgeable_bytes,
    }
}

fn plan_at(level: PressureLevel, diagnosis: Diagnosis, all: &[Candidate]) -> Option<Plan> {
    Ladder::default().plan(level, diagnosis, &sample(70), &budget(), all)
}

#[test]
fn at_normal_there_is_no_plan_and_with_nothing_purgeable_neither() {
    let all = [candidate(0, MIB)];
    assert_eq!(plan_at(PressureLevel::Normal, Diagnosis::Live, &all), None);
    assert_eq!(plan_at(PressureLevel::Critical, Diagnosis::Live, &[]), None);
    assert_eq!(plan_at(PressureLevel::Warning, Diagnosis::Live, &[candidate(0, 0)]), None);
}

#[test]
fn dirty_pages_cost_no_cache_an_entry_at_any_level() {
    for level in PressureLevel::ABOVE_NORMAL {
        let plan = plan_at(level, Diagnosis::Dirty, &[candidate(0, MIB)]).unwrap();
        assert_eq!(plan.target_bytes, 0);
        assert_eq!(plan.stages, [PlannedStage { stage: Stage::Collect, asks: vec![] }]);
    }
}

#[test]
fn pressure_from_outside_collects_first_and_trims_only_when_critical() {
    let stages = |level| {
        let plan = plan_at(level, Diagnosis::Outside, &[candidate(0, MIB)]).unwrap();
        plan.stages.iter().map(|planned| planned.stage).collect::<Vec<_>>()
    };
    assert_eq!(stages(PressureLevel::Warning), [Stage::Collect]);
    assert_eq!(stages(PressureLevel::Critical), [Stage::Collect, Stage::Trim]);
}

#[test]
fn the_target_is_the_levels_share_of_the_footprint_and_a_margin() {
    let all = [candidate(0, 60 * MIB)];
    let plan = plan_at(PressureLevel::Warning, Diagnosis::Live, &all).unwrap();
    let share = (70.0 * MIB as f64 * 0.15) as u64;
    assert_eq!(plan.target_bytes, share + share / MARGIN_PART);
}

#[test]
fn far_over_the_budget_the_target_reaches_below_the_warning_watermark() {
    let all = [candidate(0, 300 * MIB)];
    let plan = Ladder::default()
        .plan(PressureLevel::Warning, Diagnosis::Live, &sample(200), &budget(), &all)
        .unwrap();
    assert!(200 * MIB - plan.target_bytes < 65 * MIB);
}

#[test]
fn the_lowest_priority_goes_first_then_the_cheapest_then_the_largest() {
    let all = [
        Candidate { priority: 1, ..candidate(0, 9 * MIB) },
        candidate(1, MIB),
        candidate(2, 2 * MIB),
        Candidate { rebuild_cost: RebuildCost::Low, ..candidate(3, 1) },
        Candidate { rebuild_cost: RebuildCost::High, priority: -1, ..candidate(4, 1) },
    ];
    let plan = plan_at(PressureLevel::Warning, Diagnosis::Live, &all).unwrap();
    let order: Vec<usize> = plan.stages[0].asks.iter().map(|ask| ask.index).collect();
    assert_eq!(order, [4, 3, 2, 1, 0]);
}

#[test]
fn release_takes_pools_and_emergency_takes_everything_whole() {
    let pool = Candidate { stage: Stage::Release, ..candidate(1, MIB) };
    let all = [candidate(0, 10 * MIB), pool];
    let plan = plan_at(PressureLevel::Emergency, Diagnosis::Live, &all).unwrap();
    let asks: Vec<_> = plan.stages.iter().map(|s| (s.stage, s.asks.clone())).collect();
    let whole = |index| Ask { index, max_bytes: u64::MAX };
    assert_eq!(
        asks,
        [
            (Stage::Trim, vec![Ask { index: 0, max_bytes: 5 * MIB }]),
            (Stage::Release, vec![whole(1)]),
            (Stage::Emergency, vec![whole(0), whole(1)]),
        ]
    );
}

proptest! {
    #[test]
    fn a_trim_asks_no_one_for_more_than_the_share_and_nobody_twice(
        bytes in proptest::collection::vec(0u64..1 << 30, 0..20), live_mib in 70u64..500,
    ) {
        let all: Vec<_> =
            bytes.iter().enumerate().map(|(index, &b)| candidate(index, b)).collect();
        let plan = Ladder::default().plan(
            PressureLevel::Warning, Diagnosis::Live, &sample(live_mib), &budget(), &all,
        );
        prop_assert_eq!(plan.is_none(), bytes.iter().all(|&b| b == 0));
        let Some(plan) = plan else { return Ok(()) };
        let mut seen = std::collections::HashSet::new();
        for ask in &plan.stages[0].asks {
            prop_assert!(seen.insert(ask.index));
            prop_assert!(ask.max_bytes <= bytes[ask.index].div_ceil(2));
        }
    }
}

#[test]
fn a_conservative_policy_halves_the_share_and_spares_the_dear_until_it_is_critical() {
    let dear = Candidate { rebuild_cost: RebuildCost::High, ..candidate(1, 8 * MIB) };
    let all = [candidate(0, 8 * MIB), dear];
    let profile = Profile { policy: Policy::Conservative, ..Profile::default() };
    let budget = budget().with_profile(profile).unwrap();
    let asks = |level| {
        let plan = Ladder::default().plan(level, Diagnosis::Live, &sample(90), &budget, &all);
        plan.unwrap().stages[0].asks.clone()
    };
    let quarter = |index| Ask { index, max_bytes: 2 * MIB };
    assert_eq!(asks(PressureLevel::Warning), [quarter(0)]);
    assert_eq!(asks(PressureLevel::Critical), [quarter(0), quarter(1)]);
}

#[test]
fn an_aggressive_policy_releases_pools_and_purges_pages_from_the_warning_level_on() {
    let all = [candidate(0, MIB), Candidate { stage: Stage::Release, ..candidate(1, MIB) }];
    let plan = |policy| {
        let budget = budget().with_profile(Profile { policy, ..Profile::default() }).unwrap();
        let level = PressureLevel::Warning;
        Ladder::default().plan(level, Diagnosis::Live, &sample(75), &budget, &all).unwrap()
    };
    let stages = |plan: &Plan| plan.stages.iter().map(|s| s.stage).collect::<Vec<_>>();
    let (balanced, aggressive) = (plan(Policy::Balanced), plan(Policy::Aggressive));
    assert_eq!(stages(&balanced), [Stage::Trim]);
    assert_eq!(stages(&aggressive), [Stage::Trim, Stage::Release]);
    assert!(!balanced.purges_pages && aggressive.purges_pages);
    assert!(aggressive.target_bytes > balanced.target_bytes);
}
