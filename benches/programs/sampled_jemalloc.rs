//! jemalloc under Bursar's accounts while the heap is sampled, at the interval that is the default.

mod accounts;

use std::process::ExitCode;

use bursar_alloc::{AccountingAllocator, Jemalloc, Sampling, start_sampling};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

fn main() -> ExitCode {
    if let Err(error) = start_sampling(Sampling::default()) {
        eprintln!("sampled_jemalloc: {error}");
        return ExitCode::FAILURE;
    }
    bursar_benches::run::<Jemalloc>("sampled_jemalloc", Some(&accounts::Bursar))
}
