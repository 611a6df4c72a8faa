//! A test that runs in a process of its own: since it looks at the whole process, or since the
//! process may die of it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::process::Output;
use std::time::Duration;

#[path = "program.rs"]
mod program;

/// Set in that process, to the test's name.
const INSIDE: &str = "BURSAR_TEST_INSIDE";
/// Such a process is done in a second: one that takes so long hangs, and is ended.
const PATIENCE: Duration = Duration::from_secs(600);

/// Whether this is the process in which `test` is to run.
pub(crate) fn is_inside(test: &str) -> bool {
    let inside = std::env::var_os(INSIDE).is_some_and(|name| name == test);
    if inside {
        std::thread::spawn(|| {
            std::thread::sleep(PATIENCE);
            eprintln!("hangs");
            std::process::abort();
        });
    }
    inside
}

/// Runs `test` of this very program alone, with [`is_inside`] true for it.
pub(crate) fn run(test: &str) -> Output {
    let arguments = ["--exact", test, "--nocapture", "--include-ignored"];
    program::again().args(arguments).env(INSIDE, test).output().unwrap()
}

/// Runs `test` as [`run`] does, and fails if it does.
pub(crate) fn pass(test: &str) {
    let output = run(test);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test}: {}\n{text}", output.status);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{test} was not found:\n{said}");
}
