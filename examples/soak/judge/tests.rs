use super::*;

const MIB: u64 = 1 << 20;

/// Two hours that kept everything, if only just.
fn kept() -> Outcome {
    let limit = |second: u64| if second < 4_000 { 128 * MIB } else { 96 * MIB };
    let row = |second: u64| Row {
        seconds: second as f64,
        limit: Some(limit(second)),
        budget: budget_of(limit(second)),
        bursar: if second < 4_000 { 100_000 } else { 105_000 },
        cleanups: second / 3_600,
        ..Row::default()
    };
    Outcome {
        end: End::Served,
        lasted: Duration::from_secs(7_200),
        finished: true,
        contained: true,
        swap: None,
        peak: Some(128 * MIB),
        limit_changes: 1,
        rows: (0..7_200).map(row).collect(),
        churned: Churned { comparisons: 2, bytes_compared: 1, ..Churned::default() },
        served: 1,
        hits: 0,
        failed: 0,
        wrong: 0,
        unread: 0,
        server_cores: None,
        client_cores: None,
    }
}

/// What is missed once `change` is made to a soak that keeps everything.
fn missed(change: impl FnOnce(&mut Outcome)) -> Vec<&'static str> {
    let mut outcome = kept();
    change(&mut outcome);
    let missed = outcome.verdicts().into_iter().filter(|verdict| !verdict.passed);
    missed.map(|verdict| verdict.what).collect()
}

const GROWTH_OF_BURSAR: &str = "Bursar's own memory, in the second and the last quarter";

#[test]
fn a_soak_that_just_keeps_everything_passes() {
    assert_eq!(missed(|_| ()), [] as [&str; 0]);
    assert_eq!(missed(|soak| soak.end = End::Interrupted), [] as [&str; 0]);
}

#[test]
fn each_thing_that_is_not_kept_fails_by_itself() {
    assert_eq!(missed(|soak| soak.end = End::Killed), ["the server"]);
    assert_eq!(missed(|soak| soak.end = End::Died("1".to_owned())), ["the server"]);
    assert_eq!(missed(|soak| soak.failed = 1), ["answers"]);
    assert_eq!(missed(|soak| soak.wrong = 1), ["answers"]);
    assert_eq!(missed(|soak| soak.churned.differences = 1), ["sums by tag"]);
    assert_eq!(missed(|soak| soak.churned.spoiled = 1), ["blocks"]);
    assert_eq!(missed(|soak| soak.churned.lost = 1), ["blocks"]);
    assert_eq!(missed(|soak| soak.unread = 1), ["statistics"]);
    assert_eq!(missed(|soak| soak.rows[7_199].cleanups = 0), ["cleanups"]);
}

#[test]
fn a_soak_in_which_nothing_was_served_or_compared_has_shown_nothing() {
    assert_eq!(missed(|soak| soak.served = 0), ["answers"]);
    assert_eq!(missed(|soak| soak.churned.bytes_compared = 0), ["sums by tag"]);
    assert_eq!(missed(|soak| soak.finished = false), ["sums by tag"]);
    let nothing = missed(|soak| soak.rows.clear());
    assert_eq!(nothing, [GROWTH_OF_BURSAR, "the budget follows the limit", "cleanups"]);
}

#[test]
fn growth_of_bursar_itself_fails_from_half_an_hour_on() {
    let grow = |soak: &mut Outcome| soak.rows.iter_mut().for_each(|row| row.bursar += row.bursar);
    assert_eq!(missed(grow), [] as [&str; 0]);
    let grow = |soak: &mut Outcome| soak.rows[4_000..].iter_mut().for_each(|row| row.bursar += 1);
    assert_eq!(missed(grow), [GROWTH_OF_BURSAR]);
    let short = |soak: &mut Outcome| {
        grow(soak);
        soak.lasted = JUDGED_FROM - Duration::from_secs(1);
    };
    assert_eq!(missed(short), [] as [&str; 0]);
}

#[test]
fn a_budget_has_a_few_seconds_to_follow_the_limit() {
    let late = |seconds: usize| {
        missed(|soak| {
            for row in &mut soak.rows[4_000..4_000 + seconds] {
                row.budget = budget_of(128 * MIB);
            }
        })
    };
    assert_eq!(late(FOLLOWED_AFTER), [] as [&str; 0]);
    assert_eq!(late(FOLLOWED_AFTER + 1), ["the budget follows the limit"]);
}
