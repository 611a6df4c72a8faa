//! mimalloc with nothing around it: what the others over mimalloc are compared with.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    bursar_benches::run::<bursar_alloc::Mimalloc>("bare_mimalloc", None)
}
