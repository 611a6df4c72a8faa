//! Who is asked, what is answered, and what becomes of hostile answers.

use super::*;
use crate::source::fixture::Fixture;
use crate::source::fixture_trees::{NONE_V1, V1, V2, add_machine, v1, v2};

const MIB: u64 = 1 << 20;
const MACHINE_MIB: u64 = 16 << 10;

/// A machine of 16 GiB, with a container of 512 MiB.
fn container() -> Fixture {
    let root = v2("/app", &[("/app", "536870912", "max")]);
    add_machine(&root);
    root
}

/// A machine of 16 GiB, and no cgroup.
fn bare_machine() -> Fixture {
    let root = Fixture::new();
    root.write("proc/self/cgroup", "");
    root.write("proc/self/mountinfo", "");
    add_machine(&root);
    root
}

fn limits(root: &Fixture, given_mib: Option<u64>, lambda: Option<&str>) -> Limits {
    let given_bytes = given_mib.map(|mib| mib * MIB);
    Limits::discover_under(root.path(), given_bytes, |name| {
        lambda.filter(|_| name == "AWS_LAMBDA_FUNCTION_MEMORY_SIZE").map(OsString::from)
    })
}

fn report(root: &Fixture, given_mib: Option<u64>, lambda: Option<&str>) -> LimitReport {
    limits(root, given_mib, lambda).report()
}

#[track_caller]
fn assert_limit(report: &LimitReport, from: LimitSource, mib: u64) {
    assert_eq!((report.from, report.limit_bytes), (Some(from), Some(mib * MIB)), "{report:#?}");
}

#[track_caller]
fn assert_unavailable(report: &LimitReport, source: LimitSource, names: &str) {
    let answer = report.answer(source).expect("every source answers");
    assert!(
        matches!(answer, LimitAnswer::Unavailable { reason } if reason.contains(names)),
        "{source}: {answer}"
    );
}

#[test]
fn every_source_says_what_it_has() {
    let report = report(&container(), Some(256), Some("1024"));
    let said: Vec<_> = report.candidates.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "given: 256.0 MiB (limit_bytes)",
            "lambda: 1.0 GiB (AWS_LAMBDA_FUNCTION_MEMORY_SIZE)",
            "cgroup: 512.0 MiB (/sys/fs/cgroup/app/memory.max (own cgroup))",
            "physical_memory: 16.0 GiB (/proc/meminfo, MemTotal)",
        ]
    );
    assert_limit(&report, LimitSource::Given, 256);
}

#[test]
fn lambdas_megabytes_are_mebibytes() {
    assert_limit(&report(&bare_machine(), None, Some("512")), LimitSource::Lambda, 512);
}

#[test]
fn a_given_limit_above_the_containers_is_capped_and_said_so() {
    let report = report(&container(), Some(1024), None);
    assert_limit(&report, LimitSource::Cgroup, 512);
    assert!(report.to_string().ends_with(", below the 1.0 GiB given"), "{report}");
}

#[test]
fn outside_of_containers_physical_memory_is_the_limit() {
    let root = bare_machine();
    let report_none = report(&root, None, None);
    assert_limit(&report_none, LimitSource::PhysicalMemory, MACHINE_MIB);
    let absent = report_none.answer(LimitSource::Cgroup);
    assert!(matches!(absent, Some(LimitAnswer::Absent { .. })), "{absent:?}");
    let unlimited = v2("/app", &[("/app", "max", "max")]);
    add_machine(&unlimited);
    let report = report(&unlimited, None, None);
    assert_limit(&report, LimitSource::PhysicalMemory, MACHINE_MIB);
    assert_eq!(report.answer(LimitSource::Cgroup), Some(&LimitAnswer::Unlimited));
}

#[test]
fn the_tightest_ancestor_holds_on_v1_v2_and_in_a_hybrid() {
    let nested = v2("/pod/app", &[("/pod", "268435456", "max"), ("/pod/app", "536870912", "max")]);
    let top = ("", NONE_V1, NONE_V1);
    let hidden = v1("/app", &[top, ("/app", "536870912", "268435456")]);
    let hybrid = v1("/app", &[top, ("/app", "268435456", "268435456")]);
    hybrid.write("sys/fs/cgroup/unified/memory.max", "1048576\n");
    for root in [nested, hidden, hybrid] {
        add_machine(&root);
        assert_limit(&report(&root, None, None), LimitSource::Cgroup, 256);
    }
}

#[test]
fn a_hostile_variable_is_unavailable_and_never_a_guess() {
    let root = container();
    for wrong in [
        "",
        " ",
        "12 bananas",
        "-1",
        "0",
        "max",
        "512MB",
        "1.5",
        "17592186044416",
        "9".repeat(99).as_str(),
    ] {
        let report = report(&root, None, Some(wrong));
        assert_unavailable(&report, LimitSource::Lambda, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE is ");
        assert_limit(&report, LimitSource::Cgroup, 512);
    }
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_unavailable() {
    use std::os::unix::ffi::OsStringExt;
    let root = container();
    let report =
        Limits::discover_under(root.path(), None, |_| Some(OsString::from_vec(vec![b'5', 0xff])))
            .report();
    assert_unavailable(&report, LimitSource::Lambda, "5\u{fffd}");
}

#[test]
fn a_containers_limit_that_cannot_be_read_leaves_no_limit() {
    for (root, file) in [
        (container(), format!("{V2}/app/memory.max")),
        (v1("/app", &[("/app", "1048576", "1048576")]), format!("{V1}/app/memory.limit_in_bytes")),
    ] {
        add_machine(&root);
        let limits = limits(&root, None, None);
        for wrong in ["", "0", "-1", "1 2", "18446744073709551616", "12 bananas", "\0"] {
            root.write(&file, wrong);
            let report = limits.report();
            assert_unavailable(&report, LimitSource::Cgroup, &format!("/{file} holds "));
            assert_eq!((report.limit_bytes, report.from), (None, None), "{wrong:?}");
        }
        root.make_directory(&file);
        assert_unavailable(
            &limits.report(),
            LimitSource::Cgroup,
            &format!("/{file} cannot be read"),
        );
        assert_limit(&report(&root, Some(64), None), LimitSource::Given, 64);
    }
}

#[test]
fn hostile_physical_memory_is_unavailable() {
    let root = bare_machine();
    for wrong in
        ["", "MemTotal: 0 kB\n", "MemTotal: max kB\n", "MemTotal: 18446744073709551615 kB\n"]
    {
        root.write("proc/meminfo", wrong);
        let report = report(&root, None, None);
        assert_unavailable(&report, LimitSource::PhysicalMemory, "/proc/meminfo holds ");
        assert_eq!(report.limit_bytes, None, "{wrong:?}");
    }
    root.write("proc/meminfo", "SwapTotal: 7 kB\n");
    assert_unavailable(&report(&root, None, None), LimitSource::PhysicalMemory, "MemTotal");
    root.remove("proc/meminfo");
    assert_unavailable(&report(&root, None, None), LimitSource::PhysicalMemory, "/proc/meminfo");
}

#[test]
fn a_container_that_is_resized_in_place_is_followed() {
    let root = container();
    let limits = limits(&root, None, None);
    assert_limit(&limits.report(), LimitSource::Cgroup, 512);
    root.write(&format!("{V2}/app/memory.max"), "268435456\n");
    assert_limit(&limits.report(), LimitSource::Cgroup, 256);
    root.write(&format!("{V2}/app/memory.max"), "max\n");
    assert_limit(&limits.report(), LimitSource::PhysicalMemory, MACHINE_MIB);
}

#[test]
fn the_real_system_has_a_limit_or_says_why_not() {
    let report = Limits::discover(None).report();
    assert_eq!(report.candidates.len(), 4);
    assert_ne!(report.limit_bytes, Some(0));
    if !cfg!(target_os = "linux") {
        let absent = report.answer(LimitSource::PhysicalMemory);
        assert!(matches!(absent, Some(LimitAnswer::Absent { .. })), "{absent:?}");
    }
}
