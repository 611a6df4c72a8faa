//! The server's process: this same program once more, inside its container. What
//! starts it, and what it does itself to begin and to end with who started it.

use crate::container::{Container, Limits};
use std::error::Error;
use std::ffi::OsString;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// How the server's first line begins; its address follows.
pub(crate) const GREETING: &str = "listening on ";
/// A server that has not begun, or not ended, by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the container for one run called `name`.
pub(crate) fn container(name: &str, limits: Limits) -> Result<Container, String> {
    Container::create(&format!("bursar-{}-{name}", std::process::id()), limits)
}

/// Whether a container can be made and joined here; if not, why.
pub(crate) async fn try_container(limits: Limits) -> Result<(), String> {
    let container = container("try", limits)?;
    let mut command = this_program(Some(&container), &["nothing".into()])?;
    let output = command.output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("no process can join one ({})", said.trim()))
}

/// This program once more, inside `container` if there is one.
pub(crate) fn this_program(
    container: Option<&Container>,
    then: &[OsString],
) -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    if let Some(container) = container {
        command.arg("join").args(container.directories()).arg("--");
    }
    command.args(then).kill_on_drop(true);
    Ok(command)
}

/// Waits for the server's first line, which says where it listens.
pub(crate) async fn greeting(child: &mut Child) -> Result<SocketAddr, String> {
    let stdout = child.stdout.take().ok_or("the server has no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = timeout(PATIENCE, lines.next_line()).await;
    let line = line.map_err(|_| "the server says nothing")?;
    let line = line.map_err(|error| error.to_string())?.unwrap_or_default();
    let address = line.strip_prefix(GREETING).and_then(|rest| rest.parse().ok());
    address.ok_or_else(|| "the server ended before it listened".to_owned())
}

#[cfg(unix)]
pub(crate) fn by_sigkill(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt;
    status.signal() == Some(libc::SIGKILL)
}

#[cfg(not(unix))]
pub(crate) fn by_sigkill(_: ExitStatus) -> bool {
    false
}

/// Enters the containers, then becomes `then` of this same program: all memory
/// of the new image is charged to them.
#[cfg(unix)]
pub(crate) fn join(directories: &[PathBuf], then: &[OsString]) -> Result<(), Box<dyn Error>> {
    use std::os::unix::process::CommandExt;
    let id = std::process::id().to_string();
    for directory in directories {
        std::fs::write(directory.join("cgroup.procs"), &id)
            .map_err(|error| format!("cannot join the container: {error}"))?;
    }
    let program = std::env::current_exe()?;
    Err(std::process::Command::new(program).args(then).exec().into())
}

/// No containers, nothing to join.
#[cfg(not(unix))]
pub(crate) fn join(_: &[PathBuf], _: &[OsString]) -> Result<(), Box<dyn Error>> {
    Err("containers can be joined on Linux only".into())
}

/// Ends when standard input does. A thread of its own waits for that, since
/// nothing could take a blocking read back.
pub(crate) async fn parent_gone() {
    let (gone, told) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // An error is an end, too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(gone);
    });
    // Dropped without a word: that is the word.
    let _ = told.await;
}
