//! The suite with jemalloc behind it.
#![cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]

mod suite;

use bursar_alloc::{AccountingAllocator, Collect, Collected, Jemalloc, backend_stats, collect};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

#[test]
fn a_purge_gives_dirty_pages_back_and_leaves_live_ones() {
    let kept = vec![1u8; 8 << 20];
    drop(vec![1u8; 32 << 20]);
    assert_eq!(collect(Collect::Purge), Collected::Done);
    let stats = backend_stats();
    assert!(stats.active_bytes.unwrap() >= 8 << 20, "{stats:?}");
    assert!(stats.dirty_bytes.unwrap() < 32 << 20, "{stats:?}");
    assert!(kept.iter().all(|&byte| byte == 1));
}
