//! The platform's allocator with nothing around it: what the others over it are compared with.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: std::alloc::System = std::alloc::System;

fn main() -> ExitCode {
    bursar_benches::run::<bursar_alloc::System>("bare_system", None)
}
