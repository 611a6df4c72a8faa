//! The middle of some figures, and how far they lie apart.

use std::fmt;

/// The median of some figures, with the least and the most of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) median: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// `None` if there are no figures.
    pub(crate) fn of(figures: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut figures: Vec<f64> = figures.into_iter().collect();
        figures.sort_by(f64::total_cmp);
        let (least, most) = (*figures.first()?, *figures.last()?);
        let (below, above) = (figures[(figures.len() - 1) / 2], figures[figures.len() / 2]);
        Some(Self { least, median: f64::midpoint(below, above), most })
    }
}

/// As `1.28 (1.22..1.41)`, with the decimals asked for or two.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = f.precision().unwrap_or(2);
        let Self { least, median, most } = self;
        write!(f, "{median:.decimals$} ({least:.decimals$}..{most:.decimals$})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_figure_or_between_the_two_in_the_middle() {
        let odd = Spread::of([5.0, 1.0, 3.0]).unwrap();
        assert_eq!(odd, Spread { least: 1.0, median: 3.0, most: 5.0 });
        let even = Spread::of([4.0, 1.0, 2.0, 100.0]).unwrap();
        assert_eq!(even, Spread { least: 1.0, median: 3.0, most: 100.0 });
        let single = Spread::of([7.0]).unwrap();
        assert_eq!(single, Spread { least: 7.0, median: 7.0, most: 7.0 });
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_spread_is_shown_with_its_ends() {
        let spread = Spread { least: 1.2, median: 1.276, most: 1.5 };
        assert_eq!(spread.to_string(), "1.28 (1.20..1.50)");
        assert_eq!(format!("{spread:.3}"), "1.276 (1.200..1.500)");
    }
}
