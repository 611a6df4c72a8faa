//! Any content in any file of a v1, v2 or hybrid tree: nothing panics, and what is answered is
//! what the files say: the container's limit is the model's, and no limit is ever zero or a guess.

#![no_main]

#[path = "cgroup_files/model.rs"]
mod model;
#[path = "cgroup_files/tree.rs"]
mod tree;

use std::ffi::OsString;

use bursar::{Cgroup, LimitAnswer, LimitReport, LimitSource, Limits, MemoryStall, SystemMemory};
use libfuzzer_sys::fuzz_target;

use tree::{Input, Tree};

fuzz_target!(|input: Input| {
    let tree = Tree::write(&input);
    if let Ok(cgroup) = Cgroup::discover_under(tree.root()) {
        check_cgroup(&cgroup, &input);
    }
    let system = SystemMemory::open_under(tree.root());
    if let Ok(usage) = system.usage() {
        assert_ne!(usage.total_bytes, Some(0));
    }
    if let Ok(stall) = system.stall() {
        check_stall(&stall);
    }

    let variable = |name: &str| {
        assert_eq!(name, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
        input.lambda.clone().map(OsString::from)
    };
    let limits = Limits::discover_under(tree.root(), input.given_bytes, variable);
    let report = limits.report();
    check_report(&report, &input);
    assert_eq!(limits.report(), report, "the files have not changed");
});

fn check_cgroup(cgroup: &Cgroup, input: &Input) {
    let limit = cgroup.limit();
    if let Ok(Some(limit)) = &limit {
        assert_ne!(limit.bytes, 0, "{limit:?}");
    }
    if let Some(expected) = model::limit(input) {
        let found = limit.map(|limit| limit.map(|limit| limit.bytes));
        assert_eq!(found.clone().map_err(drop), expected, "{found:?}");
    }
    if let Ok(usage) = cgroup.usage() {
        assert!(usage.working_set_bytes <= usage.usage_bytes, "{usage:?}");
    }
    if let Ok(stall) = cgroup.stall() {
        check_stall(&stall);
    }
    let _ = cgroup.swap_bytes();
    if let (Ok(events), Ok(kills)) = (cgroup.events(), cgroup.oom_kills()) {
        // The first of several such lines, or the last: a kernel writes one.
        assert!(events.oom_kill.is_some(), "{kills} kills");
    }
}

fn check_stall(stall: &MemoryStall) {
    for percent in [stall.some_avg10_percent, stall.full_avg10_percent] {
        assert!((0.0..=100.0).contains(&percent), "{stall:?}");
    }
}

/// The rules that `LimitReport` states, over what the sources said.
fn check_report(report: &LimitReport, input: &Input) {
    let bytes = |source| report.answer(source).and_then(LimitAnswer::bytes);
    let [given, lambda, cgroup, physical] =
        [LimitSource::Given, LimitSource::Lambda, LimitSource::Cgroup, LimitSource::PhysicalMemory]
            .map(bytes);
    assert_eq!(given, input.given_bytes.filter(|bytes| (1..1 << 60).contains(bytes)));
    let is_unknown =
        matches!(report.answer(LimitSource::Cgroup), Some(LimitAnswer::Unavailable { .. }));
    let found = [given.or(lambda), cgroup, physical.filter(|_| !is_unknown)];
    let tightest = found.into_iter().flatten().min();
    assert_eq!(report.limit_bytes, tightest, "{report:#?}");
    assert_ne!(report.limit_bytes, Some(0));
    assert_eq!(report.from.and_then(bytes), tightest, "{report:#?}");
    assert!(!report.to_string().contains('\n'), "one line: {report}");
}
