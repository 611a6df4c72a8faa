use super::*;

fn outcome(hit_rate: f64, per_cpu_second: f64) -> Outcome {
    let (peak, wrong, failed) = (100 << 20, 0, 0);
    Outcome { fate: Fate::Served, hit_rate, per_cpu_second, peak, wrong, failed }
}

fn killed() -> Outcome {
    Outcome { fate: Fate::Killed, ..outcome(0.8, 20_000.0) }
}

fn size(entries: usize, trial: Outcome) -> Size {
    Size { entries, trial, finals: Vec::new() }
}

/// Three sizes that lived and one that did not; 6,000 hits most and 5,000 is
/// the quickest.
fn board() -> Board {
    let sizes = vec![
        size(4_000, outcome(0.70, 15_000.0)),
        size(7_000, killed()),
        size(5_000, outcome(0.73, 17_000.0)),
        size(6_000, outcome(0.75, 16_900.0)),
    ];
    Board { sizes, bursar: vec![outcome(0.73, 16_300.0)], unlimited: None }
}

#[test]
fn the_best_sizes_are_the_best_that_lived() {
    let board = board();
    let best = board.best().expect("some lived");
    assert_eq!((best.by_hit_rate.entries, best.by_throughput.entries), (6_000, 5_000));
    assert_eq!(board.tried()[..2], [(4_000, true), (7_000, false)]);
}

#[test]
fn each_distance_is_to_the_size_that_is_best_by_that_figure() {
    let distance = board().distance().expect("a distance");
    assert!((distance.points - 2.0).abs() < 1e-9, "{distance:?}");
    assert!((distance.throughput - 16_300.0 / 17_000.0).abs() < 1e-9, "{distance:?}");
    assert_eq!(board().complaints(), [] as [&str; 0]);
}

#[test]
fn the_bars_are_met_at_equality_and_missed_beyond() {
    let at = |points, throughput| Distance { points, throughput };
    assert!(at(3.0, 0.95).hit_rate_passes() && at(3.0, 0.95).throughput_passes());
    assert!(at(-1.0, 1.2).hit_rate_passes() && at(-1.0, 1.2).throughput_passes());
    assert!(!at(3.01, 0.95).hit_rate_passes() && !at(3.0, 0.949).throughput_passes());
    assert!(at(3.0, 0.95).passes() && !at(3.01, 0.95).passes() && !at(3.0, 0.949).passes());
}

#[test]
fn the_finalists_run_once_a_round_and_their_medians_count() {
    let mut board = board();
    for round in 1..=3 {
        let mut ran = Vec::new();
        while let Some(entries) = board.due(round) {
            ran.push(entries);
            // The trial had luck; the second round has some more of it.
            let hit_rate = if round == 2 { 0.9 } else { 0.74 };
            board.add_final(entries, outcome(hit_rate, 16_000.0));
        }
        assert_eq!(ran, [6_000, 5_000]);
    }
    let distance = board.distance().expect("a distance");
    assert!((distance.points - 1.0).abs() < 1e-9, "{distance:?}");
    assert!((distance.throughput - 16_300.0 / 16_000.0).abs() < 1e-9, "{distance:?}");
}

#[test]
fn a_finalist_that_is_killed_makes_way_for_the_next_best() {
    let mut board = board();
    board.add_final(6_000, killed());
    assert_eq!(board.best().map(|best| best.by_hit_rate.entries), Some(5_000));
    assert_eq!(board.due(2), Some(5_000));
    assert_eq!(board.tried()[3], (6_000, false));
}

#[test]
fn a_kill_under_bursar_is_complained_of_and_so_are_errors_and_runs_cut_short() {
    let mut board = board();
    board.bursar.push(Outcome { wrong: 2, ..killed() });
    board.sizes[0].trial.failed = 3;
    board.sizes[3].trial.fate = Fate::TimeUp;
    assert_eq!(
        board.complaints(),
        [
            "a server under Bursar did not live: killed by the kernel",
            "a run was out of time, and its figures are of fewer requests: give --seconds more",
            "2 wrong answers under Bursar",
            "3 failed requests of fixed sizes",
        ]
    );
}

#[test]
fn requests_that_failed_when_a_fixed_size_was_killed_are_no_complaint() {
    let mut board = board();
    board.sizes[1].trial.failed = 32;
    assert_eq!(board.complaints(), [] as [&str; 0]);
}

#[test]
fn where_no_size_lived_there_is_nothing_to_compare_with() {
    let mut board = board();
    board.sizes.iter_mut().for_each(|size| size.trial = killed());
    assert!(board.best().is_none() && board.due(1).is_none());
    assert_eq!(board.complaints(), ["no fixed size lived"]);
}

#[test]
fn a_median_is_the_middle_figure_or_between_the_two_in_the_middle() {
    let median = |figures: &[f64]| {
        let runs: Vec<_> = figures.iter().map(|&figure| outcome(figure, 0.0)).collect();
        super::median(&runs, |run| run.hit_rate)
    };
    assert_eq!(median(&[0.5, 0.1, 0.3]), Some(0.3));
    assert_eq!(median(&[1.0, 0.5]), Some(0.75));
    assert_eq!(median(&[]), None);
}
