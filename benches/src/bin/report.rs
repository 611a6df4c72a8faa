//! Runs every benchmark, prints every table and draws every chart that the README shows.

use std::process::ExitCode;

use bursar::{AccountingAllocator, Jemalloc};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

fn main() -> ExitCode {
    bursar_benches::report::main()
}
