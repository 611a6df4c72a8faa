//! A `serde_json::Value` of 10 MB: real work, of which allocating is a part.
//!
//! Stands for what services do all day: many small strings, maps and arrays, made in order and
//! dropped together; and, written back, one large string that grows.

use std::fmt::Write;
use std::hint::black_box;

use serde_json::Value;

use super::{Run, timed};
use crate::random::Random;

/// Bytes of the document, up to the end of its last record.
const LEN: usize = 10_000_000;

const WORDS: [&str; 16] = [
    "amber", "bridge", "copper", "delta", "evening", "forest", "granite", "harbour", "island",
    "juniper", "kettle", "lantern", "meadow", "northern", "orchard", "pebble",
];

/// An operation parses the document and drops the value.
pub(crate) fn parse() -> Run {
    let text = document(LEN);
    Box::new(move |count| {
        timed(|| {
            for _ in 0..count {
                drop(black_box(parsed(&text)));
            }
        })
    })
}

/// An operation writes the document's value into a string and drops the string.
pub(crate) fn write() -> Run {
    let value = parsed(&document(LEN));
    Box::new(move |count| {
        timed(|| {
            for _ in 0..count {
                let text = serde_json::to_string(&value).expect("a value can be written");
                drop(black_box(text));
            }
        })
    })
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("the document is valid")
}

/// An array of records, ended by the first that reaches `len` bytes.
fn document(len: usize) -> String {
    let mut random = Random::new();
    let mut text = String::with_capacity(len + 4096);
    text.push('[');
    for id in 0.. {
        write_record(&mut text, id, &mut random).expect("a string takes what is written");
        if text.len() + 1 >= len {
            break;
        }
        text.push(',');
    }
    text.push(']');
    text
}

/// An order: strings, numbers, and arrays of both in it.
fn write_record(text: &mut String, id: u64, random: &mut Random) -> std::fmt::Result {
    let mut word = || WORDS[random.between(0, WORDS.len() - 1)];
    write!(text, r#"{{"id":{id},"name":"{} {}","#, word(), word())?;
    write!(text, r#""note":"{} \"{}\"\n{} {}","#, word(), word(), word(), word())?;
    write!(text, r#""city":"{}","paid":{},"#, word(), id.is_multiple_of(3))?;
    let position = (random.between(0, 89_999), random.between(0, 179_999));
    write!(
        text,
        r#""position":[{:.3},{:.3}],"labels":["#,
        thousandths(position.0),
        -thousandths(position.1)
    )?;
    for index in 0..random.between(1, 6) {
        let comma = if index == 0 { "" } else { "," };
        write!(text, r#"{comma}"{}-{}""#, WORDS[random.between(0, 15)], random.between(1, 999))?;
    }
    text.push_str(r#"],"lines":["#);
    for index in 0..random.between(1, 5) {
        let comma = if index == 0 { "" } else { "," };
        write!(text, r#"{comma}{{"sku":"{:012x}","#, random.next() >> 16)?;
        let price = thousandths(random.between(1, 500_000));
        write!(text, r#""count":{},"price":{price:.3}}}"#, random.between(1, 20))?;
    }
    text.push_str("]}");
    Ok(())
}

fn thousandths(number: usize) -> f64 {
    number as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No record is longer.
    const LONGEST_RECORD: usize = 1000;

    #[test]
    fn the_document_is_of_ten_megabytes_and_the_same_each_time() {
        let text = document(LEN);
        assert!((LEN..LEN + LONGEST_RECORD).contains(&text.len()), "{} bytes", text.len());
        assert!(text == document(LEN));
    }

    #[test]
    fn the_document_is_an_array_of_records_and_is_written_as_it_was_parsed() {
        let value = parsed(&document(100_000));
        let records = value.as_array().unwrap();
        assert!(records.len() > 100_000 / LONGEST_RECORD);
        for (id, record) in records.iter().enumerate() {
            assert_eq!(record["id"], id);
            assert!(record["note"].as_str().unwrap().contains('"'));
            assert!(record["lines"][0]["price"].is_f64());
            assert!(record["labels"][0].is_string());
        }
        let written = serde_json::to_string(&value).unwrap();
        assert_eq!(parsed(&written), value);
    }
}
