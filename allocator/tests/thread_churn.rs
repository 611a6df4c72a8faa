//! Threads that come and go in numbers.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

#[cfg(unix)]
#[path = "support/raw_thread.rs"]
mod raw_thread;
#[cfg(unix)]
#[path = "support/stories.rs"]
mod stories;
#[cfg(unix)]
#[path = "lifecycle/thread_churn.rs"]
mod thread_churn;

use bursar_alloc::{AccountingAllocator, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    #[cfg(unix)]
    thread_churn::run();
}
