//! A library that is loaded when the program has long been running, each with books of its own.
//!
//! The library is the package's example of that name, which `cargo test` builds beside the tests.

#[cfg(unix)]
#[path = "support/forked.rs"]
mod forked;
#[cfg(unix)]
#[path = "late_library/functions.rs"]
mod functions;
#[cfg(unix)]
#[path = "lifecycle/late_library.rs"]
mod late_library;
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
    late_library::run();
}
