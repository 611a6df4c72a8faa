//! Signal handlers. (Android has no interval timer to ring an alarm.)

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

#[cfg(all(unix, not(target_os = "android")))]
#[path = "lifecycle/signals.rs"]
mod signals;
#[cfg(all(unix, not(target_os = "android")))]
#[path = "support/stories.rs"]
mod stories;

use bursar_alloc::{AccountingAllocator, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() {
    #[cfg(all(unix, not(target_os = "android")))]
    signals::run();
}
