//! Forking with jemalloc behind the accounts.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

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
