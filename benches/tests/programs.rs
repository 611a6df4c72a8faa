//! What `compare` and `memory` ask of a configuration's program, and what it answers; and what
//! the commands that ask no program print.

use std::process::{Command, Output};

const BARE: [&str; 3] = [
    env!("CARGO_BIN_EXE_bare_jemalloc"),
    env!("CARGO_BIN_EXE_bare_mimalloc"),
    env!("CARGO_BIN_EXE_bare_system"),
];
const BURSAR: [&str; 3] = [
    env!("CARGO_BIN_EXE_bursar_jemalloc"),
    env!("CARGO_BIN_EXE_bursar_mimalloc"),
    env!("CARGO_BIN_EXE_bursar_system"),
];
#[cfg(feature = "peers")]
const PEERS: &[&str] = &[
    env!("CARGO_BIN_EXE_tracking_jemalloc"),
    env!("CARGO_BIN_EXE_cap_jemalloc"),
    env!("CARGO_BIN_EXE_stats_system"),
    env!("CARGO_BIN_EXE_peak_system"),
];
#[cfg(not(feature = "peers"))]
const PEERS: &[&str] = &[];

fn ask(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

/// The numbers that a program answers with.
fn numbers<const N: usize>(program: &str, arguments: &[&str]) -> [u64; N] {
    let output = ask(program, arguments);
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    let answer = String::from_utf8(output.stdout).unwrap();
    let numbers: Vec<_> = answer.split_whitespace().map(|number| number.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn programs() -> impl Iterator<Item = &'static str> {
    BARE.into_iter().chain(BURSAR).chain(PEERS.iter().copied())
}

#[test]
fn every_program_tells_the_nanoseconds_of_a_workload() {
    for program in programs() {
        for workload in ["pairs", "churn_2", "cross_thread", "reserve_exact"] {
            let [nanos] = numbers(program, &["work", workload, "3"]);
            assert!(nanos > 0, "{program} {workload}");
        }
    }
}

#[test]
fn a_program_with_accounts_runs_what_takes_them_and_a_bare_one_says_that_it_has_none() {
    for workload in ["scope", "snapshot_8_tags", "snapshot_all_tags_all_slots"] {
        for program in BURSAR {
            let [nanos] = numbers(program, &["work", workload, "3"]);
            assert!(nanos > 0, "{program} {workload}");
        }
        for program in BARE {
            let output = ask(program, &["work", workload, "3"]);
            assert!(!output.status.success());
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains(workload) && said.contains("accounts"), "{said}");
        }
    }
}

#[test]
fn what_a_program_does_not_know_is_named() {
    for (arguments, named) in [
        (["work", "pears", "10"].as_slice(), "pears"),
        (&["work", "pairs", "ten"], "ten"),
        (&["memory", "lead"], "lead"),
    ] {
        let output = ask(BARE[2], arguments);
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(named), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_reaction_measures_each_of_its_rows_and_names_one_that_it_does_not_know() {
    let reaction = env!("CARGO_BIN_EXE_reaction");
    let output = ask(reaction, &["--quick"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for row in ["to the first callback", "a bare parked thread", "a trim", "the monitor's thread"] {
        assert!(said.contains(row), "{said}");
    }
    assert!(!said.contains("never came"), "{said}");

    let output = ask(reaction, &["--quick", "--only", "trips"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("trips") && said.contains("trim"), "{said}");
}

#[test]
fn the_command_caches_measures_each_of_its_rows_and_names_one_that_it_does_not_know() {
    let caches = env!("CARGO_BIN_EXE_caches");
    let output = ask(caches, &["--quick"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for row in ["a hit", "an insert", "a purge of half", "at equal entries", "at equal bytes"] {
        assert!(said.contains(row), "{said}");
    }
    for peer in ["moka", "quick_cache"] {
        assert_eq!(said.contains(peer), !PEERS.is_empty(), "{said}");
    }

    let output = ask(caches, &["--quick", "--only", "git"]);
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("git") && said.contains("get"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_command_service_measures_each_of_its_rows_and_says_what_it_was_not_given() {
    let service = env!("CARGO_BIN_EXE_service");
    let output = ask(service, &["--quick"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for row in ["8 tags, 1 thread", "64 tags, 2 threads", "/metrics", "/health", "not measured:"] {
        assert!(said.contains(row), "{said}");
    }
    // Several threads may find no scope that is free, once in a while.
    let mut requests = said.lines().filter(|line| line.contains("1 thread, "));
    assert!(requests.clone().count() == 4, "{said}");
    assert!(requests.all(|line| line.ends_with(" 0 |   0 |")), "{said}");

    for (arguments, named) in [
        (["--quick", "--only", "layers"].as_slice(), "layers"),
        (&["--quick", "--only", "status", "--bursar", "no-such-program"], "no-such-program"),
    ] {
        let output = ask(service, arguments);
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(named), "{said}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_load_needs_at_least_what_it_asks_for_and_less_than_twice_that() {
    for program in programs() {
        for load in ["powers", "vectors"] {
            let [requested, grown] = numbers(program, &["memory", load]);
            let ratio = grown as f64 / requested as f64;
            assert!(requested > 50_000_000, "{program} {load}: {requested}");
            assert!((0.98..2.0).contains(&ratio), "{program} {load}: {ratio}");
        }
    }
}
