//! How load and limit change: a plan for each second, the same for the same seed.

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::f64::consts::TAU;
use std::ops::RangeInclusive;

/// How far the load swings about its mean.
const SWING: f64 = 0.8;
/// A burst is so many times the mean.
const BURST: f64 = 4.0;
/// The limit is within these shares of what it begins with.
const LIMITS: RangeInclusive<f64> = 0.75..=1.25;

/// Requests a second, for each second: a slow sine, cut by bursts and pauses.
pub(crate) fn rates(seed: u64, seconds: u32, mean: f64) -> Vec<u32> {
    let mut random = SmallRng::seed_from_u64(seed);
    let unit = unit(seconds);
    let period = f64::from(unit * 15);
    let sine = |second| mean * (1.0 + SWING * (TAU * f64::from(second) / period).sin());
    let mut rates: Vec<_> = (0..seconds).map(|second| sine(second) as u32).collect();
    let mut at = random.random_range(unit..=unit * 4);
    while at < seconds {
        let lasts = random.random_range(1..=1 + unit / 2);
        let rate = if random.random_bool(0.5) { (mean * BURST) as u32 } else { 0 };
        let until = (at + lasts).min(seconds);
        rates[at as usize..until as usize].fill(rate);
        at = until + random.random_range(unit..=unit * 4);
    }
    rates
}

/// The limit that is aimed at, for each second: `base`, then others for some time
/// each.
pub(crate) fn limits(seed: u64, seconds: u32, base: u64) -> Vec<u64> {
    let mut random = SmallRng::seed_from_u64(!seed);
    let unit = unit(seconds);
    let mut limits = Vec::with_capacity(seconds as usize);
    let mut goal = base;
    while limits.len() < seconds as usize {
        let hold = random.random_range(unit * 2..=unit * 8) as usize;
        limits.resize((limits.len() + hold).min(seconds as usize), goal);
        let mebibytes = base as f64 * random.random_range(LIMITS) / f64::from(1 << 20);
        goal = (mebibytes as u64) << 20;
    }
    limits
}

/// A while, in seconds: of two hours 20, of less in proportion, and one at least.
fn unit(seconds: u32) -> u32 {
    (seconds / 40).clamp(1, 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_plan() {
        assert_eq!(rates(1, 500, 100.0), rates(1, 500, 100.0));
        assert_ne!(rates(1, 500, 100.0), rates(2, 500, 100.0));
        assert_eq!(limits(1, 500, 64 << 20), limits(1, 500, 64 << 20));
        assert_ne!(limits(1, 500, 64 << 20), limits(2, 500, 64 << 20));
    }

    #[test]
    fn the_load_swings_bursts_and_pauses_about_its_mean() {
        let rates = rates(1, 7_200, 1_000.0);
        assert_eq!(rates.len(), 7_200);
        let count = |is: fn(u32) -> bool| rates.iter().filter(|&&rate| is(rate)).count();
        assert!(count(|rate| rate == 4_000) > 100, "bursts");
        assert!(count(|rate| rate == 0) > 100, "pauses");
        assert!(count(|rate| (1..500).contains(&rate)) > 500, "ebb");
        assert!(count(|rate| (1_500..=1_800).contains(&rate)) > 500, "flood");
    }

    #[test]
    fn the_limit_begins_at_its_base_and_goes_both_ways_within_a_quarter_of_it() {
        let base = 128 << 20;
        let limits = limits(1, 7_200, base);
        assert_eq!((limits.len(), limits[0]), (7_200, base));
        assert!(limits.iter().all(|&limit| (96 << 20..=160 << 20).contains(&limit)));
        let changes = limits.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((40..=180).contains(&changes), "{changes}");
        assert!(limits.iter().any(|&limit| limit > base) && limits.iter().any(|&l| l < base));
    }

    #[test]
    fn a_short_plan_has_all_of_that_too() {
        let limits = limits(1, 20, 64 << 20);
        assert!(limits.windows(2).any(|pair| pair[0] != pair[1]));
        let rates = rates(1, 20, 1_000.0);
        assert!(rates.iter().any(|&rate| rate == 0 || rate == 4_000));
    }
}
