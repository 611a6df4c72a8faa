//! A process that may use four gigabytes of address space, as `ulimit -v` gives it: the map over
//! address space must not take it up.
#![cfg(target_os = "linux")]

use std::process::Command;

use bursar_alloc::{AccountingAllocator, System, Tag, tag_usage, usage};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static TAG: Tag = Tag::new("tight");

/// Set in the process that runs under the limit.
const INSIDE: &str = "BURSAR_TEST_TIGHT_ADDRESS_SPACE";

#[test]
fn with_four_gigabytes_of_address_space_everything_is_attributed() {
    if std::env::var_os(INSIDE).is_none() {
        let program = std::env::current_exe().unwrap();
        let script = "ulimit -v 4194304 && exec \"$0\"";
        let child = Command::new("sh").args(["-c", script]).arg(program).env(INSIDE, "1").status();
        assert!(child.unwrap().success());
        return;
    }
    let blocks: Vec<Vec<u8>> = TAG.scope(|| (0..1024).map(|_| vec![1; 1 << 20]).collect());
    assert!(tag_usage(&TAG).live_bytes >= 1 << 30);
    assert_eq!(usage().unattributed_blocks_total, 0);
    drop(blocks);
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}
