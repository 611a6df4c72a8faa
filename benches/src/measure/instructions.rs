//! Instructions of an allocation and its free, counted by valgrind: nearly the same on every run,
//! however busy the machine is.

use std::error::Error;
use std::process::{Command, Stdio};

use super::Programs;

/// Whether valgrind is installed.
pub(crate) fn has_valgrind() -> bool {
    let version = Command::new("valgrind").arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|output| output.status.success())
}

/// What one of `pairs` pairs costs in a program.
pub(crate) fn instructions_of_a_pair(
    programs: &Programs,
    program: &str,
    pairs: u64,
) -> Result<f64, Box<dyn Error>> {
    instructions_of(programs, program, "pairs", pairs)
}

/// What one of `count` operations of a workload costs in a program.
///
/// The program runs twice, with so many operations and with twice as many. The difference is
/// theirs alone: start-up and warm-up are in both.
pub(crate) fn instructions_of(
    programs: &Programs,
    program: &str,
    workload: &str,
    count: u64,
) -> Result<f64, Box<dyn Error>> {
    let once = instructions(programs, program, workload, count)?;
    let twice = instructions(programs, program, workload, 2 * count)?;
    Ok(twice.saturating_sub(once) as f64 / count as f64)
}

fn instructions(
    programs: &Programs,
    program: &str,
    workload: &str,
    count: u64,
) -> Result<u64, Box<dyn Error>> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.arg(programs.path(program)).args(["work", workload, &count.to_string()]);
    let output = valgrind.stdin(Stdio::null()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = output.status.success().then(|| collected(&said)).flatten();
    collected.ok_or_else(|| format!("{program} under valgrind: {}\n{said}", output.status).into())
}

/// The figure of the line `==123== Collected : 456`.
fn collected(said: &str) -> Option<u64> {
    let line = said.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_found_in_what_valgrind_says() {
        let said = "==12== Callgrind\n==12== Events    : Ir\n==12== Collected : 9300123\n==12== \n";
        assert_eq!(collected(said), Some(9_300_123));
        assert_eq!(collected("==12== Callgrind\n"), None);
    }
}
