//! What operators are given: the dashboard and the alerts name metrics that exist, and Prometheus
//! accepts the rules.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations")
}

fn read(file: &str) -> String {
    std::fs::read_to_string(directory().join(file)).unwrap()
}

/// Every word in `text` that could be a metric of ours.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    text.split(|char| !is_part(char)).filter(|word| word.starts_with("bursar_")).collect()
}

/// The first column of the table.
fn documented(table: &str) -> BTreeSet<&str> {
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| Some(row.split_once('`')?.0)).collect()
}

/// The dashboard's panels, also those inside rows.
fn panels(dashboard: &Value) -> Vec<&Value> {
    let outer = dashboard["panels"].as_array().unwrap();
    let inner = outer.iter().filter_map(|panel| panel["panels"].as_array()).flatten();
    outer.iter().chain(inner).filter(|panel| panel["type"] != "row").collect()
}

#[test]
fn every_metric_that_is_charted_or_alerted_on_is_documented() {
    let table = read("metrics.md");
    let documented = documented(&table);
    assert!(documented.len() > 50, "{documented:?}");
    let guide = "../guides/kubernetes.md";
    for file in ["grafana.json", "alerts.yml", "alerts_test.yml", "README.md", guide] {
        let text = read(file);
        let unknown: Vec<_> = metrics_in(&text).difference(&documented).copied().collect();
        assert!(unknown.is_empty(), "{file} has {unknown:?}");
    }
}

#[test]
fn every_alert_says_what_it_is_how_bad_and_what_to_do() {
    let rules = read("alerts.yml");
    let (tests, guide) = (read("alerts_test.yml"), read("README.md"));
    for rule in rules.split("- alert: ").skip(1) {
        let name = rule.lines().next().unwrap();
        for part in ["expr:", "severity:", "summary:", "description:", "runbook:"] {
            assert!(rule.contains(part), "{name} has no {part}");
        }
        assert!(tests.contains(name), "{name} has no test");
        assert!(guide.contains(&format!("`{name}`")), "{name} is not in the guide");
    }
}

#[test]
fn every_query_of_the_dashboard_is_of_the_chosen_jobs_and_instances() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let panels = panels(&dashboard);
    assert!(panels.len() >= 10);
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let selectors = query.matches("{job=~\"$job\",instance=~\"$instance\"").count();
            assert_eq!(query.matches("bursar_").count(), selectors, "{title}: {query}");
            assert!(target["refId"].is_string(), "{title}");
        }
    }
    let names: Vec<_> = dashboard["templating"]["list"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "job", "instance"]);
}

#[test]
fn what_is_alerted_on_and_what_requests_wait_for_is_charted() {
    let (dashboard, rules) = (read("grafana.json"), read("alerts.yml"));
    let charted = metrics_in(&dashboard);
    let missing: Vec<_> = metrics_in(&rules).difference(&charted).copied().collect();
    assert!(missing.is_empty(), "{missing:?}");
    for metric in ["bursar_reserved_bytes", "bursar_purge_deferrals_total"] {
        assert!(charted.contains(metric), "{metric}");
    }
}

#[test]
fn no_two_panels_have_one_place_or_one_number() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let outer = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = outer.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), outer.len());
    let mut taken = BTreeSet::new();
    for panel in outer {
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(x + w <= 24, "{}", panel["title"]);
        for place in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(place), "{} covers another", panel["title"]);
        }
    }
}

/// As rules that record, which `promtool` checks one by one.
#[test]
fn prometheus_accepts_every_query_of_the_dashboard() {
    let dashboard: Value = serde_json::from_str(&read("grafana.json")).unwrap();
    let mut rules = "groups:\n- name: queries\n  rules:\n".to_owned();
    let panels = panels(&dashboard);
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    for (index, target) in targets.enumerate() {
        let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
        let query = Value::String(query);
        writeln!(rules, "  - record: query:{index}\n    expr: {query}").unwrap();
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(rules.as_bytes()).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()]);
}

#[test]
fn prometheus_accepts_the_rules_and_their_tests() {
    promtool(&["check", "rules", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
}

/// Runs it among the files, if it is installed; it must find nothing wrong.
fn promtool(arguments: &[&str]) {
    let ran = Command::new("promtool").args(arguments).current_dir(directory()).output();
    let Ok(output) = ran else {
        println!("skipped: promtool is not installed");
        return;
    };
    let [said, error] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    assert!(output.status.success(), "{said}{error}");
}
