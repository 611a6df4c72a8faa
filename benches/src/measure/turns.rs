//! Contestants that take turns, and how the figures of one lie to those of another.

use std::error::Error;

use super::Spread;

/// What each contestant did, one figure a round.
///
/// They take turns within a round, and another one begins each round: what disturbs the machine
/// for a while disturbs them all alike. `measure` is given the contestant's number.
pub(crate) fn in_turns<T>(
    rounds: usize,
    contestants: usize,
    mut measure: impl FnMut(usize) -> Result<T, Box<dyn Error>>,
) -> Result<Vec<Vec<T>>, Box<dyn Error>> {
    let mut figures: Vec<Vec<T>> = (0..contestants).map(|_| Vec::new()).collect();
    for round in 0..rounds {
        for turn in 0..contestants {
            let contestant = (round + turn) % contestants;
            figures[contestant].push(measure(contestant)?);
        }
    }
    Ok(figures)
}

/// The spread of `figure` over the pairs of two contestants' figures in the same round.
pub(crate) fn compared<T>(
    one: &[T],
    other: &[T],
    figure: impl Fn(&T, &T) -> f64,
) -> Option<Spread> {
    Spread::of(one.iter().zip(other).map(|(one, other)| figure(one, other)))
}

/// A spread with its decimals, as a cell.
pub(crate) fn cell(spread: Option<Spread>, decimals: usize) -> String {
    spread.map_or_else(dash, |spread| format!("{spread:.decimals$}"))
}

/// The cell of what there is not.
pub(crate) fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_begins_with_another_and_has_every_contestant_once() {
        let mut asked = Vec::new();
        let measure = |contestant| {
            asked.push(contestant);
            Ok(asked.len())
        };
        let figures = in_turns(2, 3, measure).unwrap();
        assert_eq!(asked, [0, 1, 2, 1, 2, 0]);
        assert_eq!(figures, [[1, 6], [2, 4], [3, 5]]);
    }

    #[test]
    fn figures_are_compared_with_those_of_the_same_round() {
        let ratios = compared(&[12.0, 130.0, 28.0], &[10.0, 100.0, 20.0], |one, other| one / other);
        assert_eq!(cell(ratios, 1), "1.3 (1.2..1.4)");
        assert_eq!(cell(compared(&[], &[], |one: &f64, _| *one), 1), "-");
    }
}
