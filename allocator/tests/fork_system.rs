//! Forking with the platform's allocator behind the accounts.

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

use bursar_alloc::{AccountingAllocator, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    #[cfg(unix)]
    fork::run();
}
