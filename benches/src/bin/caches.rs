//! Prints what the cache's look-ups, insertions and trims cost, and its hit rates beside others'.

use std::process::ExitCode;

use bursar::{AccountingAllocator, Jemalloc};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

fn main() -> ExitCode {
    bursar_benches::caches::main()
}
