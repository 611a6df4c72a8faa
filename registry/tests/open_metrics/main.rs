//! The statistics as OpenMetrics text, read by others' parsers.
#![cfg(all(feature = "openmetrics", feature = "serde"))]

mod hostile;
mod official;

use std::collections::BTreeMap;
use std::sync::Arc;

use bursar::{
    AccountingAllocator, Bursar, Entry, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures,
    Stats, System, Tag, open_metrics, prometheus_text,
};
use openmetrics_parser::openmetrics::parse_openmetrics;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static PAGES: Tag = Tag::new("pages");

struct Pages;

impl Purgeable for Pages {
    fn purgeable_bytes(&self) -> u64 {
        4096
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        PurgeOutcome::Empty
    }

    fn figures(&self) -> PurgeableFigures {
        let mut figures = PurgeableFigures::default();
        (figures.entries, figures.hits_total, figures.misses_total) = (Some(3), Some(2), Some(1));
        figures
    }
}

/// A real process's, as JSON. One Bursar runs in a process at a time.
fn real_stats() -> Value {
    static STATS: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
    let read = || {
        let _page = PAGES.scope(|| vec![0; 1000]);
        let builder = Bursar::builder().budget("64MiB").tag_budget("pages", 8 << 20);
        let bursar = builder.start().unwrap();
        let _registration = bursar.register(Entry::new("pages", Arc::new(Pages)).tag(&PAGES));
        serde_json::to_value(bursar.stats()).unwrap()
    };
    STATS.get_or_init(read).clone()
}

/// With a figure for everything that a system may not tell.
fn full_stats() -> Value {
    let mut stats = real_stats();
    let stall = json!({
        "some_avg10_percent": 12.5, "some_total_us": 1_500_000,
        "full_avg10_percent": 0.0, "full_total_us": 2,
    });
    let sample = json!({
        "live_bytes": 1000, "charged_bytes": 10, "active_bytes": 2000, "dirty_bytes": 300,
        "resident_bytes": 4000, "working_set_bytes": 5000, "limit_bytes": 6000,
        "process_limit_bytes": 7000, "container_swap_bytes": 0,
        "container_stall": stall, "system_stall": stall,
        "container_events": { "low": 0, "high": 0, "max": 4, "oom": 0, "oom_kill": 1 },
        "system": {
            "total_bytes": 9000, "available_bytes": 8000,
            "swap_total_bytes": 100, "swap_free_bytes": 50,
        },
    });
    stats["sample"] = sample;
    stats["limits"]["limit_bytes"] = json!(6000);
    let tags = stats["tags"].as_array_mut().unwrap();
    let pages = tags.iter_mut().find(|tag| tag["name"] == "pages").unwrap();
    (pages["isolation"], pages["active_bytes"]) = (json!("arena"), json!(8192));
    pages["dirty_bytes"] = json!(4096);
    stats["isolation_caches_in_use"] = json!(3);
    stats["heap_sampling"] = json!({
        "interval_bytes": 524_288, "live_samples": 17, "capacity": 500, "samples_total": 90,
        "samples_lost_total": 2,
    });
    stats["routes"] = json!([route("GET /thumbnail/{id}", 10)]);
    stats
}

fn route(name: &str, requests: u64) -> Value {
    json!({
        "route": name, "requests_total": requests, "failed_total": 1, "shed_total": 2,
        "allocated_bytes_total": 300, "net_bytes_total": -4, "peak_bytes_total": 50,
        "peak_bytes": 6, "elapsed_total": { "secs": 1, "nanos": 500_000_000 },
    })
}

fn text_of(stats: Value) -> String {
    open_metrics(&serde_json::from_value::<Stats>(stats).unwrap())
}

/// Each metric's name in the documentation, with its type.
fn documented() -> BTreeMap<String, String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations/metrics.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    let rows = documentation.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| {
        let (name, rest) = row.split_once("` | ")?;
        Some((name.to_owned(), rest.split_once(" |")?.0.to_owned()))
    })
    .collect()
}

/// The value of the series that begins so.
fn value_of<'a>(text: &'a str, series: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))
}

#[test]
fn every_documented_metric_but_the_histogram_is_written_with_its_type() {
    let text = text_of(full_stats());
    let mut written = BTreeMap::new();
    for line in text.lines() {
        if let Some((family, kind)) =
            line.strip_prefix("# TYPE ").and_then(|descriptor| descriptor.split_once(' '))
        {
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            written.insert(format!("{family}{suffix}"), kind.to_owned());
        }
    }
    let mut expected = documented();
    assert_eq!(expected.remove("bursar_cleanup_duration_seconds").as_deref(), Some("histogram"));
    assert_eq!(written, expected);
}

#[test]
fn figures_are_in_base_units_under_their_labels() {
    let text = text_of(full_stats());
    for (series, value) in [
        ("bursar_pressure_level", "0"),
        ("bursar_soft_limit_bytes", "67108864"),
        ("bursar_working_set_bytes", "5000"),
        ("bursar_footprint_bytes", "2010"),
        ("bursar_watermark_ratio{level=\"warning\"}", "0.7"),
        ("bursar_container_stall_ratio{tasks=\"some\"}", "0.125"),
        ("bursar_container_stall_seconds_total{tasks=\"some\"}", "1.5"),
        ("bursar_container_events_total{event=\"oom_kill\"}", "1"),
        ("bursar_tag_budget_bytes{tag=\"pages\"}", "8388608"),
        ("bursar_tag_active_bytes{tag=\"pages\"}", "8192"),
        ("bursar_tag_dirty_bytes{tag=\"pages\"}", "4096"),
        ("bursar_isolation_caches_in_use", "3"),
        ("bursar_heap_sampling_interval_bytes", "524288"),
        ("bursar_heap_samples", "17"),
        ("bursar_heap_samples_lost_total", "2"),
        ("bursar_purgeable_bytes{purgeable=\"pages\",tag=\"pages\",stage=\"trim\"}", "4096"),
        ("bursar_purgeable_hits_total{purgeable=\"pages\",tag=\"pages\",stage=\"trim\"}", "2"),
        ("bursar_route_net_bytes{route=\"GET /thumbnail/{id}\"}", "-4"),
        ("bursar_route_elapsed_seconds_total{route=\"GET /thumbnail/{id}\"}", "1.5"),
        ("bursar_stalled", "0"),
    ] {
        assert_eq!(value_of(&text, series), Some(value), "{series}\n{text}");
    }
    let build = format!("bursar_build_info{{version=\"{}\",", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&format!("\n{build}backend=")), "{text}");
    assert!(text.contains("\n# UNIT bursar_freed_bytes bytes\n"), "{text}");
}

#[test]
fn the_older_text_has_the_same_series_under_descriptors_of_their_own_names() {
    let stats: Stats = serde_json::from_value(full_stats()).unwrap();
    let (newer, older) = (open_metrics(&stats), prometheus_text(&stats));
    let series = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(series(&older), series(&newer));
    for descriptor in [
        "# HELP bursar_cleanups_total Cleanups made.\n# TYPE bursar_cleanups_total counter\n",
        "# TYPE bursar_build_info gauge\n",
        "# TYPE bursar_live_bytes gauge\n",
    ] {
        assert!(older.contains(descriptor), "{descriptor}{older}");
    }
    assert!(!older.contains("# UNIT") && !older.contains("# EOF"), "{older}");
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut stats = full_stats();
    for figure in ["active_bytes", "container_stall", "container_events", "system"] {
        stats["sample"][figure] = Value::Null;
    }
    stats["limits"]["limit_bytes"] = Value::Null;
    stats["tags"][0]["budget_bytes"] = Value::Null;
    let text = text_of(stats);
    for name in ["bursar_active_bytes", "bursar_container_stall_ratio", "bursar_limit_bytes"] {
        assert!(!text.contains(name), "{name} in {text}");
    }
    assert!(!text.contains("bursar_tag_active_bytes{tag=\"untagged\"}"), "{text}");
    assert!(!text.contains("NaN") && !text.contains("Inf"), "{text}");
    parse_openmetrics(&text).unwrap();
}

#[test]
fn a_running_process_is_read_by_another_ones_parser() {
    let text = text_of(real_stats());
    let exposition = parse_openmetrics(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let live = &exposition.families["bursar_tag_live_bytes"];
    assert!(live.get_sample_by_label_values(&["pages".to_owned()]).is_some(), "{text}");
    assert!(text.ends_with("\n# EOF\n"));
}

#[test]
fn as_many_tags_as_there_can_be_have_series_of_their_own() {
    let mut stats = full_stats();
    let tag = stats["tags"][0].clone();
    let tags = (0..256).map(|index| {
        let mut tag = tag.clone();
        tag["name"] = json!(format!("tenant/{index}"));
        tag
    });
    stats["tags"] = tags.collect();
    let text = text_of(stats);
    assert_eq!(text.matches("\nbursar_tag_live_bytes{").count(), 256);
    assert!(!text.contains("tag=\"other\""), "{text}");
}
