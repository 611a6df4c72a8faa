//! Prints what measuring requests costs them, and how soon statistics are answered.

use std::process::ExitCode;

use bursar::{AccountingAllocator, Jemalloc};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

fn main() -> ExitCode {
    bursar_benches::service::main()
}
