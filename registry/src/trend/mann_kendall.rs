//! The trend test of Mann and Kendall: whether later points are above earlier ones more often than
//! chance has it.
//!
//! It asks for no form of growth and no distribution: only the order of any two points counts.
//! H. B. Mann, "Nonparametric tests against trend", Econometrica 13 (1945), 245-259;
//! M. G. Kendall, "Rank Correlation Methods", 4th ed., London 1975.

use super::window::Dot;

/// How unlikely it is that points without a trend rise as much as these: from 0.5 of what does not
/// rise at all to 1. By the normal distribution, with the correction for continuity, which is close
/// from ten points on and too careful below.
pub(super) fn confidence(dots: &[Dot]) -> f64 {
    let (score, variance) = (score(dots), variance(dots));
    if score <= 0 || variance <= 0.0 {
        return 0.5;
    }
    normal((score - 1) as f64 / variance.sqrt())
}

/// `S`: the pairs whose later point is higher, less those whose later point is lower.
fn score(dots: &[Dot]) -> i64 {
    let mut score = 0;
    for (index, later) in dots.iter().enumerate() {
        for earlier in &dots[..index] {
            score += later.bytes.total_cmp(&earlier.bytes) as i64;
        }
    }
    score
}

/// The variance of `S` without a trend. Equal points, in groups of `t`, have less.
fn variance(dots: &[Dot]) -> f64 {
    let of = |count: usize| {
        let n = count as f64;
        n * (n - 1.0) * (2.0 * n + 5.0)
    };
    let mut bytes: Vec<f64> = dots.iter().map(|dot| dot.bytes).collect();
    bytes.sort_unstable_by(f64::total_cmp);
    let ties: f64 = bytes.chunk_by(|a, b| a == b).map(|equal| of(equal.len())).sum();
    (of(dots.len()) - ties) / 18.0
}

/// The share of the normal distribution below `z`, for `z >= 0`: Abramowitz and Stegun, "Handbook
/// of Mathematical Functions" (1964), 26.2.17, to 7.5e-8.
fn normal(z: f64) -> f64 {
    const FACTORS: [f64; 5] =
        [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let sum = FACTORS.iter().rev().fold(0.0, |sum, factor| t * (factor + sum));
    let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    (1.0 - density * sum).clamp(0.5, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(bytes: &[f64]) -> Vec<Dot> {
        (0..).zip(bytes).map(|(at, &bytes)| Dot { at: f64::from(at), bytes }).collect()
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, share) in [(0.0, 0.5), (1.0, 0.841_345), (1.645, 0.950_015), (2.326, 0.989_991)] {
            assert!((normal(z) - share).abs() < 1e-6, "{z}: {}", normal(z));
        }
        assert_eq!(normal(1e300), 1.0);
    }

    /// n (n - 1) (2 n + 5) / 18 is 125 for ten points: 10 * 9 * 25 / 18.
    #[test]
    fn the_score_and_its_variance_are_those_of_the_formulas() {
        let rising = dots(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        assert_eq!((score(&rising), variance(&rising)), (45, 125.0));
        // Of three equal ones 3 * 2 * 11 / 18 less, and of two 2 * 1 * 9 / 18.
        let tied = dots(&[1.0, 1.0, 1.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 9.0]);
        assert_eq!(score(&tied), 41);
        assert!((variance(&tied) - (125.0 - 66.0 / 18.0 - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn what_rises_is_likely_what_falls_or_stays_is_not_and_none_is_nothing() {
        let rising: Vec<f64> = (0..10).map(f64::from).collect();
        let falling: Vec<f64> = rising.iter().rev().copied().collect();
        // z = 44 / sqrt(125) = 3.94.
        assert!((confidence(&dots(&rising)) - 0.999_958).abs() < 1e-5);
        for bytes in [&falling[..], &[7.0; 10], &[], &[1.0]] {
            assert_eq!(confidence(&dots(bytes)), 0.5);
        }
    }
}
