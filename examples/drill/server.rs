//! The server's side: what the drill starts itself as, inside the container.

use crate::options::ServeOptions;
use axum::routing::get;
use axum::{Json, Router};
use bursar::{Bursar, Stats};
use std::error::Error;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use thumbnail::Service;
use tokio::net::TcpListener;

/// How the server's first line begins; its address follows.
pub(crate) const GREETING: &str = "listening on ";

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

/// Serves until standard input ends, as it does when the parent goes away.
pub(crate) fn serve(options: &ServeOptions) -> Result<(), Box<dyn Error>> {
    let service = match options.entries {
        Some(entries) => Service::bounded(entries)?,
        None => Service::unbounded(),
    };
    let bursar = match options.budget {
        Some(bytes) => Some(Arc::new(Bursar::builder().budget(bytes).start()?)),
        None => None,
    };
    let _registrations = match &bursar {
        Some(bursar) => service.register(bursar)?,
        None => Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{GREETING}{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let routes = thumbnail::router(service.clone()).merge(stats_route(bursar.clone()));
        tokio::select! {
            served = axum::serve(listener, routes).into_future() => served,
            () = parent_gone() => Ok(()),
        }
    })?;
    Ok(())
}

/// `GET /stats`: Bursar's figures, or null where it was not started.
fn stats_route(bursar: Option<Arc<Bursar>>) -> Router {
    let stats = move || {
        let stats: Option<Stats> = bursar.as_ref().map(|bursar| bursar.stats());
        std::future::ready(Json(stats))
    };
    Router::new().route("/stats", get(stats))
}

/// Ends when standard input does. A thread of its own waits for that, since
/// nothing could take a blocking read back.
async fn parent_gone() {
    let (gone, told) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        // An error is an end, too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(gone);
    });
    // Dropped without a word: that is the word.
    let _ = told.await;
}
