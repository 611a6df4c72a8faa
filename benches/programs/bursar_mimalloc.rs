//! mimalloc under Bursar's accounts.

mod accounts;

use std::process::ExitCode;

use bursar_alloc::{AccountingAllocator, Mimalloc};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Mimalloc> = AccountingAllocator::new(Mimalloc);

fn main() -> ExitCode {
    bursar_benches::run::<Mimalloc>("bursar_mimalloc", Some(&accounts::Bursar))
}
