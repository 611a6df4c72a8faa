//! Names that are made to break the format.

use openmetrics_parser::openmetrics::parse_openmetrics;
use proptest::prelude::*;
use serde_json::json;

use super::{full_stats, route, text_of, value_of};

/// What a name may look like to hurt: format characters, controls, separators, and anything.
fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\\n".to_owned()),
        Just("\n# EOF\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("\"} 1\nbursar_live_bytes 0\n".to_owned()),
        Just("{tag=\"".to_owned()),
        Just("\u{2028}\u{85}\0".to_owned()),
        Just("other".to_owned()),
        any::<String>(),
    ];
    prop::collection::vec(part, 0..4).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_name_breaks_the_text(
        tags in prop::collection::vec(name(), 0..4),
        routes in prop::collection::vec(name(), 0..4),
        purgeable in name(),
        version in name(),
    ) {
        let mut stats = full_stats();
        let tag = stats["tags"][0].clone();
        stats["tags"] = tags.iter().map(|name| {
            let mut tag = tag.clone();
            tag["name"] = json!(name);
            tag["live_bytes"] = json!(1);
            tag
        }).collect();
        stats["routes"] = routes.iter().map(|name| route(name, 1)).collect();
        stats["purgeables"][0]["name"] = json!(purgeable);
        stats["version"] = json!(version);
        let text = text_of(stats);

        let exposition = parse_openmetrics(&text);
        let exposition = exposition.map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
        prop_assert_eq!(text.matches("# EOF").count(), 1 + escaped_ends(&text));
        for (family, rows) in [("bursar_tag_live_bytes", &tags), ("bursar_route_requests", &routes)] {
            let series = exposition.families.get(family).map_or(0, |f| f.iter_samples().count());
            prop_assert!(series <= rows.len(), "one for each name, or fewer: {}", series);
            prop_assert_eq!(series == 0, rows.is_empty());
        }
        let sum: f64 = text.lines()
            .filter(|line| line.starts_with("bursar_tag_live_bytes{"))
            .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
            .sum();
        prop_assert_eq!(sum, tags.len() as f64, "nothing is lost");
    }
}

/// Those that are part of a name, and so not at the beginning of a line.
fn escaped_ends(text: &str) -> usize {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.matches("# EOF").count())
        .sum()
}

#[test]
fn quotes_backslashes_and_controls_come_out_as_they_should() {
    let mut stats = full_stats();
    stats["routes"] = json!([route("GET /\"a\\b\"\n", 7)]);
    let text = text_of(stats);
    let series = "bursar_route_requests_total{route=\"GET /\\\"a\\\\b\\\"\u{fffd}\"}";
    assert_eq!(value_of(&text, series), Some("7"), "{text}");
}

#[test]
fn a_flood_of_routes_is_summed_past_the_bound() {
    let mut stats = full_stats();
    stats["routes"] = (0..1000).map(|index| route(&format!("GET /{index:04}"), 1)).collect();
    let text = text_of(stats);
    assert_eq!(text.matches("\nbursar_route_requests_total{").count(), 257);
    assert_eq!(value_of(&text, "bursar_route_requests_total{route=\"other\"}"), Some("744"));
    assert_eq!(value_of(&text, "bursar_route_highest_peak_bytes{route=\"other\"}"), Some("6"));
}

#[test]
fn the_largest_numbers_there_are_can_be_read() {
    let mut stats = full_stats();
    stats["live_bytes"] = json!(u64::MAX);
    stats["freed_bytes_total"] = json!(u64::MAX);
    stats["usage_ratio"] = json!(f64::MAX);
    stats["routes"] = json!([route("a", u64::MAX), route("a", u64::MAX)]);
    stats["routes"][0]["net_bytes_total"] = json!(i64::MIN);
    stats["uptime"] = json!({ "secs": u64::MAX, "nanos": 0 });
    let text = text_of(stats);
    let series = "bursar_route_requests_total{route=\"a\"}";
    assert_eq!(value_of(&text, series), Some("18446744073709551615"));
    parse_openmetrics(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
}
