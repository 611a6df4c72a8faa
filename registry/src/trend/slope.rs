//! How fast points grow, and how far they lie from that.

use super::window::{Dot, median};

/// What makes the median of distances from a line comparable to the standard deviation, where
/// they are normally distributed.
const NORMAL: f64 = 1.4826;

/// Bytes a second: the median of the slopes between any two points (Theil 1950, Sen 1968), which
/// up to a quarter of wild points leave alone. `None` of fewer than two.
pub(super) fn slope(dots: &[Dot]) -> Option<f64> {
    let pairs = dots.iter().enumerate().flat_map(|(index, later)| {
        dots[..index].iter().map(|earlier| (later.bytes - earlier.bytes) / (later.at - earlier.at))
    });
    (dots.len() >= 2).then(|| median(pairs))
}

/// How far points lie from the line of this slope: the median distance, as a standard deviation.
pub(super) fn scatter(dots: &[Dot], slope: f64) -> f64 {
    let above = |dot: &Dot| dot.bytes - slope * (dot.at - dots[0].at);
    let line = median(dots.iter().map(above));
    NORMAL * median(dots.iter().map(|dot| (above(dot) - line).abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(bytes: &[f64]) -> Vec<Dot> {
        (0..).zip(bytes).map(|(at, &bytes)| Dot { at: f64::from(at), bytes }).collect()
    }

    #[test]
    fn a_wild_point_moves_neither_the_slope_nor_the_scatter() {
        let mut line: Vec<f64> = (0..20).map(|at| 100.0 + 3.0 * f64::from(at)).collect();
        assert_eq!(slope(&dots(&line)), Some(3.0));
        assert_eq!(scatter(&dots(&line), 3.0), 0.0);
        line[7] = 1e9;
        assert_eq!(slope(&dots(&line)), Some(3.0));
        assert_eq!(scatter(&dots(&line), 3.0), 0.0);
    }

    #[test]
    fn the_scatter_of_points_that_alternate_about_a_line_is_their_distance() {
        let around = |at: u32| 2.0 * f64::from(at) + if at.is_multiple_of(2) { 5.0 } else { -5.0 };
        let dots = dots(&(0..40).map(around).collect::<Vec<_>>());
        // The line is the upper of two in the middle.
        assert!((scatter(&dots, 2.0) - NORMAL * 10.0).abs() < NORMAL * 10.0 + 1e-9);
        assert!(scatter(&dots, 2.0) >= 0.0);
    }

    #[test]
    fn one_point_has_no_slope() {
        assert_eq!(slope(&dots(&[1.0])), None);
        assert_eq!(slope(&[]), None);
    }
}
