//! [`ServerThread`]: the thread that answers, and how it is stopped.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::task::{AbortHandle, JoinSet};

use super::connection::Limits;
use super::listen::{Address, Bound, Listener};
use super::reception::Reception;
use crate::bursar::BURSAR;
use crate::service::Endpoints;

/// The pause after a client could not be accepted: mostly since the process has no file handle
/// left, and somebody has to close one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(super) struct ServerThread {
    join: Mutex<Option<JoinHandle<()>>>,
    accepting: AbortHandle,
    /// A forked child has this, but not the thread.
    process_id: u32,
}

/// What the thread has to say about its start.
type Started = Result<(Bound, AbortHandle), String>;

impl ServerThread {
    /// Starts the thread and waits until it has bound the address; or says why it could not.
    pub(super) fn start(
        address: Address,
        allow_remote: bool,
        limits: Limits,
        endpoints: Endpoints,
    ) -> Result<(Bound, Self), String> {
        let _tag = BURSAR.enter();
        let (report, started) = mpsc::channel();
        let body = move || {
            let _tag = BURSAR.enter();
            run(address, allow_remote, limits, endpoints, &report);
        };
        let join = thread::Builder::new()
            .name("bursar-stats".to_owned())
            .spawn(body)
            .map_err(|error| format!("there can be no thread for it: {error}"))?;
        let (bound, accepting) =
            started.recv().unwrap_or_else(|_| Err("its thread has ended".to_owned()))?;
        let join = Mutex::new(Some(join));
        Ok((bound, Self { join, accepting, process_id: std::process::id() }))
    }

    /// Ends it and waits for that, unless called by the thread itself, out of a purgeable that it
    /// asks something.
    pub(super) fn stop(&self) {
        if self.process_id != std::process::id() {
            return;
        }
        let join = self.join.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(join) = join {
            self.accepting.abort();
            if join.thread().id() != thread::current().id() {
                // Had it panicked, there would be nothing to wait for.
                let _ = join.join();
            }
        }
    }
}

/// Binds the address, reports that, and answers until it is told to stop.
fn run(
    address: Address,
    allow_remote: bool,
    limits: Limits,
    endpoints: Endpoints,
    report: &mpsc::Sender<Started>,
) {
    let begun = runtime().and_then(|runtime| {
        let bound = runtime.block_on(address.bind(allow_remote));
        bound.map(|(listener, bound, hosts)| (runtime, listener, bound, hosts))
    });
    // Whoever started it waits for each of these.
    let (runtime, listener, bound, hosts) = match begun {
        Ok(begun) => begun,
        Err(reason) => return drop(report.send(Err(reason))),
    };
    let accepting = runtime.spawn(accept(listener, limits, Reception::new(endpoints, hosts)));
    let _ = report.send(Ok((bound, accepting.abort_handle())));
    // Stopped, the listener is closed; the connections go with the runtime.
    let _ = runtime.block_on(accepting);
}

fn runtime() -> Result<Runtime, String> {
    let built = runtime::Builder::new_current_thread().enable_io().enable_time().build();
    built.map_err(|error| error.to_string())
}

/// Accepts clients, no more at once than there may be, until it is dropped.
async fn accept(listener: Listener, limits: Limits, reception: Reception) {
    let reception = Arc::new(reception);
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        while open.len() >= limits.max_connections {
            reception.set_full(true);
            open.join_next().await;
        }
        reception.set_full(false);
        if listener.accept_into(&mut open, &reception, limits).await.is_err() {
            tokio::time::sleep(ACCEPT_PAUSE).await;
        }
    }
}
