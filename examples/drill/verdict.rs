//! One thing a run is held to, and whether it kept it.

use crate::show;
use std::fmt;

/// One thing a run is held to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) what: &'static str,
    /// What was measured.
    pub(crate) found: String,
    /// What is asked.
    pub(crate) bar: String,
    pub(crate) passed: bool,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, found, bar, passed } = self;
        write!(f, "{}  {what}: {found} (bar: {bar})", show::verdict(*passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_reads_as_a_line() {
        let (found, bar) = ("80.1 %".to_owned(), "above 80.0 %".to_owned());
        let verdict = Verdict { what: "hit rate", found, bar, passed: true };
        assert_eq!(verdict.to_string(), "passed  hit rate: 80.1 % (bar: above 80.0 %)");
        let missed = Verdict { passed: false, ..verdict };
        assert_eq!(missed.to_string(), "FAILED  hit rate: 80.1 % (bar: above 80.0 %)");
    }
}
