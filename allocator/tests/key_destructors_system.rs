//! Destructors of pthread keys, with the platform's allocator behind the accounts.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

#[cfg(unix)]
#[path = "lifecycle/key_destructors.rs"]
mod key_destructors;
#[cfg(unix)]
#[path = "support/raw_thread.rs"]
mod raw_thread;
#[cfg(unix)]
#[path = "support/stories.rs"]
mod stories;

use bursar_alloc::{AccountingAllocator, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    #[cfg(unix)]
    key_destructors::run();
}
