//! jemalloc with nothing around it: what the others over jemalloc are compared with.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    bursar_benches::run::<bursar_alloc::Jemalloc>("bare_jemalloc", None)
}
