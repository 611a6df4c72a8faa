//! [`Human`]: how people write a setting's value.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;

use crate::ladder::Stage;
use crate::pressure::PressureLevel;
use crate::profile::{Policy, Profile, Watermarks};

/// A value that people write: `400MiB`, `70%`, `250ms`.
///
/// The type says how. Among the settings every `u64` is a size in bytes, every `usize` a number of
/// things, every `f64` a share, every `Duration` a time. No value is written as an empty string.
pub(crate) trait Human: Sized {
    /// What is allowed, to end a message with.
    const ALLOWED: &'static str;

    /// The value; `None` if it is not written as [`ALLOWED`](Self::ALLOWED) says.
    fn parse(given: &str) -> Option<Self>;

    /// The first name that is given twice, for a value in which each name stands once.
    fn name_given_twice(_given: &str) -> Option<&str> {
        None
    }
}

impl<T: Human> Human for Option<T> {
    const ALLOWED: &'static str = T::ALLOWED;

    fn parse(given: &str) -> Option<Self> {
        T::parse(given).map(Some)
    }
}

impl Human for usize {
    const ALLOWED: &'static str = "a whole number";

    fn parse(given: &str) -> Option<Self> {
        given.parse().ok()
    }
}

impl Human for u64 {
    const ALLOWED: &'static str =
        "a number of bytes, or a size with a unit such as 400MiB or 1.5GB";

    fn parse(given: &str) -> Option<Self> {
        let size: ByteSize = given.parse().ok()?;
        // The parser answers the largest number for everything past it.
        (size.as_u64() < u64::MAX).then_some(size.as_u64())
    }
}

impl Human for f64 {
    const ALLOWED: &'static str = "a share from 0 to 1, such as 0.7 or 70%";

    fn parse(given: &str) -> Option<Self> {
        let (number, whole) = match given.strip_suffix('%') {
            Some(percent) => (percent, 100.0),
            None => (given, 1.0),
        };
        let share = number.parse::<f64>().ok()? / whole;
        (0.0..=1.0).contains(&share).then_some(share)
    }
}

impl Human for [f64; 3] {
    const ALLOWED: &'static str =
        "shares for warning, critical and emergency, such as 0.15,0.3,0.5 or 15%,30%,50%";

    fn parse(given: &str) -> Option<Self> {
        let shares: Vec<f64> = items(given).map(f64::parse).collect::<Option<_>>()?;
        shares.try_into().ok()
    }
}

impl Human for Watermarks {
    const ALLOWED: &'static str =
        "shares for warning, critical and emergency, such as 0.7,0.8,0.95 or 70%,80%,95%";

    fn parse(given: &str) -> Option<Self> {
        let [warning, critical, emergency] = <[f64; 3]>::parse(given)?;
        Some(Self { warning, critical, emergency })
    }
}

impl Human for Duration {
    const ALLOWED: &'static str = "a time with a unit, such as 1s, 250ms or 1m 30s";

    fn parse(given: &str) -> Option<Self> {
        humantime::parse_duration(given).ok()
    }
}

impl Human for bool {
    const ALLOWED: &'static str = "true, false, 1, 0, yes, no, on or off";

    fn parse(given: &str) -> Option<Self> {
        match given.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        }
    }
}

impl Human for PressureLevel {
    const ALLOWED: &'static str = "warning, critical or emergency";

    fn parse(given: &str) -> Option<Self> {
        Self::ABOVE_NORMAL.into_iter().find(|level| level.as_str() == given)
    }
}

impl Human for Policy {
    const ALLOWED: &'static str = "conservative, balanced or aggressive";

    fn parse(given: &str) -> Option<Self> {
        [Self::Conservative, Self::Balanced, Self::Aggressive]
            .into_iter()
            .find(|policy| policy.as_str() == given)
    }
}

impl Human for Profile {
    const ALLOWED: &'static str = "default, function or dense";

    fn parse(given: &str) -> Option<Self> {
        Self::named(given)
    }
}

impl Human for Vec<Stage> {
    const ALLOWED: &'static str = "stages in the order they are to run, each once, out of collect, \
                                   trim, release and emergency, such as trim,release; or none";

    fn parse(given: &str) -> Option<Self> {
        if given == "none" {
            return Some(Self::new());
        }
        let all = [Stage::Collect, Stage::Trim, Stage::Release, Stage::Emergency];
        let named = |name: &str| all.into_iter().find(|stage| stage.to_string() == name);
        items(given).map(named).collect()
    }
}

impl Human for BTreeMap<String, u64> {
    const ALLOWED: &'static str =
        "names and their sizes, such as thumbnails=20MiB,sessions=5MiB, each name once";

    fn parse(given: &str) -> Option<Self> {
        by_name(given)
    }

    fn name_given_twice(given: &str) -> Option<&str> {
        twice(given)
    }
}

impl Human for BTreeMap<String, usize> {
    const ALLOWED: &'static str =
        "names and their numbers of entries, such as sessions=10000,buffers=64, each name once";

    fn parse(given: &str) -> Option<Self> {
        by_name(given)
    }

    fn name_given_twice(given: &str) -> Option<&str> {
        twice(given)
    }
}

fn by_name<T: Human>(given: &str) -> Option<BTreeMap<String, T>> {
    let mut values = BTreeMap::new();
    for item in items(given) {
        let (name, value) = named(item)?;
        if values.insert(name.to_owned(), T::parse(value)?).is_some() {
            return None;
        }
    }
    Some(values)
}

/// The first name that has a value for the second time.
fn twice(given: &str) -> Option<&str> {
    let mut seen = BTreeSet::new();
    items(given).filter_map(named).map(|(name, _)| name).find(|name| !seen.insert(*name))
}

fn named(item: &str) -> Option<(&str, &str)> {
    let (name, value) = item.split_once('=')?;
    Some((name.trim_end(), value.trim_start()))
}

impl Human for PathBuf {
    const ALLOWED: &'static str = "a path";

    fn parse(given: &str) -> Option<Self> {
        (!given.is_empty()).then(|| given.into())
    }
}

/// What stands between the commas.
fn items(given: &str) -> impl Iterator<Item = &str> {
    given.split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use super::*;

    fn accepts<T: Human + PartialEq + Debug>(forms: &[(&str, T)]) {
        for (given, value) in forms {
            assert_eq!(T::parse(given).as_ref(), Some(value), "{given:?}");
        }
    }

    fn refuses<T: Human + PartialEq + Debug>(forms: &[&str]) {
        for given in forms.iter().chain(&["", " ", ",", "12 bananas", "\u{0}"]) {
            assert_eq!(T::parse(given), None, "{given:?}");
        }
    }

    #[test]
    fn a_size_is_a_number_of_bytes_or_has_a_unit() {
        accepts(&[("134217728", 128_u64 << 20), ("400MiB", 400 << 20), ("1.5GB", 1_500_000_000)]);
        refuses::<u64>(&["-1", "90%", "1e400", "NaN", "99999999999999999999GB", "64MiB,64MiB"]);
    }

    #[test]
    fn a_share_is_a_number_up_to_one_or_a_percentage() {
        accepts(&[("0.7", 0.7), ("70%", 0.7), ("7.5%", 0.075), ("0", 0.0), ("100%", 1.0)]);
        refuses::<f64>(&["70", "101%", "-0.1", "NaN", "inf", "%", "70%%", "0,7"]);
    }

    #[test]
    fn shares_of_the_three_levels_are_written_with_commas() {
        accepts(&[("0.15,0.3,0.5", [0.15, 0.3, 0.5]), ("15%, 30%, 50%", [0.15, 0.3, 0.5])]);
        refuses::<[f64; 3]>(&["0.1,0.2", "0.1,0.2,0.3,0.4", "0.1,0.2,", "0.1;0.2;0.3"]);
        let watermarks = Watermarks { warning: 0.7, critical: 0.8, emergency: 0.95 };
        accepts(&[("70%,80%,95%", watermarks)]);
    }

    #[test]
    fn a_time_has_its_unit() {
        let ms = Duration::from_millis;
        accepts(&[("1s", ms(1000)), ("250ms", ms(250)), ("1m 30s", ms(90_000))]);
        refuses::<Duration>(&["5", "-1s", "1 banana", "99999999999999999999s"]);
    }

    #[test]
    fn a_switch_is_on_or_off_in_any_of_the_usual_words() {
        for (on, off) in [("true", "false"), ("1", "0"), ("yes", "no"), ("On", "OFF")] {
            accepts(&[(on, true), (off, false)]);
        }
        refuses::<bool>(&["2", "y", "enabled"]);
    }

    #[test]
    fn stages_stand_in_the_order_they_are_to_run_and_none_is_said_in_so_many_words() {
        use Stage::{Collect, Trim};
        accepts(&[("trim", vec![Trim]), ("trim, collect", vec![Trim, Collect]), ("none", vec![])]);
        refuses::<Vec<Stage>>(&["trim,none", "trimm", "Trim", "trim,"]);
    }

    #[test]
    fn a_tags_budget_is_a_name_and_a_size_and_no_tag_has_two() {
        let budgets = |list: &[(&str, u64)]| {
            list.iter().map(|&(tag, bytes)| (tag.to_owned(), bytes)).collect::<BTreeMap<_, _>>()
        };
        accepts(&[
            ("thumbnails=20MiB", budgets(&[("thumbnails", 20 << 20)])),
            ("a/b=1KiB, c = 5", budgets(&[("a/b", 1024), ("c", 5)])),
        ]);
        refuses::<BTreeMap<String, u64>>(&["a", "a=", "a=1,", "a=1,a=2", "a=b=1"]);
    }

    #[test]
    fn entries_are_a_name_and_a_plain_number() {
        let entries = |name: &str, number: usize| BTreeMap::from([(name.to_owned(), number)]);
        accepts(&[("sessions=10000", entries("sessions", 10_000)), (" a = 0", entries("a", 0))]);
        refuses::<BTreeMap<String, usize>>(&["a", "a=", "a=1.5", "a=1KiB", "a=-1", "a=1,a=2"]);
    }

    #[test]
    fn a_name_that_is_given_twice_is_found() {
        type Sizes = BTreeMap<String, u64>;
        assert_eq!(Sizes::name_given_twice("a=1,b=2, a =3,b=4"), Some("a"));
        assert_eq!(Sizes::name_given_twice("a=1,b=2,a"), None);
        assert_eq!(u64::name_given_twice("a=1,a=2"), None);
    }

    #[test]
    fn a_level_that_something_begins_at_is_one_above_normal() {
        accepts(&[("warning", PressureLevel::Warning), ("emergency", PressureLevel::Emergency)]);
        refuses::<PressureLevel>(&["normal", "Critical", "3"]);
    }

    #[test]
    fn policies_and_profiles_go_by_their_names() {
        accepts(&[("aggressive", Policy::Aggressive), ("balanced", Policy::Balanced)]);
        refuses::<Policy>(&["Aggressive", "mild"]);
        accepts(&[("dense", Profile::dense()), ("default", Profile::default())]);
        refuses::<Profile>(&["Dense", "none"]);
    }
}
