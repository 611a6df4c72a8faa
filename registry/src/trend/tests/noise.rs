//! How often it is wrong: on made-up noise, the same in each run.

use super::*;

/// Series of a kind that are to be silent.
const SERIES: u64 = 2000;
/// Series of a kind that are to be told.
const LEAKS: u64 = 500;

/// Of so many series, the share that is told to grow.
fn told(count: u64, mut series: impl FnMut(&mut Chance) -> Vec<(Duration, u64)>) -> f64 {
    let told = (0..count).filter(|&seed| of(&series(&mut Chance(seed))).is_some()).count();
    told as f64 / count as f64
}

/// Noise of which each point keeps so much of the one before.
fn noise(chance: &mut Chance, points: u32, kept: f64) -> Vec<(Duration, u64)> {
    let mut level = chance.normal();
    over(HOURS, points, |_| {
        level = kept * level + (1.0 - kept * kept).sqrt() * chance.normal();
        100.0 + 10.0 * level
    })
}

const LENGTHS: [u32; 3] = [32, 48, 64];

#[test]
fn of_noise_in_which_each_point_is_new_hardly_any_series_is_told() {
    for points in LENGTHS {
        let normal = told(SERIES, |chance| noise(chance, points, 0.0));
        let even = told(SERIES, |chance| over(HOURS, points, |_| 100.0 + 20.0 * chance.share()));
        let spiky = told(SERIES, |chance| {
            over(HOURS, points, |_| 80.0 - 20.0 * (1.0 - chance.share()).ln())
        });
        println!("{points} points: normal {normal}, even {even}, spiky {spiky}");
        assert!(normal.max(even).max(spiky) <= 0.001, "{points}: {normal} {even} {spiky}");
    }
}

#[test]
fn of_noise_that_comes_and_goes_in_spells_no_more_than_a_hundredth_is_told() {
    for points in LENGTHS {
        for kept in [0.5, 0.8, 0.9] {
            let told = told(SERIES, |chance| noise(chance, points, kept));
            println!("{points} points, each with {kept} of the one before: {told}");
            assert!(told <= 0.01, "{points} points, {kept}: {told}");
        }
    }
}

#[test]
fn of_waves_of_any_length_and_phase_with_noise_no_more_than_one_in_a_thousand_is_told() {
    for points in LENGTHS {
        let told = told(SERIES, |chance| {
            let (count, phase) = (1.5 + 10.0 * chance.share(), chance.share());
            over(HOURS, points, |x| {
                let wave = (std::f64::consts::TAU * (count * x + phase)).sin();
                100.0 + 20.0 * wave + chance.normal()
            })
        });
        println!("{points} points: waves {told}");
        assert!(told <= 0.001, "{points}: {told}");
    }
}

/// Of leaks in noise, by how many standard deviations of it they have grown.
fn found(points: u32, grown: f64) -> f64 {
    told(LEAKS, |chance| over(HOURS, points, |x| 100.0 + chance.normal() + grown * x))
}

#[test]
fn a_leak_is_found_once_it_has_grown_well_beyond_the_noise() {
    for points in LENGTHS {
        let shares = [4.0, 8.0, 10.0, 12.0, 16.0].map(|grown| found(points, grown));
        println!("{points} points: grown by 4, 8, 10, 12, 16 deviations, found {shares:?}");
        assert!(shares.is_sorted(), "{points}: {shares:?}");
        assert!(shares[4] >= 0.98, "{points}: {shares:?}");
    }
    assert!(found(64, 10.0) >= 0.95);
}
