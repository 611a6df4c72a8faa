//! The server's process: this same program once more, inside its container.

use crate::container::{Container, Limits};
use crate::run::{Plan, Subject};
use crate::server::GREETING;
use crate::switch;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// A server that has not begun, or not ended, by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the container for one run called `name`.
pub(crate) fn container(name: &str, limits: Limits) -> Result<Container, String> {
    Container::create(&format!("bursar-drill-{}-{name}", std::process::id()), limits)
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
fn this_program(container: Option<&Container>, then: &[OsString]) -> Result<Command, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    if let Some(container) = container {
        command.arg("join").args(container.directories()).arg("--");
    }
    command.args(then).kill_on_drop(true);
    Ok(command)
}

/// Starts the server of a run.
pub(crate) fn spawn(
    plan: &Plan,
    subject: Subject,
    container: Option<&Container>,
) -> Result<Child, String> {
    let mut then: Vec<OsString> = vec!["serve".into()];
    match subject {
        Subject::Bare | Subject::Unlimited => {}
        Subject::Fixed { entries } => {
            then.extend(["--entries".into(), entries.to_string().into()]);
        }
        Subject::Bursar => {
            then.extend(["--budget".into(), plan.budget.to_string().into()]);
            then.extend(["--profile".into(), plan.profile.clone().into()]);
        }
    }
    let mut command = this_program(container, &then)?;
    match subject {
        Subject::Bursar => command.env_remove(switch::BARE),
        _ => command.env(switch::BARE, "1"),
    };
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let cannot = |error| format!("the server cannot be started: {error}");
    command.spawn().map_err(cannot)
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
