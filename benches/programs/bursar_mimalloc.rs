//! mimalloc under Bursar's accounts.

mod accounts;
mod mimalloc_backend;

use std::process::ExitCode;

use bursar_alloc::AccountingAllocator;
use mimalloc_backend::Mimalloc;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Mimalloc> = AccountingAllocator::new(Mimalloc);

fn main() -> ExitCode {
    bursar_benches::run("bursar_mimalloc", Some(&accounts::Bursar))
}
