//! This very program, to be started once more.

use std::process::Command;

/// What runs programs of this platform where the system does not: an emulator. Not one of the
/// names that settings have, of which a strange one is refused.
const EMULATOR: &str = "TEST_EMULATOR";

/// Starts this program again.
pub(crate) fn again() -> Command {
    let program = std::env::current_exe().unwrap();
    match std::env::var_os(EMULATOR) {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(program);
            command
        }
        None => Command::new(program),
    }
}
