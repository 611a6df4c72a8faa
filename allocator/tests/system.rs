//! The suite with the platform's allocator behind it.

mod suite;

use bursar_alloc::{AccountingAllocator, BackendStats, Collect, Collected, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

#[test]
fn what_the_system_allocator_cannot_know_is_none_and_what_it_cannot_do_is_said() {
    assert_eq!(bursar_alloc::backend_stats(), BackendStats::default());
    assert_eq!(bursar_alloc::collect(Collect::Purge), Collected::Unsupported);
}
