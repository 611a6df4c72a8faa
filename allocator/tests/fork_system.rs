//! Forking with the platform's allocator behind the accounts.

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
