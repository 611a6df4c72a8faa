//! Forking with jemalloc behind the accounts.

#[cfg(unix)]
#[path = "lifecycle/fork.rs"]
mod fork;
#[cfg(unix)]
#[path = "support/forked.rs"]
mod forked;
#[cfg(unix)]
#[path = "support/stories.rs"]
mod stories;

#[cfg(unix)]
use bursar_alloc::{AccountingAllocator, Jemalloc};

#[cfg(unix)]
#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

fn main() {
    #[cfg(unix)]
    fork::run();
}
