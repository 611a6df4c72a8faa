//! The programs beside this one: building them and asking them.

use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The directory that the programs are in: this program's own.
#[derive(Debug)]
pub(crate) struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Has cargo bring all programs up to date, if it was cargo that started this one: it builds
    /// only what it runs, and the others would be measured as they were once.
    pub(crate) fn up_to_date() -> Result<Self, Box<dyn Error>> {
        if cfg!(debug_assertions) {
            return Err("figures of a debug build mean nothing: run it with --release".into());
        }
        if let Some(cargo) = std::env::var_os("CARGO") {
            let mut build = Command::new(cargo);
            build.args(["build", "--quiet", "--release", "--bins", "--manifest-path"]);
            build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
            for (feature, is_on) in
                [("peers", cfg!(feature = "peers")), ("profile", cfg!(feature = "profile"))]
            {
                if is_on {
                    build.args(["--features", feature]);
                }
            }
            if !build.status()?.success() {
                return Err("the programs to be measured could not be built".into());
            }
        }
        let mut directory = std::env::current_exe()?;
        directory.pop();
        Ok(Self { directory })
    }

    /// Where a program is.
    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.directory.join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Runs a program and hands on what it printed.
    pub(crate) fn ask(&self, program: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let path = self.path(program);
        let output = Command::new(&path).args(arguments).stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("{}: {error}", path.display()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let arguments = arguments.join(" ");
            return Err(format!("{program} {arguments}: {}\n{said}", output.status).into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}
