//! [`Query`]: which form of a heap profile is asked for.

use std::time::Duration;

use super::super::failure::Failure;

/// The most characters of what was given that a refusal repeats.
const MAX_REPEATED: usize = 100;

/// The longest that is waited for a difference.
const MAX_SECONDS: u64 = 60;

/// What comes after the `?` of `/profile`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) format: Format,
    pub(super) tag: Option<String>,
    /// Whether names are looked up.
    pub(super) with_symbols: bool,
    /// What is added in this time is asked for, not what is there.
    pub(super) time: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Pprof,
    FlameGraph,
    Collapsed,
}

impl Query {
    /// Reads a query; none is the default of everything.
    pub(super) fn of(query: Option<&str>) -> Result<Self, Failure> {
        let (mut format, mut tag, mut with_symbols, mut time) = (None, None, None, None);
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_first = match name {
                "format" => format.replace(format_of(value)?).is_none(),
                "tag" => tag.replace(tag_of(value)?).is_none(),
                "symbols" => with_symbols.replace(symbols_of(value)?).is_none(),
                "seconds" => time.replace(time_of(value)?).is_none(),
                _ => return Err(refused("parameter", name, "format, tag, symbols and seconds")),
            };
            if !is_first {
                return Err(refused("parameter", name, "each once"));
            }
        }
        Ok(Self {
            format: format.unwrap_or(Format::Pprof),
            tag,
            with_symbols: with_symbols.unwrap_or(true),
            time,
        })
    }
}

fn format_of(value: &str) -> Result<Format, Failure> {
    match value {
        "pprof" => Ok(Format::Pprof),
        "flamegraph" => Ok(Format::FlameGraph),
        "collapsed" => Ok(Format::Collapsed),
        _ => Err(refused("format", value, "pprof, flamegraph and collapsed")),
    }
}

fn symbols_of(value: &str) -> Result<bool, Failure> {
    match value {
        "full" => Ok(true),
        "none" => Ok(false),
        _ => Err(refused("symbols", value, "full and none")),
    }
}

fn time_of(value: &str) -> Result<Duration, Failure> {
    let seconds = value.parse().ok().filter(|seconds| (1..=MAX_SECONDS).contains(seconds));
    let seconds = seconds.ok_or_else(|| refused("seconds", value, "1 to 60"))?;
    Ok(Duration::from_secs(seconds))
}

fn tag_of(value: &str) -> Result<String, Failure> {
    let tag = decoded(value).filter(|tag| !tag.is_empty());
    tag.ok_or_else(|| refused("tag", value, "the name of a tag, percent-encoded"))
}

fn refused(name: &str, given: &str, allowed: &str) -> Failure {
    let given: String = given.chars().take(MAX_REPEATED).collect();
    let message = format!("{name} {given:?} is not allowed in this query; allowed: {allowed}");
    Failure::new("invalid_query", message)
        .detail("name", name)
        .detail("given", given)
        .detail("allowed", allowed)
}

/// A value without its percent-encoding; `None` if that makes no text.
fn decoded(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                let [high, low] =
                    [digits[0], digits[1]].map(|digit| char::from(digit).to_digit(16));
                bytes.push(u8::try_from(high? << 4 | low?).ok()?);
                rest = after;
            }
            b'+' => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_as_by_default() {
        let default = Query { format: Format::Pprof, tag: None, with_symbols: true, time: None };
        for query in [None, Some(""), Some("&"), Some("symbols=full"), Some("&format=pprof&")] {
            assert_eq!(Query::of(query), Ok(default.clone()), "{query:?}");
        }
        let asked = Query::of(Some("symbols=none&tag=images/thumbs&format=flamegraph")).unwrap();
        assert_eq!(asked.format, Format::FlameGraph);
        assert_eq!((asked.tag.as_deref(), asked.with_symbols), (Some("images/thumbs"), false));
        assert_eq!(Query::of(Some("format=collapsed")).unwrap().format, Format::Collapsed);
    }

    #[test]
    fn a_tag_may_be_percent_encoded() {
        let tag = |query| Query::of(Some(query)).map(|query| query.tag.unwrap());
        assert_eq!(tag("tag=images%2Fthumbs%3a1").unwrap(), "images/thumbs:1");
        assert_eq!(tag("tag=a+b=c").unwrap(), "a b=c");
        for wrong in ["tag=%", "tag=%2", "tag=%zz", "tag=%ff", "tag=", "tag", "tag=%+1"] {
            assert_eq!(tag(wrong).unwrap_err().details["name"], "tag", "{wrong}");
        }
    }

    #[test]
    fn what_is_not_known_is_named_with_what_is_allowed() {
        for (query, name, given, allowed) in [
            ("format=svg", "format", "svg", "flamegraph"),
            ("format=", "format", "", "pprof"),
            ("symbols=some", "symbols", "some", "none"),
            ("seconds=0", "seconds", "0", "1 to 60"),
            ("seconds=61", "seconds", "61", "1 to 60"),
            ("seconds=-1", "seconds", "-1", "1 to 60"),
            ("minutes=1", "parameter", "minutes", "format, tag, symbols and seconds"),
            ("Format=pprof", "parameter", "Format", "format"),
            ("tag=a&tag=b", "parameter", "tag", "each once"),
            ("=x", "parameter", "", "format"),
        ] {
            let failure = Query::of(Some(query)).unwrap_err();
            assert_eq!(failure.error_code, "invalid_query");
            assert_eq!((&*failure.details["name"], &*failure.details["given"]), (name, given));
            assert!(failure.details["allowed"].contains(allowed), "{failure:?}");
            assert!(failure.message.contains(given), "{failure:?}");
        }
    }

    #[test]
    fn a_refusal_repeats_no_endless_value() {
        let failure = Query::of(Some(&format!("format={}", "x".repeat(10_000)))).unwrap_err();
        assert_eq!(failure.details["given"].len(), MAX_REPEATED);
    }
}
