//! `bursar watch`, and what it has recorded.

use std::fs::{self, File};
#[cfg(unix)]
use std::io::BufRead;
use std::io::BufReader;
use std::path::Path;
#[cfg(unix)]
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use bursar::{Trace, TraceItem};
use serde_json::json;

#[cfg(unix)]
use crate::command;
use crate::server::{changed, reply, right, serve};
use crate::{bursar, complaint, stdout};

fn trace(path: &Path) -> Trace {
    let trace = Trace::read(BufReader::new(File::open(path).unwrap())).unwrap();
    assert_eq!(trace.truncated_line(), None);
    trace
}

#[test]
fn a_service_is_recorded_for_some_seconds_and_can_be_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.trace");
    let file = path.to_str().unwrap();
    let url = serve(right("/memory"));
    let arguments =
        ["watch", "--record", file, "--seconds", "1", "--interval", "50ms", "--url", &url];
    let text = stdout(&bursar(&arguments), 0);
    assert!(text.lines().next().unwrap().contains("normal"), "{text}");
    assert!(text.lines().last().unwrap().contains("play them with bursar replay"), "{text}");

    let trace = trace(&path);
    assert_eq!(trace.soft_limit_bytes(), 1 << 30);
    let has = |is: fn(&TraceItem) -> bool| trace.events().iter().any(|event| is(&event.item));
    assert!(has(|item| matches!(item, TraceItem::Sample(_))));
    assert!(has(|item| matches!(item, TraceItem::Purgeable(of) if of.name == "thumbnails")));
    let text = stdout(&bursar(&["replay", file]), 0);
    assert!(text.contains("highest footprint"), "{text}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_recording_with_a_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.trace");
    let url = serve(right("/memory"));
    for signal in ["-INT", "-TERM"] {
        let arguments = ["watch", "--overwrite", "--record", path.to_str().unwrap(), "--url", &url];
        let mut child = command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().contains("normal"));
        let mut kill = Command::new("kill");
        assert!(kill.arg(signal).arg(child.id().to_string()).status().unwrap().success());
        assert!(lines.map(Result::unwrap).any(|line| line.contains("events in")));
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert!(!trace(&path).events().is_empty());
    }
}

#[test]
fn a_service_that_is_started_anew_ends_the_recording_with_3_and_a_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.trace");
    let asked = AtomicUsize::new(0);
    // The first question of statistics comes before the restart.
    let url = serve(changed(move |stats| {
        let secs = if asked.fetch_add(1, Ordering::Relaxed) == 0 { 3600 } else { 1 };
        stats["uptime"] = json!({"secs": secs, "nanos": 0});
    }));
    let output = bursar(&["watch", "--record", path.to_str().unwrap(), "--url", &url]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("was started anew"), "{stderr}");
    assert!(!trace(&path).events().is_empty());
}

#[test]
fn a_service_that_changes_its_format_ends_the_recording_with_6_and_a_whole_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.trace");
    let asked = AtomicUsize::new(0);
    let right = right("/memory");
    let url = serve(move |path, stream| {
        if asked.fetch_add(1, Ordering::Relaxed) < 2 {
            right(path, stream);
        } else {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Bursar-Format: 2\r\n\r\n{}");
        }
    });
    let output = bursar(&["watch", "--record", path.to_str().unwrap(), "--url", &url]);
    assert_eq!(output.status.code(), Some(6));
    assert!(!trace(&path).events().is_empty());
}

#[test]
fn a_recording_is_not_written_over_unless_that_is_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.trace");
    let file = path.to_str().unwrap();
    fs::write(&path, "dear").unwrap();
    let url = serve(right("/memory"));
    let arguments = ["watch", "--seconds", "1", "--record", file, "--url", &url];
    let line = complaint(&bursar(&arguments), 7);
    assert!(line.contains("is there already") && line.contains("--overwrite"), "{line}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "dear");
    let line = complaint(&bursar(&["watch", "--record", "/no/such/x", "--url", &url]), 7);
    assert!(line.contains("/no/such/x: "), "{line}");
}

#[test]
fn one_who_does_not_answer_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.trace");
    let url = serve(|_, stream| reply(stream, "200 OK", "what?"));
    complaint(&bursar(&["watch", "--record", path.to_str().unwrap(), "--url", &url]), 5);
    assert!(!path.exists());
}

#[test]
fn what_makes_no_trace_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("service.trace");
    let url = serve(changed(|stats| stats["purgeables"][0]["name"] = json!("a b\u{1b}[2J")));
    let file = path.to_str().unwrap();
    let output = bursar(&["watch", "--seconds", "1", "--record", file, "--url", &url]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("makes no trace"), "{stderr}");
}

#[test]
fn more_seconds_than_a_year_has_are_refused_with_what_is_allowed() {
    let seconds = u64::MAX.to_string();
    let arguments = ["watch", "--record", "never.trace", "--seconds", &seconds];
    let output = bursar(&[&arguments[..], &["--socket", "/no/such/socket"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("--seconds") && stderr.contains("31536000"), "{stderr}");
}
