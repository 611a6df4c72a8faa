//! This program run again, in the part of one that ends in a special way.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};

#[path = "program.rs"]
mod program;

/// Names the part.
const ROLE: &str = "BURSAR_TEST_ROLE";

/// A process that takes longer than this hangs.
const HANGS_AFTER_SECONDS: u32 = 60;

/// The part that this process plays, if it is not the one that tests. One that hangs dies of the
/// alarm.
pub(crate) fn role() -> Option<String> {
    let role = std::env::var_os(ROLE)?.into_string().ok()?;
    // SAFETY: nothing is asked of the caller.
    unsafe { libc::alarm(HANGS_AFTER_SECONDS) };
    Some(role)
}

/// How a process ended that played the part, its error output going to `stderr`.
pub(crate) fn ending_of(role: &str, stderr: Stdio) -> ExitStatus {
    let status =
        program::again().env(ROLE, role).stdout(Stdio::null()).stderr(stderr).status().unwrap();
    assert_ne!(status.signal(), Some(libc::SIGALRM), "{role} hung");
    status
}
