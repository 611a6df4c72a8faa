//! What the report has done by other processes.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::part::Part;

/// Has this same program show one part, with the same arguments else; whether that went well.
pub(super) fn show(part: &Part) -> Result<bool, Box<dyn Error>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(others(std::env::args().skip(1))).args(["--only", part.name]);
    Ok(command.stdin(Stdio::null()).status()?.success())
}

/// The arguments without those that name parts.
fn others(mut arguments: impl Iterator<Item = String>) -> Vec<String> {
    let mut others = Vec::new();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            // And what it names.
            "--only" => drop(arguments.next()),
            _ => others.push(argument),
        }
    }
    others
}

/// The program `bursar`, if cargo started this one and can build it.
pub(super) fn bursar_program() -> Result<Option<PathBuf>, Box<dyn Error>> {
    let Some(mut build) = cargo("build") else { return Ok(None) };
    build.args(["-p", "bursar", "--features", "cli", "--bin", "bursar"]);
    if !build.status()?.success() {
        return Err("the program bursar could not be built".into());
    }
    let program = format!("bursar{}", std::env::consts::EXE_SUFFIX);
    Ok(Some(std::env::current_exe()?.with_file_name(program)))
}

/// Runs drills, each of which prints its own tables and draws its own chart. One that is not passed
/// does not keep the others from being run.
pub(super) fn drill<const N: usize>(drills: [&[&str]; N]) -> Result<(), Box<dyn Error>> {
    let mut failed = Vec::new();
    for arguments in drills {
        let said = arguments.join(" ");
        println!("`cargo run --release -p bursar-examples --example drill -- {said}`\n");
        let by_cargo = "drills are built and started by cargo, and so is this program then";
        let mut run = cargo("run").ok_or(by_cargo)?;
        run.args(["-p", "bursar-examples", "--example", "drill", "--"]).args(arguments);
        if !run.status()?.success() {
            failed.push(format!("drill {said}"));
        }
        println!();
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("not passed: {}", failed.join("; ")).into())
    }
}

/// The cargo that started this program, in release, over the same workspace.
fn cargo(what: &str) -> Option<Command> {
    let mut cargo = Command::new(std::env::var_os("CARGO")?);
    cargo.args([what, "--quiet", "--release", "--manifest-path"]);
    cargo.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")).stdin(Stdio::null());
    Some(cargo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_arguments_are_handed_on_but_the_parts() {
        let line = "--quick --only memory --output charts --only scaling --rounds 3";
        let others = others(line.split(' ').map(str::to_owned));
        assert_eq!(others, ["--quick", "--output", "charts", "--rounds", "3"]);
    }
}
