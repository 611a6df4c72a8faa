//! The platform's allocator under `stats_alloc`: bytes and blocks of the process, in global
//! atomics. On stable Rust it can be a static over the platform's allocator alone.

use std::alloc::System;
use std::process::ExitCode;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> ExitCode {
    bursar_benches::run::<bursar_alloc::System>("stats_system", None)
}
