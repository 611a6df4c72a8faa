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

/// Asks for the books before anything was allocated, and so before jemalloc has its own handlers
/// around a fork: ours take locks of jemalloc's, and have to come before those.
#[cfg(target_os = "linux")]
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = look_at_the_books;

#[cfg(target_os = "linux")]
extern "C" fn look_at_the_books() {
    let _ = bursar_alloc::thread_usage_total();
}
