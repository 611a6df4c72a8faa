//! `bursar doctor`: findings are the library's; here it is how they are told.

use serde_json::{Value, json};

use crate::server::{changed, right, serve};
use crate::{bursar, complaint, stdout};

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
