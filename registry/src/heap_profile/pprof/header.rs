//! [`Header`]: what a profile says of itself that the format has no place for, in a comment.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What such a comment begins with.
const NAME: &str = "bursar-heap-profile";
/// The version of what follows.
const FORMAT: u64 = 1;

/// Moments are in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) run: u64,
    pub(super) taken_at: u64,
    pub(super) since: Option<u64>,
    pub(super) samples_total: u64,
    pub(super) samples_lost_total: u64,
    /// Where in memory the file of each mapping begins.
    pub(super) bases: Vec<u64>,
}

impl Header {
    pub(super) fn write(&self) -> String {
        let Self { run, taken_at, since, samples_total, samples_lost_total, bases } = self;
        let since = since.map(|since| format!(" since_unix_ms={since}")).unwrap_or_default();
        let bases = bases.iter().map(|base| format!("{base:x}")).collect::<Vec<_>>().join(",");
        format!(
            "{NAME} format={FORMAT} run={run} taken_unix_ms={taken_at}{since} \
             samples_total={samples_total} samples_lost_total={samples_lost_total} bases={bases}"
        )
    }

    /// `None` if it is another comment.
    pub(super) fn read(comment: &str) -> Option<Result<Self, String>> {
        let fields = comment.strip_prefix(NAME)?.strip_prefix(' ')?;
        Some(Self::of(&fields.split(' ').filter_map(|field| field.split_once('=')).collect()))
    }

    fn of(fields: &HashMap<&str, &str>) -> Result<Self, String> {
        let number = |name: &str| -> Result<u64, String> {
            let value = fields.get(name).ok_or_else(|| format!("it has no {name}"))?;
            value.parse().map_err(|_| format!("its {name} is no number"))
        };
        match number("format")? {
            FORMAT => {}
            other => return Err(format!("it is in format {other}, and {FORMAT} is read here")),
        }
        let bases = fields.get("bases").copied().unwrap_or_default().split(',');
        let since = fields.contains_key("since_unix_ms").then(|| number("since_unix_ms"));
        Ok(Self {
            run: number("run")?,
            taken_at: number("taken_unix_ms")?,
            since: since.transpose()?,
            samples_total: number("samples_total")?,
            samples_lost_total: number("samples_lost_total")?,
            bases: bases.filter_map(|base| u64::from_str_radix(base, 16).ok()).collect(),
        })
    }
}

/// Milliseconds since 1970: 0 before.
pub(super) fn unix_ms(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `None` if the system's clock cannot say it.
pub(super) fn moment(unix_ms: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for since in [None, Some(7)] {
            let header = Header {
                run: u64::MAX,
                taken_at: 1_800_000_000_123,
                since,
                samples_total: 9,
                samples_lost_total: 0,
                bases: if since.is_some() { vec![0x55d0_c000_0000, 0] } else { Vec::new() },
            };
            assert_eq!(Header::read(&header.write()), Some(Ok(header)));
        }
    }

    #[test]
    fn other_comments_are_passed_over() {
        for comment in ["", "12 samples were lost", "bursar-heap-profiles a=b"] {
            assert_eq!(Header::read(comment), None);
        }
    }

    #[test]
    fn one_that_is_not_right_is_refused_with_what_is_wrong() {
        for (fields, reason) in [
            ("run=1", "no format"),
            ("format=2 run=1", "format 2"),
            ("format=1 run=x", "run is no number"),
            ("format=1 run=-1", "run is no number"),
            ("format=1 run=1 taken_unix_ms=1 samples_total=1", "no samples_lost_total"),
        ] {
            let refused = Header::read(&format!("{NAME} {fields}")).unwrap().unwrap_err();
            assert!(refused.contains(reason), "{fields}: {refused}");
        }
    }
}
