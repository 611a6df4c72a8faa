//! Threads that come and go in numbers.

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
