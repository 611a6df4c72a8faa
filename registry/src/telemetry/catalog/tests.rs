use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::*;

/// As the documentation has it: a line for each metric.
fn line(metric: &Metric, labels: &[&str]) -> String {
    let kind = match metric.kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
        Kind::Info => "info",
        Kind::Histogram => "histogram",
    };
    let (name, unit, meaning) = (metric.name, metric.unit().unwrap_or(""), metric.meaning);
    let labels = labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(", ");
    let line = format!("| `{name}` | {kind} | {unit} | {labels} | {meaning} |");
    line.replace("|  |", "| |").replace("|  |", "| |")
}

#[test]
fn the_documentation_lists_every_metric_as_it_is_and_no_other() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations/metrics.md");
    let documentation = std::fs::read_to_string(path).unwrap();
    let documented: BTreeSet<&str> =
        documentation.lines().filter(|line| line.starts_with("| `bursar_")).collect();
    let lines: Vec<_> = all().iter().map(|(metric, labels)| line(metric, labels)).collect();
    let told: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
    let mut differences = String::new();
    for line in lines.iter().filter(|line| !documented.contains(line.as_str())) {
        let _ = write!(differences, "\nmissing: {line}");
    }
    for line in documented.difference(&told) {
        let _ = write!(differences, "\nnot so:  {line}");
    }
    assert!(differences.is_empty(), "{differences}");
}

#[test]
fn names_follow_the_conventions() {
    for (Metric { name, kind, meaning }, labels) in all() {
        assert!(name.starts_with("bursar_"), "{name}");
        for word in name.split('_').chain(labels.iter().flat_map(|label| label.split('_'))) {
            let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
            assert!(!word.is_empty() && word.bytes().all(is_plain), "{name}");
        }
        assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        assert_eq!(name.ends_with("_info"), kind == Kind::Info, "{name}");
        assert!(meaning.ends_with('.'), "{name}: {meaning}");
        assert!(!meaning.contains(['\\', '"', '\n', '|']), "{name}: {meaning}");
    }
}

#[test]
fn no_two_families_have_one_name() {
    let all = all();
    let families: BTreeSet<_> = all.iter().map(|(metric, _)| metric.family()).collect();
    assert_eq!(families.len(), all.len());
}
