//! What the commands can be told.

use std::error::Error;
use std::path::PathBuf;

/// How much is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Rounds, of which the median is shown.
    pub(crate) rounds: usize,
    /// A look whether all works, of which no figure means anything.
    pub(crate) quick: bool,
    /// The rows to measure; all of them if there are none.
    pub(crate) only: Vec<String>,
    /// Count the instructions of so many pairs, and nothing else.
    pub(crate) instructions: Option<u64>,
    /// Where the program `bursar` is, to be timed.
    pub(crate) bursar: Option<PathBuf>,
    /// Where charts are written.
    pub(crate) output: Option<PathBuf>,
}

impl Options {
    /// The options of this process, with `rounds` where nothing is said.
    pub(crate) fn of_this_process(rounds: usize) -> Result<Self, Box<dyn Error>> {
        let options = Self::parse(rounds, std::env::args().skip(1))?;
        if options.bursar.is_some() {
            return Err("the program bursar is timed by service".into());
        }
        options.of_one_command()
    }

    /// As [`of_this_process`](Self::of_this_process), for a command that measures itself.
    pub(crate) fn for_timing(rounds: usize) -> Result<Self, Box<dyn Error>> {
        Self::of_this_process(rounds)?.of_something_to_time()
    }

    /// As [`for_timing`](Self::for_timing), for a command that times the program `bursar` too.
    pub(crate) fn for_service(rounds: usize) -> Result<Self, Box<dyn Error>> {
        Self::parse(rounds, std::env::args().skip(1))?.of_one_command()?.of_something_to_time()
    }

    /// As [`for_service`](Self::for_service), for the command that is all of them.
    pub(crate) fn for_report(rounds: usize) -> Result<Self, Box<dyn Error>> {
        Self::parse(rounds, std::env::args().skip(1))?.of_something_to_time()
    }

    fn of_one_command(self) -> Result<Self, Box<dyn Error>> {
        if self.output.is_some() {
            return Err("charts are drawn by report".into());
        }
        Ok(self)
    }

    fn of_something_to_time(self) -> Result<Self, Box<dyn Error>> {
        if self.instructions.is_some() {
            return Err("instructions are counted by compare".into());
        }
        if cfg!(debug_assertions) && !self.quick {
            return Err("figures of a debug build mean nothing: run it with --release".into());
        }
        Ok(self)
    }

    fn parse(
        rounds: usize,
        mut arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let (quick, only, instructions, bursar, output) = (false, Vec::new(), None, None, None);
        let mut options = Self { rounds, quick, only, instructions, bursar, output };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => (options.quick, options.rounds) = (true, 1),
                "--rounds" => options.rounds = number(&argument, arguments.next())?,
                "--instructions" => {
                    options.instructions = Some(number(&argument, arguments.next())?);
                }
                "--only" => {
                    let row = arguments.next().ok_or("--only takes the name of a row")?;
                    options.only.push(row);
                }
                "--bursar" => {
                    let path = arguments.next().ok_or("--bursar takes the path of a program")?;
                    options.bursar = Some(path.into());
                }
                "--output" => {
                    let path = arguments.next().ok_or("--output takes the path of a directory")?;
                    options.output = Some(path.into());
                }
                _ => {
                    let known = "--rounds N, --quick, --only ROW, --instructions PAIRS, \
                                 --bursar PATH, --output DIRECTORY";
                    return Err(format!("{argument:?} is none of {known}").into());
                }
            }
        }
        Ok(options)
    }

    /// Those of `rows` that are to be measured.
    pub(crate) fn chosen(
        &self,
        rows: impl IntoIterator<Item = &'static str>,
    ) -> Result<Vec<&'static str>, Box<dyn Error>> {
        let rows: Vec<&str> = rows.into_iter().collect();
        if let Some(unknown) = self.only.iter().find(|&row| !rows.contains(&row.as_str())) {
            return Err(format!("{unknown:?} is none of {}", rows.join(", ")).into());
        }
        let is_chosen =
            |row: &&str| self.only.is_empty() || self.only.iter().any(|only| only == row);
        Ok(rows.into_iter().filter(is_chosen).collect())
    }
}

/// A count of one or more.
fn number<N: TryFrom<u64>>(option: &str, text: Option<String>) -> Result<N, Box<dyn Error>> {
    let number = text.as_ref().and_then(|text| text.parse().ok()).filter(|&number| number > 0);
    let number = number.and_then(|number| N::try_from(number).ok());
    let text = text.unwrap_or_default();
    number.ok_or_else(|| format!("{option} takes a number above zero, not {text:?}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        let arguments = line.split_whitespace().map(str::to_owned);
        Options::parse(15, arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_read_and_what_is_not_said_stays_as_it_was() {
        let (only, instructions, bursar, output) = (Vec::new(), None, None, None);
        let none = Options { rounds: 15, quick: false, only, instructions, bursar, output };
        assert_eq!(parse(""), Ok(none.clone()));
        assert_eq!(parse("--quick"), Ok(Options { rounds: 1, quick: true, ..none.clone() }));
        let many = Options {
            rounds: 7,
            quick: true,
            only: vec!["pairs".into(), "churn".into()],
            instructions: Some(1000),
            bursar: Some("target/bursar".into()),
            output: Some("docs/charts".into()),
        };
        let line = "--quick --rounds 7 --only pairs --only churn --instructions 1000 \
                    --bursar target/bursar --output docs/charts";
        assert_eq!(parse(line), Ok(many));
    }

    #[test]
    fn a_bad_option_is_named() {
        for (line, named) in [
            ("--fast", "\"--fast\""),
            ("--rounds", "--rounds takes"),
            ("--rounds 0", "\"0\""),
            ("--rounds -1", "\"-1\""),
            ("--only", "--only takes"),
            ("--instructions many", "\"many\""),
            ("--bursar", "--bursar takes"),
            ("--output", "--output takes"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(named), "{line}: {error}");
        }
    }

    #[test]
    fn all_rows_are_chosen_or_those_named_and_an_unknown_one_is_an_error() {
        let rows = ["pairs", "churn", "push"];
        assert_eq!(parse("").unwrap().chosen(rows).unwrap(), rows);
        let some = parse("--only push --only pairs").unwrap();
        assert_eq!(some.chosen(rows).unwrap(), ["pairs", "push"]);
        let error = parse("--only pears").unwrap().chosen(rows).unwrap_err().to_string();
        assert!(error.contains("pears") && error.contains("churn"), "{error}");
    }
}
