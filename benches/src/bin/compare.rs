//! Runs every workload on every configuration, in turns, and prints the ratios.

use std::process::ExitCode;

fn main() -> ExitCode {
    bursar_benches::compare::main()
}
