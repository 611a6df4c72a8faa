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
fn every_program_tells_the_nanoseconds_of_churn_on_several_threads() {
    for program in programs() {
        let [nanos] = numbers(program, &["churn", "3", "10"]);
        assert!(nanos > 0, "{program}");
    }
}

#[test]
fn with_accounts_all_sums_are_exact_at_rest_and_all_figures_are_read() {
    for program in BURSAR {
        for threads in ["1", "2", "50"] {
            let [blocks, looks, wrong] = numbers(program, &["sums", threads]);
            assert!(blocks > 0 && looks > 0, "{program}: {blocks} blocks, {looks} looks");
            assert_eq!(wrong, 0, "{program}, {threads} threads");
        }
        for what in ["usage", "stats"] {
            let [nanos] = numbers(program, &["snapshot", what, "8", "4", "3"]);
            assert!(nanos > 0, "{program} {what}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_dropped_is_no_longer_live_and_what_is_live_is_resident() {
    let isolating = BURSAR.map(|program| (program, ["shared", "isolated"].as_slice()));
    let bare = BARE.map(|program| (program, ["untagged"].as_slice()));
    for (program, homes) in isolating.into_iter().chain(bare) {
        for home in homes {
            for (dropping, least, most) in [("all", 0.05, 0.15), ("random", 0.5, 0.6)] {
                let arguments = ["isolation", home, dropping, "5000000"];
                let [live_before, _, live, resident] = numbers(program, &arguments);
                let left = live as f64 / live_before as f64;
                assert!((least..most).contains(&left), "{program} {arguments:?}: {left}");
                assert!(resident > live, "{program} {arguments:?}: {resident} of {live}");
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn threads_with_tags_of_their_own_make_the_process_grow() {
    for home in ["shared", "isolated"] {
        let [grown] = numbers(BURSAR[0], &["threads", home, "4", "4", "1000"]);
        assert!(grown > 0, "{home}");
    }
}

#[test]
fn what_a_program_does_not_know_is_named() {
    for (arguments, named) in [
        (["work", "pears", "10"].as_slice(), "pears"),
        (&["work", "pairs", "ten"], "ten"),
        (&["memory", "lead"], "lead"),
        (&["isolation", "abroad", "all", "1000"], "abroad"),
        (&["isolation", "untagged", "none", "1000"], "none"),
        (&["isolation", "isolated", "all", "1000"], "accounts"),
        (&["threads", "shared", "2", "2", "1"], "accounts"),
        (&["churn", "0", "10"], "\"0\""),
        (&["sums", "2"], "accounts"),
        (&["snapshot", "usage", "8", "4", "3"], "accounts"),
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
