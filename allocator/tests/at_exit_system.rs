//! The end of the process, with the platform's allocator behind the accounts.

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

use bursar_alloc::{AccountingAllocator, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    #[cfg(unix)]
    at_exit::run();
}
