//! The parsers of Prometheus itself, where they are installed: `promtool`, and the Python client.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use bursar::{Stats, open_metrics, prometheus_text};
use serde_json::{Value, json};

use super::{full_stats, real_stats, route};

/// A process's, one with everything there is, and one with names that hurt.
fn all_stats() -> [Stats; 3] {
    let mut hostile = full_stats();
    let names =
        ["\"} 1", "\\", "\\n", "a\nb", "\r", "\u{0}", "", "\u{1f4a9}", "# EOF", "{x=\"y\"}"];
    hostile["routes"] = names.iter().map(|name| route(name, 1)).collect::<Value>();
    hostile["purgeables"][0]["name"] = json!("\\\"\n");
    [real_stats(), full_stats(), hostile].map(|stats| serde_json::from_value(stats).unwrap())
}

fn texts() -> [String; 3] {
    all_stats().map(|stats| open_metrics(&stats))
}

/// Runs a program on `input`; `None`, and a word on it, where it is not installed.
fn run(program: &str, arguments: &[&str], input: &str) -> Option<Output> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: {program} is not installed");
        return None;
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Some(child.wait_with_output().unwrap())
}

fn said(output: &Output) -> String {
    let [out, error] = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    format!("{out}{error}")
}

#[test]
fn prometheus_finds_nothing_to_say_about_names_and_types() {
    for stats in all_stats() {
        let older = prometheus_text(&stats);
        let Some(output) = run("promtool", &["check", "metrics"], &older) else { return };
        let said = said(&output);
        assert!(output.status.success() && said.is_empty(), "{said}\n{older}");
    }
}

/// What Prometheus reads a scrape with: its import takes the same text, with times.
#[test]
fn prometheus_takes_every_sample_in() {
    for text in texts() {
        let directory = tempfile::tempdir().unwrap();
        let mut timed = String::new();
        for line in text.lines() {
            let time = if line.starts_with('#') { "" } else { " 1600000000" };
            writeln!(timed, "{line}{time}").unwrap();
        }
        let input = directory.path().join("metrics.txt");
        std::fs::write(&input, &timed).unwrap();
        let data = directory.path().join("data");
        let arguments = [
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            input.to_str().unwrap(),
            data.to_str().unwrap(),
        ];
        let Some(output) = run("promtool", &arguments, "") else { return };
        assert!(output.status.success(), "{}\n{timed}", said(&output));
    }
}

/// Reads standard input with the reference parser of OpenMetrics, and counts samples.
const PYTHON: &str = "
import sys
try:
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
except ImportError:
    print('not installed')
    sys.exit(0)
text = sys.stdin.buffer.read().decode('utf-8')
print(sum(len(family.samples) for family in families(text)))
";

#[test]
fn the_reference_parser_reads_every_sample() {
    for text in texts() {
        let Some(output) = run("python3", &["-c", PYTHON], &text) else { return };
        let said = said(&output);
        if said.trim() == "not installed" {
            println!("skipped: prometheus_client for Python is not installed");
            return;
        }
        let samples = text.lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!(said.trim(), samples.to_string(), "{said}\n{text}");
    }
}
