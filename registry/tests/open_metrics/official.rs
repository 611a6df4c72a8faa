//! The parsers of Prometheus itself, where they are installed: `promtool`, and the Python client.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::{full_stats, real_stats, route, text_of};

/// A process's, one with everything there is, and one with names that hurt.
fn texts() -> [String; 3] {
    let mut hostile = full_stats();
    let names =
        ["\"} 1", "\\", "\\n", "a\nb", "\r", "\u{0}", "", "\u{1f4a9}", "# EOF", "{x=\"y\"}"];
    hostile["routes"] = names.iter().map(|name| route(name, 1)).collect::<Value>();
    hostile["purgeables"][0]["name"] = json!("\\\"\n");
    [text_of(real_stats()), text_of(full_stats()), text_of(hostile)]
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

/// In Prometheus's older format, which its linter reads: a counter is described by its full name,
/// and there is no type `info`.
fn in_the_older_format(text: &str) -> String {
    let mut older = String::new();
    let mut is_counter = false;
    for line in text.lines() {
        let words: Vec<_> = line.splitn(4, ' ').collect();
        let line = match words[..] {
            ["#", "HELP", family, help] => {
                let kind = format!("\n# TYPE {family} ");
                let at = text.find(&kind).unwrap() + kind.len();
                is_counter = text[at..].starts_with("counter");
                let is_info = text[at..].starts_with("info");
                let suffix = if is_counter {
                    "_total"
                } else if is_info {
                    "_info"
                } else {
                    ""
                };
                format!("# HELP {family}{suffix} {help}")
            }
            ["#", "TYPE", family, "info"] => format!("# TYPE {family}_info gauge"),
            ["#", "TYPE", family, kind] if is_counter => format!("# TYPE {family}_total {kind}"),
            ["#", "UNIT" | "EOF", ..] => continue,
            _ => line.to_owned(),
        };
        writeln!(older, "{line}").unwrap();
    }
    older
}

#[test]
fn prometheus_finds_nothing_to_say_about_names_and_types() {
    for text in texts() {
        let older = in_the_older_format(&text);
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
