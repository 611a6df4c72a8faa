//! How fast points grow.

use super::window::{Dot, median};

/// Bytes a second: the median of the slopes between any two points (Theil 1950, Sen 1968), which
/// up to a quarter of wild points leave alone. `None` of fewer than two.
pub(super) fn slope(dots: &[Dot]) -> Option<f64> {
    let pairs = dots.iter().enumerate().flat_map(|(index, later)| {
        dots[..index].iter().map(|earlier| (later.bytes - earlier.bytes) / (later.at - earlier.at))
    });
    (dots.len() >= 2).then(|| median(pairs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dots(bytes: &[f64]) -> Vec<Dot> {
        (0..).zip(bytes).map(|(at, &bytes)| Dot { at: f64::from(at), bytes }).collect()
    }

    #[test]
    fn a_wild_point_does_not_move_the_slope() {
        let mut line: Vec<f64> = (0..20).map(|at| 100.0 + 3.0 * f64::from(at)).collect();
        assert_eq!(slope(&dots(&line)), Some(3.0));
        line[7] = 1e9;
        assert_eq!(slope(&dots(&line)), Some(3.0));
    }

    #[test]
    fn one_point_has_no_slope() {
        assert_eq!(slope(&dots(&[1.0])), None);
        assert_eq!(slope(&[]), None);
    }
}
