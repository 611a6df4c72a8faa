//! `bursar doctor`: findings are the library's; here it is how they are told.

use serde_json::{Value, json};

use crate::server::{changed, envelope, reply, right, serve};
use crate::{bursar, complaint, readings, stdout};

#[test]
fn a_critical_finding_ends_with_1_and_is_told_in_words_and_as_json() {
    let url = serve(changed(|stats| {
        stats["level"] = json!("emergency");
        stats["usage_ratio"] = json!(0.97);
    }));
    let text = stdout(&bursar(&["doctor", "--seconds", "1", "--url", &url]), 1);
    assert!(text.starts_with("critical: "), "{text}");
    let text = stdout(&bursar(&["doctor", "--seconds", "1", "--json", "--url", &url]), 1);
    let findings: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(findings[0]["severity"], "critical", "{text}");
    assert!(findings[0]["remedy"].is_string(), "{text}");
}

/// A service of four hours in which the tag `sessions` has come to so many MiB, by the minute.
fn with_sessions(mib: impl Fn(u64) -> u64 + Send + Sync + 'static) -> String {
    serve(move |path, stream| {
        let (stats, history) = readings();
        let mut stats = serde_json::to_value(stats).unwrap();
        stats["uptime"] = json!({ "secs": 14_400, "nanos": 0 });
        let mut tag = stats["tags"][0].clone();
        (tag["name"], tag["live_bytes"]) = (json!("sessions"), json!(mib(240) << 20));
        stats["tags"] = json!([tag]);
        let mut history = serde_json::to_value(history).unwrap();
        let points: Vec<Value> = (0..60)
            .map(|index| json!([240_000 * index as u64, mib(4 * index as u64) << 20]))
            .collect();
        history["live"] = json!({ "tags": [
            { "tag": "sessions", "spacing_ms": 160_000, "held_at_ms": 14_400_000, "points": points },
        ] });
        let data = if path.ends_with("/stats") { stats } else { history };
        reply(stream, "200 OK", &envelope(data));
    })
}

#[test]
fn a_slow_leak_is_found_in_what_the_service_has_kept_and_a_cache_that_has_filled_is_not() {
    let url = with_sessions(|minute| 10 + minute / 4);
    let leak = stdout(&bursar(&["doctor", "--seconds", "1", "--url", &url]), 0);
    assert!(leak.contains("`sessions` has grown for 3h"), "{leak}");
    assert!(leak.contains("[leaking_tag]") && leak.contains("an hour 15.0 MiB"), "{leak}");
    let url = with_sessions(|minute| 10 + minute.min(60));
    let filled = stdout(&bursar(&["doctor", "--seconds", "1", "--url", &url]), 0);
    assert!(!filled.contains("leaking"), "{filled}");
}

#[test]
fn a_service_in_no_danger_ends_with_0() {
    let url = serve(right("/memory"));
    let text = stdout(&bursar(&["doctor", "--seconds", "1", "--url", &url]), 0);
    assert!(!text.contains("critical: "), "{text}");
}

#[test]
fn without_a_service_there_are_no_findings() {
    complaint(&bursar(&["doctor", "--socket", "/no/such/socket"]), 3);
    let output = bursar(&["doctor", "--seconds", "0", "--socket", "/no/such/socket"]);
    assert_eq!(output.status.code(), Some(2));
}
