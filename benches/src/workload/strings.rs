//! A map of strings, built and dropped.
//!
//! Stands for headers, labels, sessions and configuration: two strings an entry and a node for
//! every few, allocated in one go and freed in another order.

use std::collections::BTreeMap;
use std::hint::black_box;

use super::{Run, timed};
use crate::random::Random;

const ENTRIES: usize = 10_000;

/// An operation is one map of 10,000 entries, built and dropped.
pub(crate) fn set_up() -> Run {
    let entries = entries();
    Box::new(move |count| timed(|| (0..count).for_each(|_| build_and_drop(&entries))))
}

fn build_and_drop(entries: &[(String, String)]) {
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        map.insert(key.clone(), value.clone());
    }
    drop(black_box(map));
}

/// Keys of 16 to 40 bytes and values of 8 to 120.
fn entries() -> Vec<(String, String)> {
    let mut random = Random::new();
    let entry = |_| {
        let len = random.between(0, 24);
        let key = format!("{:016x}{}", random.next(), "k".repeat(len));
        (key, "v".repeat(random.between(8, 120)))
    };
    (0..ENTRIES).map(entry).collect()
}
