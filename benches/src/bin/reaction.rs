//! Prints how soon a cleanup begins, how long a large one takes, and what the idle monitor costs.

use std::process::ExitCode;

use bursar::{AccountingAllocator, Jemalloc};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

fn main() -> ExitCode {
    bursar_benches::reaction::main()
}
