//! A [`Profile`] in files, by serde.

use std::fmt;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error as _, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::formats::{InFile, share};
use super::human::Human;
use crate::profile::{Policy, Profile, Watermarks};

/// A [`Profile`] in a file: the fields that differ from those of the preset.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProfileInFile {
    #[serde(default, skip_serializing)]
    preset: Preset,
    watermarks: Option<Watermarks>,
    targets: Option<[InFile<f64>; 3]>,
    policy: Option<Policy>,
    hysteresis: Option<InFile<f64>>,
    dwell: Option<InFile<Duration>>,
    growth_horizon: Option<InFile<Duration>>,
    cooldown: Option<InFile<Duration>>,
    max_share: Option<InFile<f64>>,
    max_cpu_share: Option<InFile<f64>>,
    callback_deadline: Option<InFile<Duration>>,
    stall_after: Option<InFile<Duration>>,
    calm: Option<InFile<Duration>>,
    interval: Option<InFile<Duration>>,
}

#[derive(Default)]
struct Preset(Profile);

impl<'de> Deserialize<'de> for Preset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let refused = || D::Error::invalid_value(Unexpected::Str(&name), &Profile::ALLOWED);
        Profile::named(&name).map(Self).ok_or_else(refused)
    }
}

impl From<&Profile> for ProfileInFile {
    fn from(profile: &Profile) -> Self {
        Self {
            preset: Preset::default(),
            watermarks: Some(profile.watermarks),
            targets: Some(profile.targets.map(InFile)),
            policy: Some(profile.policy),
            hysteresis: Some(InFile(profile.hysteresis)),
            dwell: Some(InFile(profile.dwell)),
            growth_horizon: Some(InFile(profile.growth_horizon)),
            cooldown: Some(InFile(profile.cooldown)),
            max_share: Some(InFile(profile.max_share)),
            max_cpu_share: Some(InFile(profile.max_cpu_share)),
            callback_deadline: Some(InFile(profile.callback_deadline)),
            stall_after: Some(InFile(profile.stall_after)),
            calm: Some(InFile(profile.calm)),
            interval: Some(InFile(profile.interval)),
        }
    }
}

impl From<ProfileInFile> for Profile {
    fn from(file: ProfileInFile) -> Self {
        let Preset(preset) = file.preset;
        Self {
            watermarks: file.watermarks.unwrap_or(preset.watermarks),
            targets: file.targets.map_or(preset.targets, |targets| targets.map(|target| target.0)),
            policy: file.policy.unwrap_or(preset.policy),
            hysteresis: or(file.hysteresis, preset.hysteresis),
            dwell: or(file.dwell, preset.dwell),
            growth_horizon: or(file.growth_horizon, preset.growth_horizon),
            cooldown: or(file.cooldown, preset.cooldown),
            max_share: or(file.max_share, preset.max_share),
            max_cpu_share: or(file.max_cpu_share, preset.max_cpu_share),
            callback_deadline: or(file.callback_deadline, preset.callback_deadline),
            stall_after: or(file.stall_after, preset.stall_after),
            calm: or(file.calm, preset.calm),
            interval: or(file.interval, preset.interval),
        }
    }
}

fn or<T>(given: Option<InFile<T>>, otherwise: T) -> T {
    given.map_or(otherwise, |given| given.0)
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ProfileInFile::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ProfileVisitor)
    }
}

struct ProfileVisitor;

impl<'de> Visitor<'de> for ProfileVisitor {
    type Value = Profile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a profile's name ({}) or its fields", Profile::ALLOWED)
    }

    fn visit_str<E: serde::de::Error>(self, given: &str) -> Result<Profile, E> {
        Profile::named(given).ok_or_else(|| E::invalid_value(Unexpected::Str(given), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Profile, A::Error> {
        ProfileInFile::deserialize(MapAccessDeserializer::new(map)).map(Profile::from)
    }
}

#[derive(Deserialize)]
#[serde(remote = "Watermarks", deny_unknown_fields)]
struct WatermarksInFile {
    #[serde(deserialize_with = "share")]
    warning: f64,
    #[serde(deserialize_with = "share")]
    critical: f64,
    #[serde(deserialize_with = "share")]
    emergency: f64,
}

/// The watermarks in the statistics of a process, which may be of another version: what they have
/// beside is passed over.
pub(crate) fn watermarks_as_read<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Watermarks, D::Error> {
    #[derive(Deserialize)]
    #[serde(remote = "Watermarks")]
    struct AsRead {
        warning: f64,
        critical: f64,
        emergency: f64,
    }
    AsRead::deserialize(deserializer)
}

impl<'de> Deserialize<'de> for Watermarks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WatermarksInFile::deserialize(deserializer)
    }
}
