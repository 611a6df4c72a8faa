//! Prints what every configuration needs of the system's memory for what was asked of it.

use std::process::ExitCode;

fn main() -> ExitCode {
    bursar_benches::memory::main()
}
