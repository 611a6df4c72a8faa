//! The platform's allocator under Bursar's accounts.

mod accounts;

use std::process::ExitCode;

use bursar_alloc::{AccountingAllocator, System};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn main() -> ExitCode {
    bursar_benches::run::<System>("bursar_system", Some(&accounts::Bursar))
}
