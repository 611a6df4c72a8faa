//! Any variables and any JSON as settings: nothing panics, what is accepted makes sense, and what
//! was accepted is accepted again, and equal, when it has been written to JSON.
//!
//! Names and values are mostly real ones, now and then with something wrong in them.

#![no_main]

use std::ffi::{OsStr, OsString};

use arbitrary::Arbitrary;
use bursar::{Config, Error};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

#[derive(Arbitrary, Debug)]
enum Settings {
    Variables(Vec<(Name, Text)>),
    /// A configuration, and for each field whose index is drawn another value.
    Fields(Vec<(u8, Place, Written)>),
    Json(String),
}

#[derive(Arbitrary, Debug)]
enum Name {
    Known(u8),
    Mistyped { known: u8, position: u8, character: char },
    Prefixed(String),
    Any(Vec<u8>),
}

impl Name {
    fn text(&self) -> OsString {
        let known = |index: &u8| {
            let names: Vec<_> = Config::variables().collect();
            names[usize::from(*index) % names.len()].to_owned()
        };
        match self {
            Self::Known(index) => known(index).into(),
            Self::Mistyped { known: index, position, character } => {
                let mut name = known(index);
                name.insert(usize::from(*position) % (name.len() + 1), *character);
                name.into()
            }
            Self::Prefixed(rest) => format!("BURSAR_{rest}").into(),
            Self::Any(bytes) => bytes_as_text(bytes),
        }
    }
}

/// A value as people write it, or something else.
#[derive(Arbitrary, Debug)]
enum Text {
    Size(u64, u8),
    Share(u8),
    Shares([u8; 3]),
    Time(u64, u8),
    Word(u8),
    Words(Vec<u8>),
    ByName(Vec<(u8, u16, u8)>),
    Number(f64),
    Any(Vec<u8>),
}

const SIZES: [&str; 6] = ["", "B", "KiB", "MiB", "GB", "EiB"];
const TIMES: [&str; 6] = ["ns", "ms", "s", "m", "days", "years"];
const WORDS: [&str; 18] = [
    "default",
    "function",
    "dense",
    "conservative",
    "balanced",
    "aggressive",
    "collect",
    "trim",
    "release",
    "emergency",
    "none",
    "true",
    "off",
    "1",
    "sessions",
    "untagged",
    "a/b",
    "",
];

fn pick<'a>(from: &[&'a str], index: u8) -> &'a str {
    from[usize::from(index) % from.len()]
}

impl Text {
    fn text(&self) -> OsString {
        let joined = |items: Vec<String>| items.join(",");
        let text = match self {
            Self::Size(number, unit) => format!("{number}{}", pick(&SIZES, *unit)),
            Self::Share(percent) => format!("{percent}%"),
            Self::Shares(percents) => {
                joined(percents.iter().map(|percent| format!("{percent}%")).collect())
            }
            Self::Time(number, unit) => format!("{number}{}", pick(&TIMES, *unit)),
            Self::Word(index) => pick(&WORDS, *index).to_owned(),
            Self::Words(indices) => {
                joined(indices.iter().map(|index| pick(&WORDS, *index).to_owned()).collect())
            }
            Self::ByName(values) => joined(
                values
                    .iter()
                    .map(|(name, number, unit)| {
                        format!("{}={number}{}", pick(&WORDS, *name), pick(&SIZES, *unit))
                    })
                    .collect(),
            ),
            Self::Number(number) => number.to_string(),
            Self::Any(bytes) => return bytes_as_text(bytes),
        };
        text.into()
    }
}

fn bytes_as_text(bytes: &[u8]) -> OsString {
    use std::os::unix::ffi::OsStrExt;
    OsStr::from_bytes(bytes).to_owned()
}

/// Where a value goes: into the configuration itself, or into the object that is there.
#[derive(Arbitrary, Debug)]
enum Place {
    Whole,
    Part(u8),
    UnknownPart(String),
}

#[derive(Arbitrary, Debug)]
enum Written {
    Null,
    Switch(bool),
    Integer(i64),
    Share(u8),
    Float(f64),
    Text(Text),
    Texts(Vec<Text>),
    Object(Vec<(Text, u32)>),
}

impl Written {
    fn value(&self) -> Value {
        let text = |text: &Text| text.text().to_string_lossy().into_owned();
        match self {
            Self::Null => Value::Null,
            Self::Switch(on) => json!(on),
            Self::Integer(number) => json!(number),
            Self::Share(share) => json!(f64::from(*share) / f64::from(u8::MAX)),
            Self::Float(number) => json!(number),
            Self::Text(given) => json!(text(given)),
            Self::Texts(given) => given.iter().map(text).collect(),
            Self::Object(entries) => {
                entries.iter().map(|(name, number)| (text(name), json!(number))).collect()
            }
        }
    }
}

/// The default configuration as JSON, with some fields changed.
fn changed(changes: &[(u8, Place, Written)]) -> Value {
    let mut config = serde_json::to_value(Config::default()).unwrap();
    for (field, place, written) in changes {
        let whole = nth(config.as_object_mut().unwrap(), *field);
        match (place, whole.as_object_mut()) {
            (Place::Part(part), Some(object)) if !object.is_empty() => {
                *nth(object, *part) = written.value();
            }
            (Place::UnknownPart(name), Some(object)) => {
                object.insert(name.clone(), written.value());
            }
            _ => *whole = written.value(),
        }
    }
    config
}

fn nth(object: &mut Map<String, Value>, index: u8) -> &mut Value {
    let index = usize::from(index) % object.len();
    object.values_mut().nth(index).unwrap()
}

fn is_the_same_when_written_and_read(config: &Config) {
    let json = serde_json::to_string(config).unwrap();
    let read: Config = serde_json::from_str(&json).unwrap();
    assert_eq!(read, *config, "{json}");
    assert_eq!(read.validate(), Ok(()));
}

fn is_told(error: &Error) {
    assert!(!error.to_string().is_empty());
    if let Error::InvalidVariables { variables } = error {
        assert!(!variables.is_empty());
        assert!(variables.iter().all(|variable| variable.name.starts_with("BURSAR_")));
    }
}

fuzz_target!(|settings: Settings| {
    let json = match settings {
        Settings::Variables(variables) => {
            let variables = variables.iter().map(|(name, value)| (name.text(), value.text()));
            match Config::from_vars(variables) {
                Ok(config) => {
                    assert_eq!(config.validate(), Ok(()));
                    is_the_same_when_written_and_read(&config);
                }
                Err(error) => is_told(&error),
            }
            return;
        }
        Settings::Fields(changes) => changed(&changes).to_string(),
        Settings::Json(json) => json,
    };
    let Ok(config) = serde_json::from_str::<Config>(&json) else { return };
    match config.validate() {
        Ok(()) => is_the_same_when_written_and_read(&config),
        Err(error) => is_told(&error),
    }
});
