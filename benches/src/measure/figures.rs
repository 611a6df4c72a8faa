//! What the programs said, round by round.

use std::collections::BTreeMap;
use std::error::Error;

use super::{Backend, Configuration, Spread};

/// The figures of each row and program, one a round.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rounds: BTreeMap<(&'static str, &'static str), Vec<f64>>,
}

impl Figures {
    /// Asks every program for every row, `rounds` times over.
    ///
    /// The programs take turns within a row, and another one begins each round: what disturbs the
    /// machine for a while disturbs them all alike. `measure` is given the row and the program;
    /// `None` is a row that the program does not have.
    pub(crate) fn take_turns(
        &mut self,
        rounds: usize,
        rows: &[&'static str],
        mut measure: impl FnMut(
            &'static str,
            &'static Configuration,
        ) -> Result<Option<f64>, Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let configurations: Vec<_> = Backend::all().iter().flat_map(Backend::programs).collect();
        for round in 0..rounds {
            for row in rows {
                eprintln!("round {} of {rounds}: {row}", round + 1);
                for turn in 0..configurations.len() {
                    let configuration = configurations[(round + turn) % configurations.len()];
                    if let Some(figure) = measure(row, configuration)? {
                        self.add(row, configuration.program, figure);
                    }
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, row: &'static str, program: &'static str, figure: f64) {
        self.rounds.entry((row, program)).or_default().push(figure);
    }

    fn of(&self, row: &'static str, program: &'static str) -> impl Iterator<Item = f64> {
        self.rounds.get(&(row, program)).into_iter().flatten().copied()
    }

    /// A program's own figures.
    pub(crate) fn spread(&self, row: &'static str, program: &'static str) -> Option<Spread> {
        Spread::of(self.of(row, program))
    }

    /// A program's figures as ratios to those of `bare` in the same rounds.
    pub(crate) fn ratios(
        &self,
        row: &'static str,
        program: &'static str,
        bare: &'static str,
    ) -> Option<Spread> {
        let pairs = self.of(row, program).zip(self.of(row, bare));
        Spread::of(pairs.map(|(figure, bare)| figure / bare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_to_the_bare_figure_of_the_same_round() {
        let mut figures = Figures::default();
        for (bare, counted) in [(10.0, 12.0), (100.0, 130.0), (20.0, 28.0)] {
            figures.add("pairs", "bare", bare);
            figures.add("pairs", "counted", counted);
        }
        // The ratio of the medians is 1.4 as well; of the means it would be 1.31.
        let ratios = figures.ratios("pairs", "counted", "bare").unwrap();
        assert!((ratios.median - 1.3).abs() < 1e-9, "{ratios}");
        assert!((ratios.least - 1.2).abs() < 1e-9, "{ratios}");
        assert!((ratios.most - 1.4).abs() < 1e-9, "{ratios}");
        assert_eq!(figures.spread("pairs", "bare").unwrap().median, 20.0);
    }

    #[test]
    fn what_was_not_measured_has_no_figure() {
        let mut figures = Figures::default();
        figures.add("scope", "counted", 1.0);
        assert_eq!(figures.spread("scope", "bare"), None);
        assert_eq!(figures.ratios("scope", "counted", "bare"), None);
        assert_eq!(figures.spread("pairs", "counted"), None);
    }

    #[test]
    fn every_program_is_asked_once_a_round_and_each_round_begins_with_another() {
        let mut asked = Vec::new();
        let mut figures = Figures::default();
        let ask = |_, configuration: &'static Configuration| {
            asked.push(configuration.program);
            Ok((configuration.program != "bare_system").then_some(1.0))
        };
        figures.take_turns(3, &["pairs"], ask).unwrap();
        let programs = asked.len() / 3;
        for round in 0..3 {
            let mut turn = asked[round * programs..][..programs].to_vec();
            assert_eq!(turn[0], asked[round]);
            turn.sort();
            turn.dedup();
            assert_eq!(turn.len(), programs);
        }
        assert_eq!(figures.of("pairs", "bare_jemalloc").count(), 3);
        assert_eq!(figures.of("pairs", "bare_system").count(), 0);
    }
}
