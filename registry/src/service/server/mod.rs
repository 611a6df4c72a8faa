//! [`StatsServer`]: the endpoints on a socket of their own, by a thread of its own.

mod builder;
mod connection;
mod host;
mod listen;
mod reception;
mod thread;
#[cfg(unix)]
mod unix;

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

pub use builder::StatsServerBuilder;
use listen::{Address, Bound};
use thread::ServerThread;

/// [`Endpoints`](crate::Endpoints) on a unix socket or a port of their own, apart from what the
/// service serves: they answer also while its runtime has no thread to spare.
///
/// One thread, `bursar-stats`, answers over HTTP/1; what it allocates is charged to the tag
/// `bursar`. At most 16 clients are connected at once, and further ones wait; while all places
/// are taken, each answer is the last on its connection. One that is slow holds no more than its
/// place, 32 KiB of buffers and the answer it has not read, and not for long: see
/// [`StatsServerBuilder`]. Dropped, it stops.
///
/// # Examples
///
/// ```no_run
/// use bursar::{Bursar, Endpoints, StatsServer};
///
/// # fn main() -> Result<(), bursar::Error> {
/// # let bursar = Bursar::builder().start()?;
/// let server = StatsServer::tcp("127.0.0.1:9464").start(Endpoints::new(&bursar))?;
/// println!("curl http://{}/metrics", server.local_addr().unwrap());
/// # Ok(())
/// # }
/// ```
pub struct StatsServer {
    bound: Bound,
    thread: ServerThread,
}

impl StatsServer {
    /// A server on a unix socket at `path`, which only the service's own user can connect to.
    ///
    /// A socket that nobody answers on any more, as a killed process leaves one, is replaced. One
    /// that is answered, or anything else at that path, is an error. The file is removed when the
    /// server stops.
    ///
    /// It is at no time open to others: it is bound inside a directory that only its owner can
    /// enter, given the mode 0600 there, and then linked to `path`, which fails if something is
    /// there. The directory of `path` must exist, and take hard links.
    #[cfg(unix)]
    pub fn unix(path: impl Into<std::path::PathBuf>) -> StatsServerBuilder {
        StatsServerBuilder::new(Address::Unix(path.into()))
    }

    /// A server on a TCP port: an address and a port such as `"127.0.0.1:9464"` or
    /// `"localhost:0"`, where 0 is any free port. Addresses that other machines can reach are
    /// refused, unless [`StatsServerBuilder::allow_remote`] allows them. What runs on this machine
    /// can connect, whoever's it is, and keep others waiting: a unix socket is the safer choice
    /// where there is one.
    ///
    /// A page in a browser on this machine gets nothing: a request whose `Host` is neither
    /// `localhost` nor a loopback address nor the name given here is answered with 421, whatever
    /// its port (DNS rebinding).
    pub fn tcp(address: impl Into<String>) -> StatsServerBuilder {
        StatsServerBuilder::new(Address::Tcp(address.into()))
    }

    /// The address it listens on, with the port that was found free; `None` on a unix socket.
    #[must_use]
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.bound {
            Bound::Tcp(address) => Some(*address),
            #[cfg(unix)]
            Bound::Unix(_) => None,
        }
    }

    /// The path of its unix socket; `None` on a port.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.bound {
            Bound::Tcp(_) => None,
            #[cfg(unix)]
            Bound::Unix(path) => Some(path),
        }
    }

    /// Stops it, and waits for its thread: connections are closed, the port is free and the file
    /// of the socket gone, if it is still this one's. Stopping twice is harmless. A forked child
    /// has nothing to stop.
    pub fn stop(&self) {
        self.thread.stop();
    }
}

impl Drop for StatsServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl fmt::Debug for StatsServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatsServer").field("bound", &self.bound).finish_non_exhaustive()
    }
}
