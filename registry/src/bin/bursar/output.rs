//! What is written for people: plain when piped, in colours on a terminal.

use std::io::{self, IsTerminal, Write};

use bursar::PressureLevel;

use crate::failure::{Failure, Kind};

/// Writes text and a line feed to the standard output. Whoever has stopped reading is not told
/// more.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(format!("{text}\n").as_bytes())
}

/// Likewise, bytes as they are.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Kind::File, format!("the output could not be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says on the standard error how it went, as far as anybody listens.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "bursar: {text}");
}

/// Whether levels are told by colours, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Colours {
    is_on: bool,
}

impl Colours {
    /// On a terminal that has any, unless `NO_COLOR` is set to something (no-color.org).
    pub(crate) fn of_stdout() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { is_on: io::stdout().is_terminal() && !is_dumb && !is_refused() }
    }

    /// `text` in the colour of `level`.
    pub(crate) fn paint(self, level: PressureLevel, text: &str) -> String {
        if !self.is_on {
            return text.to_owned();
        }
        let colour = match level {
            PressureLevel::Normal => "32",
            PressureLevel::Warning => "33",
            PressureLevel::Critical => "31",
            PressureLevel::Emergency => "1;31",
        };
        format!("\u{1b}[{colour}m{text}\u{1b}[0m")
    }
}

/// Whether `NO_COLOR` is set to something.
pub(crate) fn is_refused() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_that_are_off_leave_text_as_it_is() {
        let painted = |is_on| Colours { is_on }.paint(PressureLevel::Warning, "warning");
        assert_eq!(painted(false), "warning");
        assert_eq!(painted(true), "\u{1b}[33mwarning\u{1b}[0m");
    }
}
