//! Pressure stall information: how long tasks stood still for want of memory.

use std::ops::ControlFlow;

use super::error::SourceError;
use super::reader::{Lines, SourceFile, parse_number};
use crate::reading::MemoryStall;

const A_STALL: &str = "\"some\" and \"full\", each with avg10 in percent and a total";

/// Reads a `memory.pressure` file: two lines, `some` and `full`.
pub(super) fn read_stall(file: &SourceFile) -> Result<MemoryStall, SourceError> {
    file.lines(StallLines::default())
}

/// The averaged percent and the total microseconds of each line seen.
#[derive(Default)]
struct StallLines {
    some: Option<(f64, u64)>,
    full: Option<(f64, u64)>,
}

impl Lines for StallLines {
    type Answer = MemoryStall;

    fn line(&mut self, line: &[u8]) -> Result<ControlFlow<()>, &'static str> {
        let mut fields = line.split(|&byte| byte == b' ');
        let place = match fields.next() {
            Some(b"some") => &mut self.some,
            Some(b"full") => &mut self.full,
            _ => return Ok(ControlFlow::Continue(())),
        };
        *place = Some(parse_fields(fields).ok_or(A_STALL)?);
        let has_both = self.some.is_some() && self.full.is_some();
        Ok(if has_both { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn end(self) -> Result<MemoryStall, &'static str> {
        let (some_avg10_percent, some_total_us) = self.some.ok_or(A_STALL)?;
        let (full_avg10_percent, full_total_us) = self.full.ok_or(A_STALL)?;
        Ok(MemoryStall { some_avg10_percent, some_total_us, full_avg10_percent, full_total_us })
    }
}

/// `avg10` and `total` among fields of a name, an equals sign and a value.
fn parse_fields<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<(f64, u64)> {
    let (mut avg10, mut total) = (None, None);
    for field in fields {
        if let Some(value) = field.strip_prefix(b"avg10=") {
            avg10 = Some(parse_percent(value)?);
        } else if let Some(value) = field.strip_prefix(b"total=") {
            total = Some(parse_number(value)?);
        }
    }
    Some((avg10?, total?))
}

/// Digits, a point and two digits, 100.00 at most: as the kernel writes it, and nothing else.
fn parse_percent(text: &[u8]) -> Option<f64> {
    let [whole @ .., b'.', tenth, hundredth] = text else { return None };
    let hundredths =
        parse_number(whole)?.checked_mul(100)?.checked_add(parse_number(&[*tenth, *hundredth])?)?;
    (hundredths <= 10_000).then(|| hundredths as f64 / 100.0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::fixture::Fixture;

    const FILE: &str = "/proc/pressure/memory";

    fn read(content: &str) -> Result<MemoryStall, SourceError> {
        let root = Fixture::new();
        root.write(&FILE[1..], content);
        read_stall(&SourceFile::new(root.path(), Path::new(FILE)))
    }

    #[test]
    fn both_lines_give_average_and_total() {
        let stall = read(
            "some avg10=12.34 avg60=0.16 avg300=0.25 total=1831710\n\
             full avg10=100.00 avg60=0.14 avg300=0.22 total=18446744073709551615\n",
        );
        let expected = MemoryStall {
            some_avg10_percent: 12.34,
            some_total_us: 1_831_710,
            full_avg10_percent: 100.0,
            full_total_us: u64::MAX,
        };
        assert_eq!(stall, Ok(expected));
    }

    #[test]
    fn a_stall_that_is_torn_or_absurd_is_garbled() {
        let good = "some avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        for full in [
            "",
            "full\n",
            "full avg10=0.00\n",
            "full total=7\n",
            "full avg10=-1.00 total=7\n",
            "full avg10=100.01 total=7\n",
            "full avg10=1e2 total=7\n",
            "full avg10=NaN total=7\n",
            "full avg10=.5 total=7\n",
            "full avg10=0.000 total=7\n",
            "full avg10=18446744073709551615.00 total=7\n",
            "full avg10=0.00 total=18446744073709551616\n",
            "full avg10=0.00 total=max\n",
        ] {
            let error = read(&format!("{good}{full}")).expect_err(full);
            assert!(
                matches!(&error, SourceError::Garbled { file, .. } if file == FILE),
                "{error:?}"
            );
        }
    }
}
