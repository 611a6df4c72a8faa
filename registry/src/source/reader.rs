//! Small kernel files, read through a buffer on the stack: one number, one
//! `key value` line among many, or whatever a reader of lines makes of them.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::error::SourceError;

/// What is made of a file, line by line. What is wrong is said as what would
/// have been right.
pub(super) trait Lines {
    type Answer;

    /// Takes a line without its end; breaks when nothing further is wanted.
    fn line(&mut self, line: &[u8]) -> Result<ControlFlow<()>, &'static str>;

    /// What the lines come to.
    fn end(self) -> Result<Self::Answer, &'static str>;
}

/// A limit at or above this means "no limit". Cgroup v1 writes unlimited as
/// the largest page-aligned `i64`, whose value depends on the page size; no
/// machine has an exbibyte.
pub(super) const UNLIMITED_FROM_BYTES: u64 = 1 << 60;

/// A statistics file longer than this is not a statistics file.
const LONGEST_FILE_BYTES: usize = 1 << 20;

const A_NUMBER: &str = "a number of bytes";
const A_LIMIT: &str = "a limit in bytes above zero, or \"max\"";
pub(super) const A_STATISTIC: &str = "a line of a name and a number";

/// A file whose path is computed once and read many times.
#[derive(Debug)]
pub(super) struct SourceFile {
    path: PathBuf,
    name: String,
}

impl SourceFile {
    /// The file at `path`, an absolute path as seen from `root`.
    pub(super) fn new(root: &Path, path: &Path) -> Self {
        Self { path: under(root, path), name: path.display().to_string() }
    }

    /// The file's name as seen from the root, for humans.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The file's only content: one number.
    pub(super) fn number(&self) -> Result<u64, SourceError> {
        self.short(|text| parse_number(text).ok_or(A_NUMBER))
    }

    /// The file's only content: a limit. `None` when it says that there is none.
    pub(super) fn limit(&self) -> Result<Option<u64>, SourceError> {
        self.short(|text| match text {
            b"max" => Ok(None),
            _ => parse_limit(text).ok_or(A_LIMIT),
        })
    }

    /// The number after `key` and a space, on a line of its own.
    pub(super) fn statistic(&self, key: &'static str) -> Result<u64, SourceError> {
        self.line_after(key, |text| parse_number(text).ok_or(A_STATISTIC))
    }

    /// As [`SourceFile::statistic`], when the number is a limit.
    pub(super) fn statistic_limit(&self, key: &'static str) -> Result<Option<u64>, SourceError> {
        self.line_after(key, |text| parse_limit(text).ok_or(A_LIMIT))
    }

    /// Parses a file of one short line.
    fn short<T>(
        &self,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, SourceError> {
        let mut buffer = [0; 64];
        let mut file = self.open()?;
        let filled = self.fill(&mut file, &mut buffer)?;
        let text = &buffer[..filled];
        let line = text.strip_suffix(b"\n").unwrap_or(text);
        // A full buffer may have been cut in the middle of a number.
        let parsed = if filled < buffer.len() { parse(line) } else { Err("one short line") };
        parsed.map_err(|expected| SourceError::garbled(&self.name, expected, line))
    }

    /// Parses what follows `key` and a space at the start of a line.
    fn line_after<T>(
        &self,
        key: &'static str,
        parse: impl FnOnce(&[u8]) -> Result<T, &'static str>,
    ) -> Result<T, SourceError> {
        self.lines(LineAfter { key, parse: Some(parse), value: None })
    }

    /// Reads line by line, to the end or until `lines` has enough.
    pub(super) fn lines<L: Lines>(&self, mut lines: L) -> Result<L::Answer, SourceError> {
        let garbled = |expected, text: &[u8]| SourceError::garbled(&self.name, expected, text);
        let mut buffer = [0; 4096];
        let mut file = self.open()?;
        let mut kept = 0;
        let mut seen = 0;
        loop {
            let filled = kept + self.fill(&mut file, &mut buffer[kept..])?;
            let at_end = filled < buffer.len();
            seen += filled - kept;
            let text = &buffer[..filled];
            // The last line may be cut: only at the file's end is it whole.
            let whole = match text.iter().rposition(|&byte| byte == b'\n') {
                _ if at_end => filled,
                Some(newline) => newline + 1,
                None => return Err(garbled(A_STATISTIC, text)),
            };
            let mut has_enough = at_end;
            for line in text[..whole].split(|&byte| byte == b'\n') {
                if lines.line(line).map_err(|expected| garbled(expected, line))?.is_break() {
                    has_enough = true;
                    break;
                }
            }
            if has_enough {
                return lines.end().map_err(|expected| garbled(expected, &text[..whole]));
            }
            if seen > LONGEST_FILE_BYTES {
                return Err(garbled("a file of less than 1 MiB", &text[..whole]));
            }
            buffer.copy_within(whole..filled, 0);
            kept = filled - whole;
        }
    }

    fn open(&self) -> Result<File, SourceError> {
        File::open(&self.path).map_err(|error| SourceError::unreadable(&self.name, &error))
    }

    /// Reads until `buffer` is full or the file ends.
    fn fill(&self, file: &mut File, buffer: &mut [u8]) -> Result<usize, SourceError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(more) => filled += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(SourceError::unreadable(&self.name, &error)),
            }
        }
        Ok(filled)
    }
}

/// The first line of `key`, a space and what `parse` takes.
struct LineAfter<P, T> {
    key: &'static str,
    parse: Option<P>,
    value: Option<T>,
}

impl<P: FnOnce(&[u8]) -> Result<T, &'static str>, T> Lines for LineAfter<P, T> {
    type Answer = T;

    fn line(&mut self, line: &[u8]) -> Result<ControlFlow<()>, &'static str> {
        let value = line.strip_prefix(self.key.as_bytes()).and_then(|rest| rest.strip_prefix(b" "));
        if let Some(value) = value
            && let Some(parse) = self.parse.take()
        {
            self.value = Some(parse(value)?);
            return Ok(ControlFlow::Break(()));
        }
        Ok(ControlFlow::Continue(()))
    }

    fn end(self) -> Result<T, &'static str> {
        self.value.ok_or(self.key)
    }
}

/// Where `path`, absolute as seen from `root`, really is.
pub(super) fn under(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Decimal digits and nothing else: no sign, no blank, nothing past `u64`.
pub(super) fn parse_number(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A limit in digits: `Some(None)` when it is so high that it is none, `None`
/// when it is no limit that a process could live under.
fn parse_limit(text: &[u8]) -> Option<Option<u64>> {
    match parse_number(text)? {
        0 => None,
        bytes if bytes >= UNLIMITED_FROM_BYTES => Some(None),
        bytes => Some(Some(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_digits_only() {
        assert_eq!(parse_number(b"18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "-1", "+1", " 1", "1 ", "0x1", "1.5", "max", "18446744073709551616"] {
            assert_eq!(parse_number(wrong.as_bytes()), None, "{wrong:?}");
        }
    }

    #[test]
    fn the_unlimited_line_is_two_to_the_sixtieth() {
        assert_eq!(parse_limit(b"1152921504606846975"), Some(Some((1 << 60) - 1)));
        assert_eq!(parse_limit(b"1152921504606846976"), Some(None));
        assert_eq!(parse_limit(b"9223372036854771712"), Some(None));
        assert_eq!(parse_limit(b"0"), None);
    }
}
