//! With the heap profile compiled in, the program's tests run while nearly every block is sampled,
//! from before `main` on: nothing that they look at may be different for it.
#![allow(dead_code, reason = "only the constructor is there, and on some platforms it is not")]

use bursar_alloc::{Sampling, start_sampling};

/// Small enough for most blocks to be hit, large enough for some not to be.
const INTERVAL_BYTES: u64 = 100;

#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
static CONSTRUCTOR: extern "C" fn() = construct;

extern "C" fn construct() {
    let sampling = Sampling { interval_bytes: INTERVAL_BYTES, ..Sampling::default() };
    if let Err(error) = start_sampling(sampling) {
        eprintln!("{error}");
        std::process::abort();
    }
}
