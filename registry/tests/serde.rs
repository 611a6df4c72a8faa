//! Statistics as JSON.
#![cfg(feature = "serde")]

mod turn;

use std::collections::BTreeSet;
use std::sync::Arc;

use bursar::{
    AccountingAllocator, Bounds, Bursar, Config, Entry, History, LimitSource, PressureLevel,
    PurgeOutcome, PurgeRequest, Purgeable, RebuildCost, RequestLog, RequestScope, RequestUsage,
    Stats, System, Tag,
};
use serde_json::{Map, Value};
use turn::take_turn;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

struct Pages;

impl Purgeable for Pages {
    fn purgeable_bytes(&self) -> u64 {
        0
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        PurgeOutcome::Empty
    }

    fn set_bounds(&self, _: &Bounds) -> bool {
        true
    }
}

#[test]
fn statistics_go_to_json_and_back() {
    let _turn = take_turn();
    let mut config = Config::default();
    config.limit_bytes = Some(128 << 20);
    let builder = Bursar::builder().config(config).budget("64MiB");
    let bursar = builder.max_bytes("pages", 1024).max_entries("pagse", 8).start().unwrap();
    let entry = Entry::new("pages", Arc::new(Pages)).priority(-2).rebuild_cost(RebuildCost::High);
    let _registration = bursar.register(entry).unwrap();
    let stats = bursar.stats();
    let json = serde_json::to_string(&stats).unwrap();
    assert!(json.contains("\"level\":\"normal\""), "{json}");
    assert!(json.contains("\"soft_limit_bytes\":67108864"), "{json}");
    assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), stats);

    let pages = &stats.purgeables[0];
    assert_eq!((pages.max_bytes, pages.max_entries), (Some(1024), None));
    assert_eq!((pages.priority, pages.rebuild_cost), (-2, RebuildCost::High));
    assert!(json.contains("\"max_bytes\":1024,\"max_entries\":null"), "{json}");
    assert!(json.contains("\"bounds_unused\":[\"pagse\"]"), "{json}");

    let limits = &stats.limits;
    assert_eq!((limits.limit_bytes, limits.from), (Some(128 << 20), Some(LimitSource::Given)));
    assert!(json.contains("\"limit_bytes\":134217728,\"from\":\"given\""), "{json}");
    let (lambda, cgroup) = (limits.answer(LimitSource::Lambda), limits.answer(LimitSource::Cgroup));
    assert!(lambda.is_some() && cgroup.is_some(), "the others are asked too: {limits:?}");
    let text = stats.to_string();
    assert!(text.contains("\nlimit from given: 128.0 MiB (limit_bytes)\n"), "{text}");
}

/// A reading in which each list has something.
fn full_reading() -> Value {
    static PAGES: Tag = Tag::new("pages");
    let bursar = Bursar::builder().budget("64MiB").threadless(true).start().unwrap();
    let _registration = bursar.register(Entry::new("pages", Arc::new(Pages)).tag(&PAGES)).unwrap();
    let log = RequestLog::builder(&bursar).heavy_from_bytes(0).build();
    log.begin("GET /").finish(200);
    bursar.reclaim(PressureLevel::Warning).unwrap();
    serde_json::to_value(bursar.stats()).unwrap()
}

/// The ways to all objects of other versions' making within `value`. Times and the answers of
/// sources of limits are none of them: they have the form of their kind, or cannot be read.
fn objects(value: &Value, way: &str) -> Vec<String> {
    let (own, inner): (_, Vec<(String, &Value)>) = match value {
        Value::Object(object) if object.contains_key("secs") => return Vec::new(),
        Value::Object(object) => {
            (Some(way.to_owned()), object.iter().map(|(name, of)| (name.clone(), of)).collect())
        }
        Value::Array(list) => {
            (None, list.iter().enumerate().map(|(index, of)| (index.to_string(), of)).collect())
        }
        _ => return Vec::new(),
    };
    let inner = inner.into_iter().filter(|(name, _)| name != "answer");
    let inner = inner.flat_map(|(name, of)| objects(of, &format!("{way}/{name}")));
    own.into_iter().chain(inner).collect()
}

/// Whether a reading can be read when `change` has been made to the object at `way`.
fn is_read(reading: &Value, way: &str, change: impl FnOnce(&mut Map<String, Value>)) -> bool {
    let mut reading = reading.clone();
    change(reading.pointer_mut(way).and_then(Value::as_object_mut).unwrap());
    serde_json::from_value::<Stats>(reading).is_ok()
}

/// What every version says. Another field may be missing, and so must one be that is new.
const SAID_BY_ALL: [&str; 32] = [
    "heaviest_requests/at",
    "heaviest_requests/elapsed",
    "heaviest_requests/route",
    "heaviest_requests/usage",
    "last_cleanup/diagnosis",
    "last_cleanup/elapsed",
    "last_cleanup/freed_bytes",
    "last_cleanup/level",
    "last_cleanup/started_at",
    "level",
    "limits",
    "limits/candidates/answer",
    "limits/candidates/source",
    "live_bytes",
    "purgeables",
    "purgeables/name",
    "purgeables/purgeable_bytes",
    "purgeables/stage",
    "sample",
    "sample/live_bytes",
    "soft_limit_bytes",
    "tags",
    "tags/allocated_bytes_total",
    "tags/live_bytes",
    "tags/name",
    "uptime",
    "usage_ratio",
    "version",
    "watermarks",
    "watermarks/critical",
    "watermarks/emergency",
    "watermarks/warning",
];

#[test]
fn statistics_of_a_version_that_says_less_are_read() {
    let _turn = take_turn();
    let reading = full_reading();
    let mut needed = BTreeSet::new();
    for way in objects(&reading, "") {
        for name in reading.pointer(&way).and_then(Value::as_object).unwrap().keys() {
            if !is_read(&reading, &way, |object| drop(object.remove(name))) {
                let way = way.split('/').filter(|part| part.parse::<usize>().is_err());
                needed.insert(way.chain([&**name]).collect::<Vec<_>>().join("/"));
            }
        }
    }
    let needed: Vec<_> = needed.iter().map(|way| way.trim_start_matches('/')).collect();
    assert_eq!(needed, SAID_BY_ALL);
}

#[test]
fn what_another_version_says_beside_is_passed_over() {
    let _turn = take_turn();
    let reading = full_reading();
    for way in objects(&reading, "") {
        let more = |object: &mut Map<_, _>| drop(object.insert("new".to_owned(), "thing".into()));
        assert!(is_read(&reading, &way, more), "{way}");
    }
}

#[test]
fn a_history_goes_to_json_and_back_and_that_of_a_version_without_live_bytes_is_read() {
    let _turn = take_turn();
    let bursar = Bursar::builder().budget("64MiB").threadless(true).start().unwrap();
    let history = bursar.history();
    assert!(history.tag_series().len() > 0, "{history:?}");
    let mut json = serde_json::to_value(&history).unwrap();
    assert_eq!(serde_json::from_value::<History>(json.clone()).unwrap(), history);

    let live = json.as_object_mut().unwrap().remove("live").unwrap();
    let older: History = serde_json::from_value(json.clone()).unwrap();
    assert_eq!((older.tag_series().len(), older.samples().count()), (0, 1));
    json["live"] = serde_json::json!({ "tags": live["tags"], "threads": [1, 2] });
    let newer: History = serde_json::from_value(json).unwrap();
    assert_eq!(newer.tag_series().len(), history.tag_series().len());
}

#[test]
fn the_figures_of_a_request_go_to_json_and_back() {
    let scope = RequestScope::new();
    drop(scope.enter());
    let usage = scope.usage();
    let json = serde_json::to_string(&usage).unwrap();
    assert!(json.contains("\"net_bytes\":0,\"peak_bytes\":0,\"sections\":1"), "{json}");
    assert_eq!(serde_json::from_str::<RequestUsage>(&json).unwrap(), usage);
}
