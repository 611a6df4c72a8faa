//! Signal handlers.

#[cfg(unix)]
#[path = "lifecycle/signals.rs"]
mod signals;
#[cfg(unix)]
#[path = "support/stories.rs"]
mod stories;

use bursar_alloc::{AccountingAllocator, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    #[cfg(unix)]
    signals::run();
}
