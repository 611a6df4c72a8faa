//! Settings out of the environment of the process: each test starts a process with one of its
//! own.

use std::process::Command;

use bursar::{AccountingAllocator, Bursar, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// What `starting` says in a process that has these variables.
fn started_with(variables: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "starting", "--ignored", "--nocapture"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
#[ignore = "the other tests run it, in a process with variables"]
fn starting() {
    match Bursar::builder().budget("64MiB").env().start() {
        Ok(bursar) => println!("started with {} bytes", bursar.budget().soft_limit_bytes()),
        Err(error) => println!("refused: {error}"),
    }
}

#[test]
fn variables_override_what_was_set_before() {
    assert!(started_with(&[]).contains("started with 67108864 bytes"));
    let said = started_with(&[("BURSAR_SOFT_LIMIT", "32MiB")]);
    assert!(said.contains("started with 33554432 bytes"), "{said}");
}

#[test]
fn what_is_wrong_with_a_variable_is_told_at_the_start() {
    let said = started_with(&[("BURSAR_SOFT_LIMIT", "12 bananas")]);
    assert!(said.contains("refused: BURSAR_SOFT_LIMIT=\"12 bananas\": not allowed"), "{said}");
    let said = started_with(&[("BURSAR_BUGDET", "32MiB")]);
    assert!(said.contains("refused: BURSAR_BUGDET=\"32MiB\": there is no such"), "{said}");
}
