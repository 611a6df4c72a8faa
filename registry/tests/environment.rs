//! Settings out of the environment of the process: each test starts a process with one of its
//! own.

#[path = "../../allocator/tests/support/program.rs"]
mod program;

use std::sync::Arc;

use bursar::{
    AccountingAllocator, Bounds, Bursar, Entry, PurgeOutcome, PurgeRequest, Purgeable, System,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// What `starting` says in a process that has these variables.
fn started_with(variables: &[(&str, &str)]) -> String {
    let output = program::again()
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
        Ok(bursar) => {
            println!("started with {} bytes", bursar.budget().soft_limit_bytes());
            registering(&bursar);
        }
        Err(error) => println!("refused: {error}"),
    }
}

/// Registers a purgeable that takes `max_entries` and no other bounds.
fn registering(bursar: &Bursar) {
    struct Buffers;
    impl Purgeable for Buffers {
        fn purgeable_bytes(&self) -> u64 {
            0
        }
        fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
            PurgeOutcome::Empty
        }
        fn set_bounds(&self, bounds: &Bounds) -> bool {
            println!("told of {bounds}");
            bounds.max_bytes.is_none()
        }
    }
    let registration = bursar.register(Entry::new("buffers", Arc::new(Buffers)));
    if let Err(error) = &registration {
        println!("not registered: {error}");
    }
    println!("{}", bursar.stats());
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

#[test]
fn what_is_registered_gets_the_bounds_that_stand_under_its_name() {
    let said = started_with(&[]);
    assert!(!said.contains("told of") && !said.contains("not registered"), "{said}");
    let said = started_with(&[("BURSAR_MAX_ENTRIES", "sessions=10000,buffers=64")]);
    assert!(said.contains("told of max_entries 64\n"), "{said}");
    assert!(!said.contains("not registered: the"), "{said}");
}

#[test]
fn bounds_that_nothing_was_registered_for_are_shown() {
    let bounds =
        [("BURSAR_MAX_ENTRIES", "bufers=64,buffers=64"), ("BURSAR_MAX_BYTES", "logs=1KiB")];
    let said = started_with(&bounds);
    assert!(said.contains("\nbounded but not registered: bufers, logs\n"), "{said}");
}

#[test]
fn bounds_that_a_purgeable_does_not_have_are_told_when_it_registers() {
    let said = started_with(&[("BURSAR_MAX_BYTES", "buffers=1MiB")]);
    let refused = "not registered: the purgeable \"buffers\" cannot be given max_bytes 1048576";
    assert!(said.contains(refused), "{said}");
    assert!(said.contains("\nbounded but not registered: buffers\n"), "{said}");
}
