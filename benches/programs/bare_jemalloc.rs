//! jemalloc with nothing around it: what the others over jemalloc are compared with.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    bursar_benches::run("bare_jemalloc", None)
}
