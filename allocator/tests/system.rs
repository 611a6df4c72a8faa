//! The suite with the platform's allocator behind it.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

mod suite;

use std::hint::black_box;

use bursar_alloc::{
    AccountingAllocator, BackendStats, Collect, CollectScope, Collected, Isolation, Retag, System,
    Tag, backend_stats, collect, collect_scope, tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

#[test]
fn what_the_system_allocator_cannot_know_is_none_and_what_it_cannot_do_is_said() {
    assert_eq!(backend_stats(), BackendStats::default());
    assert_eq!(collect(Collect::Decay), Collected::Unsupported);
    let (scope, purged) = if cfg!(all(target_os = "linux", target_env = "gnu")) {
        (CollectScope::AllThreads, Collected::Done)
    } else {
        (CollectScope::Nothing, Collected::Unsupported)
    };
    assert_eq!((collect_scope(), collect(Collect::Purge)), (scope, purged));
}

#[test]
fn an_isolated_tag_is_counted_as_any_other_and_said_not_to_be_isolated() {
    static TAG: Tag = Tag::new("system/isolated").isolated();
    let mut blocks: Vec<_> = TAG.scope(|| black_box(vec![vec![7u8; 100], vec![7u8; 5000]]));
    blocks.push(black_box(vec![7u8; 1000]));
    let address = blocks[2].as_ptr();
    blocks[2].retag(&TAG);
    assert_eq!(blocks[2].as_ptr(), address, "there is nowhere else to go");
    let usage = tag_usage(&TAG);
    assert_eq!(usage.live_bytes, 100 + 5000 + 1000 + 4 * size_of::<Vec<u8>>() as u64);
    assert_eq!((usage.isolation, usage.active_bytes), (Isolation::Unsupported, None));
    assert_eq!(TAG.collect(Collect::Purge), Collected::Unsupported);
    drop(blocks);
    assert_eq!(tag_usage(&TAG).live_bytes, 0);
}

#[cfg(all(feature = "profile", target_os = "linux"))]
#[test]
fn with_the_heap_profile_compiled_in_all_this_is_sampled_meanwhile() {
    drop(black_box((0..1000).map(|_| vec![0u8; 1000]).collect::<Vec<_>>()));
    let stats = bursar_alloc::sampling_stats().expect("switched on before `main`");
    assert!(stats.samples_total > 100, "{stats:?}");
}
