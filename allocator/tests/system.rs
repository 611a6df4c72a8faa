//! The suite with the platform's allocator behind it.

mod suite;

use bursar_alloc::{
    AccountingAllocator, BackendStats, Collect, CollectScope, Collected, System, backend_stats,
    collect, collect_scope,
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
