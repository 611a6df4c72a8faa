//! Statistics and histories out of another process: any bytes as JSON, and real ones with any
//! values in them. What can be read can be shown, examined and written again without a panic, and
//! what is said of it is no longer than what was read.

#![no_main]

use std::sync::{Arc, LazyLock};

use arbitrary::{Arbitrary, Unstructured};
use bursar::{AccountingAllocator, Bursar, Cache, Checkup, History, Stats, System, Tag, examine};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static PAGES: Tag = Tag::new("pages");

/// Of a process that has a cache, has cleaned up, and has a route.
static REAL: LazyLock<[Value; 2]> = LazyLock::new(|| {
    let bursar = Bursar::builder().budget("2MiB").threadless(true).start().expect("one Bursar");
    let pages: Cache<u32, Arc<[u8]>> = Cache::new(&PAGES);
    let _registration = bursar.register(&pages).expect("a free name");
    (0..400).for_each(|key| drop(pages.get_or_insert_with(key, || vec![1; 4096].into())));
    bursar.checkpoint().expect("it runs");
    let mut stats = serde_json::to_value(bursar.stats()).expect("JSON");
    stats["routes"] = json!([{
        "route": "GET /", "requests_total": 3, "failed_total": 0, "shed_total": 1,
        "allocated_bytes_total": 9, "net_bytes_total": 0, "peak_bytes_total": 9, "peak_bytes": 5,
        "elapsed_total": { "secs": 1, "nanos": 0 },
    }]);
    let history = serde_json::to_value(bursar.history()).expect("JSON");
    let is_read = serde_json::from_value::<Stats>(stats.clone()).is_ok()
        && serde_json::from_value::<History>(history.clone()).is_ok();
    assert!(is_read, "what is written can be read");
    [stats, history]
});

/// A value in the place of another.
#[derive(Arbitrary, Debug)]
enum Written {
    Null,
    Integer(u64),
    Largest,
    Negative(i64),
    Float(f64),
    Text(String),
    Level(u8),
    /// The list that the value is in, twice as long.
    Doubled,
}

#[derive(Arbitrary, Debug)]
struct Changes {
    now: Vec<(u16, Written)>,
    earlier: Option<Vec<(u16, Written)>>,
    history: Option<Vec<(u16, Written)>>,
}

/// As many as can be made in a millisecond or so.
const MOST_CHANGES: usize = 64;
const MOST_IN_A_LIST: usize = 64;

/// Calls `change` on the value, or the list, of this index in the order in which they are written.
fn nth(value: &mut Value, index: &mut usize, change: &mut dyn FnMut(&mut Value)) {
    if let Value::Array(_) | Value::Object(_) = value {
        if *index == 0 {
            change(value);
            *index = usize::MAX;
            return;
        }
        *index -= 1;
    }
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| nth(value, index, change)),
        Value::Object(fields) => fields.values_mut().for_each(|value| nth(value, index, change)),
        leaf if *index == 0 => {
            change(leaf);
            *index = usize::MAX;
        }
        _ => *index = index.saturating_sub(1),
    }
}

fn put(place: &mut Value, written: &Written) {
    const LEVELS: [&str; 4] = ["normal", "warning", "critical", "emergency"];
    let value = match written {
        Written::Null => Value::Null,
        Written::Integer(number) => json!(number),
        Written::Largest => json!(u64::MAX),
        Written::Negative(number) => json!(number),
        Written::Float(number) => json!(number),
        Written::Text(text) => json!(text),
        Written::Level(level) => json!(LEVELS[usize::from(level % 4)]),
        Written::Doubled => {
            if let Value::Array(values) = place
                && values.len() <= MOST_IN_A_LIST
            {
                values.extend_from_within(..);
            }
            return;
        }
    };
    // A list or an object stays one: what is read of it is its parts.
    if !place.is_array() && !place.is_object() {
        *place = value;
    }
}

fn changed(real: &Value, changes: &[(u16, Written)]) -> String {
    let mut value = real.clone();
    for (index, written) in changes.iter().take(MOST_CHANGES) {
        nth(&mut value, &mut usize::from(*index % 1024), &mut |place| put(place, written));
    }
    value.to_string()
}

/// What is shown of a text is not much more than it: a row or a number is padded.
fn is_short(shown: &str, json: &str) {
    assert!(shown.len() <= 16 * json.len() + 4096, "{} of {}", shown.len(), json.len());
}

fn read_stats(json: &str) -> Option<Stats> {
    let stats: Stats = serde_json::from_str(json).ok()?;
    is_short(&stats.to_string(), json);
    let written = serde_json::to_string(&stats).expect("JSON");
    assert_eq!(serde_json::from_str::<Stats>(&written).expect("as it was written"), stats);
    Some(stats)
}

fn read_history(json: &str) -> Option<History> {
    let history: History = serde_json::from_str(json).ok()?;
    is_short(&history.to_string(), json);
    let written = serde_json::to_string(&history).expect("JSON");
    assert_eq!(serde_json::from_str::<History>(&written).expect("as it was written"), history);
    Some(history)
}

fn check(stats: Stats, earlier: Option<Stats>, history: Option<History>) {
    let mut checkup = Checkup::new(stats);
    if let Some(earlier) = earlier {
        checkup = checkup.with_earlier(earlier);
    }
    if let Some(history) = history {
        checkup = checkup.with_history(history);
    }
    let advice = examine(&checkup);
    let text: String = advice.iter().map(ToString::to_string).collect();
    assert!(text.len() < 100_000, "{} bytes", text.len());
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    assert!(advice.is_sorted_by(|a, b| a.severity >= b.severity));
}

fuzz_target!(|data: &[u8]| {
    if data.first() == Some(&b'{') {
        let Ok(json) = std::str::from_utf8(data) else { return };
        let history = read_history(json);
        match read_stats(json) {
            Some(stats) => check(stats, None, None),
            None => drop(history),
        }
        return;
    }
    let Ok(changes) = Changes::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let [stats, past] = &*REAL;
    let Some(now) = read_stats(&changed(stats, &changes.now)) else { return };
    let earlier = changes.earlier.and_then(|changes| read_stats(&changed(stats, &changes)));
    let history = changes.history.and_then(|changes| read_history(&changed(past, &changes)));
    check(now, earlier, history);
});
