//! The suite with jemalloc behind it.
#![cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

mod suite;

use std::hint::black_box;

use bursar_alloc::{
    AccountingAllocator, Collect, CollectScope, Collected, Jemalloc, backend_stats, collect,
    collect_scope,
};

use suite::child;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

#[test]
fn a_purge_gives_dirty_pages_back_and_leaves_live_ones() {
    const NAME: &str = "a_purge_gives_dirty_pages_back_and_leaves_live_ones";
    // Its neighbours would make dirty pages meanwhile.
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    let kept = black_box(vec![1u8; 8 << 20]);
    // In pieces: what is larger than 8 MiB jemalloc gives back at once.
    drop((0..32).map(|_| black_box(vec![1u8; 1 << 20])).collect::<Vec<_>>());
    assert!(backend_stats().dirty_bytes.unwrap() >= 16 << 20);
    assert_eq!(collect(Collect::Purge), Collected::Done);
    let stats = backend_stats();
    assert!(stats.active_bytes.unwrap() >= 8 << 20, "{stats:?}");
    assert!(stats.dirty_bytes.unwrap() < 1 << 20, "{stats:?}");
    assert!(kept.iter().all(|&byte| byte == 1));
}

#[test]
fn jemalloc_collects_for_all_threads_and_reports_what_it_was_built_to_count() {
    assert_eq!(collect_scope(), CollectScope::AllThreads);
    assert_eq!(collect(Collect::Decay), Collected::Done);

    let kept = black_box(vec![1u8; 8 << 20]);
    let stats = backend_stats();
    let kept_bytes = Some(kept.len() as u64);
    assert!(stats.active_bytes >= kept_bytes && stats.dirty_bytes.is_some(), "{stats:?}");
    if cfg!(feature = "jemalloc-stats") {
        assert!(stats.allocated_bytes >= kept_bytes, "{stats:?}");
        assert!(stats.resident_bytes >= kept_bytes, "{stats:?}");
        assert!(stats.retained_bytes.is_some(), "{stats:?}");
    } else {
        let counted = [stats.allocated_bytes, stats.retained_bytes, stats.resident_bytes];
        assert_eq!(counted, [None; 3]);
    }
}
