//! jemalloc under Bursar's accounts.

mod accounts;

use std::process::ExitCode;

use bursar_alloc::{AccountingAllocator, Jemalloc};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

fn main() -> ExitCode {
    bursar_benches::run::<Jemalloc>("bursar_jemalloc", Some(&accounts::Bursar))
}
