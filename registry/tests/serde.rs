//! Statistics as JSON.
#![cfg(feature = "serde")]

use bursar::{AccountingAllocator, Bursar, Stats, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

#[test]
fn statistics_go_to_json_and_back() {
    let bursar = Bursar::builder().budget("64MiB").start().unwrap();
    let stats = bursar.stats();
    let json = serde_json::to_string(&stats).unwrap();
    assert!(json.contains("\"level\":\"normal\""), "{json}");
    assert!(json.contains("\"soft_limit_bytes\":67108864"), "{json}");
    assert_eq!(serde_json::from_str::<Stats>(&json).unwrap(), stats);
}
