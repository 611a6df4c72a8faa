//! Which fixed sizes to try: in geometric steps up to one that is killed, then
//! ever closer to the largest that lives.

/// Steps while no bound is known yet.
const STEP: f64 = std::f64::consts::SQRT_2;
/// The bounds are close enough at this ratio.
const CLOSE: f64 = 1.04;
/// Below this no cache is worth the name.
const LEAST: usize = 16;

/// A search for the largest size that lives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    /// The size to begin with.
    pub(crate) first: usize,
    /// The largest there is any use in: all entries there are.
    pub(crate) most: usize,
}

impl Search {
    /// The size to try next, after those in `tried` of which each lived or not;
    /// none when the largest that lives is known closely enough.
    pub(crate) fn next(&self, tried: &[(usize, bool)]) -> Option<usize> {
        let killed = tried.iter().filter(|(_, lived)| !lived).map(|&(size, _)| size).min();
        let below = |size: usize| killed.is_none_or(|killed| size < killed);
        let alive = tried.iter().filter(|(size, lived)| *lived && below(*size));
        let alive = alive.map(|&(size, _)| size).max();
        match (alive, killed) {
            (None, None) => Some(round(self.first.max(LEAST) as f64).min(self.most)),
            (Some(alive), None) if alive < self.most => {
                Some(round(alive as f64 * STEP).min(self.most))
            }
            (Some(_), None) => None,
            (None, Some(killed)) => {
                let smaller = round(killed as f64 / STEP);
                (smaller >= LEAST).then_some(smaller)
            }
            (Some(alive), Some(killed)) => {
                let middle = round((alive as f64 * killed as f64).sqrt());
                let is_close = killed as f64 <= alive as f64 * CLOSE;
                let is_between = alive < middle && middle < killed;
                (is_between && !is_close).then_some(middle)
            }
        }
    }
}

/// To two digits, or three where the first is a 1: figures that can be read.
fn round(size: f64) -> usize {
    let magnitude = size.log10().floor();
    let kept = if size / 10_f64.powf(magnitude) < 2.0 { 2.0 } else { 1.0 };
    let unit = 10_f64.powf((magnitude - kept).max(0.0));
    ((size / unit).round() * unit) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sizes tried where all up to `largest` live.
    fn tried(search: Search, largest: usize) -> Vec<(usize, bool)> {
        let mut tried = Vec::new();
        while let Some(size) = search.next(&tried) {
            assert!(tried.iter().all(|&(other, _)| other != size), "{size} twice in {tried:?}");
            tried.push((size, size <= largest));
        }
        tried
    }

    fn largest_alive(tried: &[(usize, bool)]) -> Option<usize> {
        tried.iter().filter(|(_, lived)| *lived).map(|&(size, _)| size).max()
    }

    #[test]
    fn the_largest_size_that_lives_is_found_within_some_per_cent_in_a_few_trials() {
        for first in [20, 1_000, 3_000, 24_000] {
            for largest in [900, 7_500, 7_777, 20_000] {
                let tried = tried(Search { first, most: 25_000 }, largest);
                let found = largest_alive(&tried).expect("one lives");
                assert!(found as f64 >= largest as f64 / 1.06, "{found} of {largest}");
                assert!(tried.len() <= 26, "{tried:?}");
            }
        }
        assert!(tried(Search { first: 3_000, most: 25_000 }, 7_500).len() <= 8);
    }

    #[test]
    fn where_everything_fits_the_search_ends_with_everything() {
        let tried = tried(Search { first: 3_000, most: 8_000 }, usize::MAX);
        assert_eq!(tried, [(3_000, true), (4_200, true), (5_900, true), (8_000, true)]);
    }

    #[test]
    fn where_no_size_lives_the_search_ends() {
        let tried = tried(Search { first: 3_000, most: 8_000 }, 0);
        assert_eq!(largest_alive(&tried), None);
        assert!(tried.len() < 20, "{tried:?}");
    }

    #[test]
    fn a_size_that_was_killed_when_it_ran_again_is_a_bound() {
        let search = Search { first: 3_000, most: 8_000 };
        let tried = [(3_000, true), (4_200, true), (5_900, false), (4_200, false)];
        assert_eq!(search.next(&tried), Some(3_500));
    }

    #[test]
    fn sizes_are_rounded_to_what_can_be_read() {
        let rounded = [16.2, 99.6, 123.4, 1_234.0, 7_071.0, 16_970.0].map(round);
        assert_eq!(rounded, [16, 100, 123, 1_230, 7_100, 17_000]);
    }
}
