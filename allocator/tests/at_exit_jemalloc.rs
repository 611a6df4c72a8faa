//! The end of the process, with jemalloc behind the accounts.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

#[cfg(unix)]
#[path = "lifecycle/at_exit.rs"]
mod at_exit;
#[cfg(unix)]
#[path = "support/role.rs"]
mod role;
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
    at_exit::run();
}
