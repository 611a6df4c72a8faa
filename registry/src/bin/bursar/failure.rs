//! [`Failure`]: why a command could not do what it was asked, in one line, and its exit code.

use std::fmt;

/// The longest message that is shown: much of it may come from a peer.
const MAX_CHARS: usize = 600;

/// What the exit codes mean, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  all is well
  1  doctor: a finding of severity critical; status --check: the level was reached
  2  wrong usage
  3  the service could not be reached, or went away
  4  no answer in time
  5  what answered is not Bursar, or its answer could not be read
  6  the service answers in another version of the format
  7  a file could not be read or written, or is no trace or profile";

/// The kinds of failures, each with its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Usage = 2,
    Unreachable = 3,
    Late = 4,
    NotBursar = 5,
    OtherFormat = 6,
    File = 7,
}

/// One line: what was tried, what happened, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    message: String,
}

impl Failure {
    pub(crate) fn new(kind: Kind, message: impl fmt::Display) -> Self {
        let message = plain(&message.to_string()).replace(['\n', '\t'], " ");
        Self { kind, message: shortened(message) }
    }

    /// With more to be said at the end.
    pub(crate) fn and(self, more: &str) -> Self {
        Self::new(self.kind, self.message + more)
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.kind as u8
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

fn shortened(mut message: String) -> String {
    if let Some((end, _)) = message.char_indices().nth(MAX_CHARS) {
        message.truncate(end);
        message.push_str(" ...");
    }
    message
}

/// The text without control characters but line feeds and tabs: what a peer sends does not get
/// to move the terminal's cursor.
pub(crate) fn plain(text: &str) -> String {
    let plain = |c: char| if is_acted_upon(c) && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.chars().map(plain).collect()
}

/// Whether a terminal may act upon it in place of showing it: control characters, and those that
/// turn the direction of writing or break lines.
pub(crate) fn is_acted_upon(c: char) -> bool {
    let is_format =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    c.is_control() || is_format
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_without_control_characters_and_not_endless() {
        let failure = Failure::new(Kind::NotBursar, "a\u{1b}[31mb\r\nc\u{9b}d");
        assert_eq!(failure.to_string(), "a\u{fffd}[31mb\u{fffd} c\u{fffd}d");
        assert_eq!(plain("a\u{202e}b\u{2028}c\u{2069}"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        let long = Failure::new(Kind::NotBursar, "é".repeat(100_000)).to_string();
        assert_eq!(long.chars().count(), MAX_CHARS + 4);
    }
}
