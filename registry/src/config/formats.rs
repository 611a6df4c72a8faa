//! Values in files, by serde: sizes, shares and times, as people write them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::de::{Error as _, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::human::Human;

/// A value in a file: as people write it, or the plain number.
pub(super) struct InFile<T>(pub(super) T);

/// What may stand in a file as a number too.
pub(super) trait Number: Human {
    fn from_integer(_: u64) -> Option<Self> {
        None
    }

    fn from_float(_: f64) -> Option<Self> {
        None
    }
}

impl Number for u64 {
    fn from_integer(bytes: u64) -> Option<Self> {
        Some(bytes)
    }
}

impl Number for usize {
    fn from_integer(entries: u64) -> Option<Self> {
        entries.try_into().ok()
    }
}

impl Number for f64 {
    fn from_integer(share: u64) -> Option<Self> {
        (share <= 1).then_some(share as Self)
    }

    fn from_float(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(share)
    }
}

/// A number would not say its unit.
impl Number for Duration {}

impl<'de, T: Number> Deserialize<'de> for InFile<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InFileVisitor(PhantomData)).map(Self)
    }
}

struct InFileVisitor<T>(PhantomData<T>);

impl<T: Number> Visitor<'_> for InFileVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::ALLOWED)
    }

    fn visit_str<E: serde::de::Error>(self, given: &str) -> Result<T, E> {
        T::parse(given).ok_or_else(|| E::invalid_value(Unexpected::Str(given), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, given: u64) -> Result<T, E> {
        T::from_integer(given).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(given), &self))
    }

    /// Some formats have no other integers.
    fn visit_i64<E: serde::de::Error>(self, given: i64) -> Result<T, E> {
        let positive = u64::try_from(given).ok();
        positive
            .and_then(T::from_integer)
            .ok_or_else(|| E::invalid_value(Unexpected::Signed(given), &self))
    }

    fn visit_f64<E: serde::de::Error>(self, given: f64) -> Result<T, E> {
        T::from_float(given).ok_or_else(|| E::invalid_value(Unexpected::Float(given), &self))
    }
}

impl Serialize for InFile<Duration> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(self.0))
    }
}

impl Serialize for InFile<f64> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

pub(super) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    InFile::deserialize(deserializer).map(|share: InFile<f64>| share.0)
}

pub(super) mod time {
    use super::{Deserialize, Deserializer, Duration, InFile, Serialize, Serializer};

    pub(in crate::config) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        InFile(*time).serialize(serializer)
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        InFile::deserialize(deserializer).map(|time: InFile<Duration>| time.0)
    }
}

pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    InFile::deserialize(deserializer).map(|size: InFile<u64>| size.0)
}

pub(super) fn optional_size<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    let size: Option<InFile<u64>> = Option::deserialize(deserializer)?;
    Ok(size.map(|size| size.0))
}

pub(super) fn by_name<'de, D: Deserializer<'de>, T: Number>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    deserializer.deserialize_map(ByName(PhantomData))
}

struct ByName<T>(PhantomData<T>);

impl<'de, T: Number> Visitor<'de> for ByName<T> {
    type Value = BTreeMap<String, T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a map of names, and for each {}", T::ALLOWED)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = BTreeMap::new();
        while let Some((name, InFile(value))) = map.next_entry::<String, _>()? {
            if values.contains_key(&name) {
                return Err(A::Error::custom(format_args!("{name:?} is given twice")));
            }
            values.insert(name, value);
        }
        Ok(values)
    }
}
