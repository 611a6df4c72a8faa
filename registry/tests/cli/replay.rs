//! `bursar replay` of recordings in files.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bursar::{
    Profile, RebuildCost, ReplayReport, Sample, Stage, Trace, TraceEvent, TraceItem,
    TracedPurgeable,
};

use crate::{bursar, complaint, stdout};

/// A cache that grows by 1 MiB a second in a budget of 256 MiB.
fn recording(directory: &Path) -> PathBuf {
    let mut trace = Trace::new(256 << 20, Some(300 << 20), Profile::default()).unwrap();
    for second in 0..100 {
        let at = Duration::from_secs(second);
        let mut sample = Sample::default();
        sample.live_bytes = second << 20;
        trace.push(TraceEvent { at, item: TraceItem::Sample(Box::new(sample)) }).unwrap();
        let cache = TracedPurgeable {
            name: "cache".to_owned(),
            stage: Stage::Trim,
            priority: 0,
            rebuild_cost: RebuildCost::Medium,
            purgeable_bytes: second << 20,
        };
        trace.push(TraceEvent { at, item: TraceItem::Purgeable(cache) }).unwrap();
    }
    let path = directory.join("service.trace");
    trace.write(fs::File::create(&path).unwrap()).unwrap();
    path
}

#[test]
fn replay_shows_the_recorded_run_beside_what_would_have_been() {
    let directory = tempfile::tempdir().unwrap();
    let path = recording(directory.path());
    let path = path.to_str().unwrap();
    let chart = directory.path().join("service.svg");
    let text = stdout(
        &bursar(&["replay", path, "--budget", "64MiB", "--chart", chart.to_str().unwrap()]),
        0,
    );
    assert!(text.contains("highest footprint              99.0 MiB"), "{text}");
    assert!(text.contains("With 64.0 MiB in place of 256.0 MiB"), "{text}");
    assert!(text.contains("Never above the container's limit."), "{text}");
    assert!(fs::read_to_string(chart).unwrap().starts_with("<svg"));
}

#[test]
fn replay_takes_a_profile_and_a_policy_and_answers_json() {
    let directory = tempfile::tempdir().unwrap();
    let path = recording(directory.path());
    let report = |more: &[&str]| {
        let arguments = [&["replay", path.to_str().unwrap(), "--json"], more].concat();
        serde_json::from_str::<ReplayReport>(&stdout(&bursar(&arguments), 0)).unwrap()
    };
    let plain = report(&["--budget", "64MiB"]);
    assert_eq!(plain.recorded.cleanups_total, 0);
    assert!(plain.replayed.cleanups_total > 0);
    let dense = report(&["--budget", "64MiB", "--profile", "dense"]);
    assert!(dense.replayed.peak_footprint_bytes > plain.replayed.peak_footprint_bytes);
    let eager = report(&["--budget", "64MiB", "--policy", "aggressive"]);
    assert_ne!(eager.replayed, plain.replayed);
    assert_eq!(report(&[]).replayed.cleanups_total, 0, "as recorded");
}

#[test]
fn a_file_that_cannot_be_read_or_written_ends_with_7_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.trace");
    let line = complaint(&bursar(&["replay", missing.to_str().unwrap()]), 7);
    assert!(line.contains("missing.trace: "), "{line}");
    let path = recording(directory.path());
    let chart = directory.path().join("no/such/place.svg");
    let arguments = ["replay", path.to_str().unwrap(), "--chart", chart.to_str().unwrap()];
    let line = complaint(&bursar(&arguments), 7);
    assert!(line.contains("place.svg: "), "{line}");
}

#[test]
fn a_line_that_is_no_event_ends_with_7_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = recording(directory.path());
    let mut text = fs::read_to_string(&path).unwrap();
    let second_line = text.find('\n').unwrap() + 1;
    text.insert_str(second_line, "what\u{1b}[2J is this?\n");
    fs::write(&path, text).unwrap();
    let line = complaint(&bursar(&["replay", path.to_str().unwrap()]), 7);
    assert!(line.contains("service.trace: line 2 of the trace is \"what"), "{line}");
}

#[test]
fn settings_that_make_no_sense_end_with_2() {
    let directory = tempfile::tempdir().unwrap();
    let path = recording(directory.path());
    let path = path.to_str().unwrap();
    for wrong in [["--budget", "much"], ["--profile", "best"], ["--policy", "kind"]] {
        let output = bursar(&["replay", path, wrong[0], wrong[1]]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("allowed is"), "{stderr}");
    }
}

#[test]
fn a_recording_needs_no_service_and_the_same_budget_is_not_told_twice() {
    let directory = tempfile::tempdir().unwrap();
    let path = recording(directory.path());
    let path = path.to_str().unwrap();
    let text = stdout(&bursar(&["replay", path]), 0);
    assert!(text.contains("With these settings, the footprint"), "{text}");
    let line = complaint(&bursar(&["replay", path, "--socket", "/run/app/bursar.sock"]), 2);
    assert!(line.contains("asks no service"), "{line}");
}
