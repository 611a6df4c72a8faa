//! `bursar status` against services that answer as they should.

use bursar::Stats;
use serde_json::{Value, json};

use crate::server::{changed, envelope, reply, right, serve};
use crate::{bursar, complaint, stdout};

#[test]
fn status_says_in_some_lines_how_a_service_stands() {
    let url = serve(right("/memory"));
    let text = stdout(&bursar(&["--url", &url, "status"]), 0);
    let begins = |line: &str| text.lines().any(|it| it.starts_with(line));
    assert!(begins("level      normal at "), "{text}");
    assert!(begins("           [-"), "{text}");
    assert!(text.contains("of the budget of 1.0 GiB"), "{text}");
    assert!(begins("memory     live "), "{text}");
    assert!(begins("tags       "), "{text}");
    assert!(text.lines().any(|it| it.contains("thumbnails ") && it.ends_with("3.0 MiB")), "{text}");
    assert!(begins("purgeable  1.0 MiB in 1 registered"), "{text}");
    assert!(begins("cleanups   none"), "{text}");
    assert!(text.lines().count() < 20, "{text}");
}

#[cfg(unix)]
#[test]
fn status_asks_over_a_unix_socket_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bursar.sock");
    crate::server::serve_on(&path, right(""));
    let text = stdout(&bursar(&["status", "--socket", path.to_str().unwrap()]), 0);
    assert!(text.contains("budget of 1.0 GiB"), "{text}");
}

#[test]
fn verbose_status_has_the_whole_of_statistics_and_history() {
    let url = serve(right("/memory"));
    let text = stdout(&bursar(&["status", "--verbose", "--url", &url]), 0);
    for part in ["limits asked for:", "purgeable ", "entries", "of history, level normal", "peak"] {
        assert!(text.contains(part), "no {part} in {text}");
    }
}

#[test]
fn json_is_what_the_service_sent_with_what_is_not_known_here() {
    let stats = |stats: &mut Value| {
        stats["of_a_later_version"] = json!({"z": 0.1, "a": []});
        stats["usage_ratio"] = json!(0.300_000_000_000_000_04);
    };
    let url = serve(changed(stats));
    let text = stdout(&bursar(&["status", "--json", "--url", &url]), 0);
    let sent: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(sent["of_a_later_version"], json!({"z": 0.1, "a": []}));
    assert!(text.contains("\n  \"usage_ratio\": 0.30000000000000004,\n"), "{text}");
    let read: Stats = serde_json::from_str(&text).unwrap();
    assert_eq!(read.soft_limit_bytes, 1 << 30);

    let text = stdout(&bursar(&["status", "--json", "--verbose", "--url", &url]), 0);
    let both: Value = serde_json::from_str(&text).unwrap();
    assert!(both["stats"]["version"].is_string() && both["history"].is_object(), "{text}");
}

#[test]
fn isolated_tags_are_told_with_their_pages_and_one_that_is_not_is_noted() {
    let url = serve(changed(|stats| {
        let tag = stats["tags"][0].clone();
        let named = |name: &str, isolation: &str, active_bytes: Value| {
            let mut tag = tag.clone();
            (tag["name"], tag["isolation"]) = (json!(name), json!(isolation));
            tag["active_bytes"] = active_bytes;
            tag
        };
        let sounds = named("sounds", "exhausted", Value::Null);
        stats["tags"] = json!([named("images", "arena", json!(5 << 20)), sounds]);
    }));
    let text = stdout(&bursar(&["status", "--url", &url]), 0);
    let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap();
    assert!(line("images ").ends_with("  isolated, in 5.0 MiB of pages"), "{text}");
    assert!(line("sounds ").ends_with("  not isolated"), "{text}");
    assert!(line("note ").ends_with("isolated in name only: sounds"), "{text}");

    let text = stdout(&bursar(&["status", "--verbose", "--url", &url]), 0);
    let table = text.split("\nisolated ").nth(1).unwrap_or_else(|| panic!("{text}"));
    assert!(table.contains("\nimages                        5.0 MiB "), "{text}");
    assert!(table.contains("\nsounds                   not isolated: no arena was left"), "{text}");
}

#[test]
fn check_tells_by_the_exit_code_whether_a_level_is_reached() {
    let url = serve(changed(|stats| stats["level"] = json!("critical")));
    for (level, code) in [("warning", 1), ("critical", 1), ("emergency", 0)] {
        let text = stdout(&bursar(&["status", "--check", level, "--url", &url]), code);
        assert!(text.starts_with("level      critical"), "{text}");
    }
    let output = bursar(&["status", "--check", "high", "--url", &url]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_refusal_is_passed_on_in_the_services_words() {
    let url = serve(right("/elsewhere"));
    let line = complaint(&bursar(&["status", "--url", &url]), 5);
    assert!(line.contains("refused: no such path (not_found)"), "{line}");
    assert!(line.contains(&url), "{line}");
}

#[test]
fn an_answer_without_data_is_told_of() {
    let url = serve(|_, stream| reply(stream, "200 OK", &envelope(Value::Null)));
    let line = complaint(&bursar(&["status", "--url", &url]), 5);
    assert!(line.contains("could not be read"), "{line}");
}

#[test]
fn wrong_usage_ends_with_2_and_says_what_is_allowed() {
    let line = complaint(&bursar(&["status", "--url", "https://service/memory"]), 2);
    assert!(line.contains("port-forward"), "{line}");
    for wrong in [
        &["status", "--url", "http://h/", "--socket", "/s"][..],
        &["status", "--timeout", "0s"],
        &["stats"],
        &[],
    ] {
        assert_eq!(bursar(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn help_tells_the_exit_codes() {
    let text = stdout(&bursar(&["--help"]), 0);
    assert!(text.contains("6  the service answers in another version"), "{text}");
}

#[test]
fn verbose_status_has_each_route_once() {
    let url = serve(changed(|stats| {
        stats["routes"] = json!([{
            "route": "GET /picture/{id}", "requests_total": 3, "failed_total": 0, "shed_total": 1,
            "allocated_bytes_total": 9, "net_bytes_total": 0, "peak_bytes_total": 9,
            "peak_bytes": 5, "elapsed_total": { "secs": 1, "nanos": 0 },
        }]);
    }));
    let text = stdout(&bursar(&["status", "--verbose", "--url", &url]), 0);
    assert_eq!(text.matches("GET /picture/{id}").count(), 1, "{text}");
}

#[test]
fn a_level_that_usage_has_fallen_below_is_said_to_be_held_and_a_grave_one_where_to_look() {
    let at = |level: &'static str, usage: f64| {
        let url = serve(changed(move |stats| {
            (stats["level"], stats["usage_ratio"]) = (json!(level), json!(usage));
        }));
        stdout(&bursar(&["status", "--url", &url]), 0)
    };
    assert!(at("warning", 0.66).contains("(held until usage is well below)"));
    let grave = at("critical", 0.99);
    assert!(!grave.contains("held") && grave.contains("bursar doctor"), "{grave}");
    let calm = at("normal", 0.2);
    assert!(!calm.contains("held") && !calm.contains("bursar doctor"), "{calm}");
}

#[test]
fn without_a_service_it_is_said_how_to_give_one() {
    let line = complaint(&bursar(&["status"]), 2);
    for part in ["--url or --socket", "--url http://", "--socket /run", "StatsServer"] {
        assert!(line.contains(part), "no {part} in {line}");
    }
}
