//! [`Found`]: an [`Advice`] in the making, and how what it shows is written.

use std::cmp::Reverse;
use std::fmt::Display;
use std::time::Duration;

use bytesize::ByteSize;

use super::advice::{Advice, AdviceCode, Figure, Severity};
use crate::stats::Stats;

/// Findings of one kind that are told each by itself: the largest. Of a process with a thousand
/// tags, the first few are what somebody can look into; how many more there are is told.
pub(super) const MOST_OF_A_KIND: usize = 5;

/// The longest a name or a reason is shown. Names have 64 characters at most; a reason that is
/// longer is somebody's essay, or hostile.
const MOST_CHARS: usize = 200;

/// Findings, those of each kind in a list of their own.
pub(super) type Kinds = Vec<Vec<Found>>;

/// A finding, and the bytes it is about: those of more bytes come first.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) advice: Advice,
    pub(super) bytes: u64,
}

impl Found {
    pub(super) fn new(severity: Severity, code: AdviceCode, title: impl Into<String>) -> Self {
        let (title, figures, remedy) = (title.into(), Vec::new(), String::new());
        Self { advice: Advice { severity, code, title, figures, remedy }, bytes: 0 }
    }

    /// The bytes it is about, where it is about bytes.
    pub(super) fn of_bytes(self, bytes: u64) -> Self {
        Self { bytes, ..self }
    }

    pub(super) fn figure(mut self, name: &str, value: impl Display) -> Self {
        let figure = Figure { name: name.to_owned(), value: value.to_string() };
        self.advice.figures.push(figure);
        self
    }

    pub(super) fn size(self, name: &str, bytes: u64) -> Self {
        self.figure(name, ByteSize(bytes))
    }

    /// A share in percent.
    pub(super) fn share(self, name: &str, share: f64) -> Self {
        self.figure(name, format_args!("{:.1} %", 100.0 * share))
    }

    pub(super) fn time(self, name: &str, time: Duration) -> Self {
        self.figure(name, span(time))
    }

    /// Where to look first.
    pub(super) fn largest_tag(self, stats: &Stats) -> Self {
        match stats.tags.iter().max_by_key(|tag| tag.live_bytes) {
            Some(tag) => self.figure("largest tag", shown(&tag.name)).size("with", tag.live_bytes),
            None => self,
        }
    }

    pub(super) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.advice.remedy = remedy.into();
        self
    }
}

/// The largest few of one kind; the last of them tells how many more there are.
pub(super) fn largest(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|found| Reverse((found.advice.severity, found.bytes)));
    let more = found.len().saturating_sub(MOST_OF_A_KIND);
    found.truncate(MOST_OF_A_KIND);
    if more > 0
        && let Some(last) = found.pop()
    {
        found.push(last.figure("and others like it", more));
    }
    found
}

/// A name or a reason out of another process, as it can be shown.
pub(super) fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let visible = |c: char| if c.is_control() { '?' } else { c };
    let mut shown: String = chars.by_ref().take(MOST_CHARS).map(visible).collect();
    if chars.next().is_some() {
        shown.push_str("...");
    }
    shown
}

/// A few names out of many.
pub(super) fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = all.len().saturating_sub(MOST_OF_A_KIND);
    let mut names: Vec<_> = all.take(MOST_OF_A_KIND).map(shown).collect();
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

/// A time as people say it: to the second, or below ten seconds to the tenth.
pub(super) fn span(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        return format!("{:.1} s", time.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

/// `part` of `whole`; nothing of nothing.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
