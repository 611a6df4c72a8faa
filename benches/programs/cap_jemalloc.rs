//! jemalloc under `cap`, without a limit: one total for the process, in a global atomic.

use std::process::ExitCode;

use cap::Cap;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Cap<Jemalloc> = Cap::new(Jemalloc, usize::MAX);

fn main() -> ExitCode {
    bursar_benches::run::<bursar_alloc::Jemalloc>("cap_jemalloc", None)
}
