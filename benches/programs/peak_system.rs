//! The platform's allocator under `peak_alloc`, which wraps no other: one total for the process
//! and its peak, in global atomics.

use std::process::ExitCode;

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

fn main() -> ExitCode {
    bursar_benches::run::<bursar_alloc::System>("peak_system", None)
}
