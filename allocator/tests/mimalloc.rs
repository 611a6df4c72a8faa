//! The suite with mimalloc behind it.
#![cfg(feature = "mimalloc")]

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

mod suite;

use bursar_alloc::{
    AccountingAllocator, BackendStats, Collect, CollectScope, Collected, Mimalloc, backend_stats,
    collect, collect_scope,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Mimalloc> = AccountingAllocator::new(Mimalloc);

#[test]
fn what_mimalloc_cannot_know_is_none_and_it_collects_for_the_calling_thread() {
    assert_eq!(backend_stats(), BackendStats::default());
    assert_eq!(collect_scope(), CollectScope::CallingThread);
    assert_eq!(collect(Collect::Decay), Collected::Done);
    assert_eq!(collect(Collect::Purge), Collected::Done);
}
