//! How far something is: a bar on a terminal, a line now and then elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// The progress of one piece of work.
#[derive(Debug)]
pub(crate) struct Progress {
    label: String,
    unit: &'static str,
    total: u64,
    bar: Option<ProgressBar>,
    next_line: Cell<Instant>,
}

impl Progress {
    /// Begins to show work of `total` `unit`s.
    pub(crate) fn new(label: &str, total: u64, unit: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let template = "{prefix:<26} {bar:32} {pos:>7}/{len} {msg}";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(total).with_style(style).with_prefix(label.to_owned())
        });
        if bar.is_none() {
            eprintln!("{label} ({total} {unit})");
        }
        Self {
            label: label.to_owned(),
            unit,
            total,
            bar,
            next_line: Cell::new(Instant::now() + PLAIN_EVERY),
        }
    }

    /// Shows that `done` of the total is done, and `note` beside it.
    pub(crate) fn set(&self, done: u64, note: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(note.to_owned());
            bar.set_position(done);
        } else if Instant::now() >= self.next_line.get() {
            self.next_line.set(Instant::now() + PLAIN_EVERY);
            eprintln!("{}: {done} of {} {} {note}", self.label, self.total, self.unit);
        }
    }

    /// Leaves the last state on the terminal.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}
