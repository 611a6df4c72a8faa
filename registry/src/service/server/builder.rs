//! [`StatsServerBuilder`]: what a server keeps to.

use std::time::Duration;

use super::StatsServer;
use super::connection::Limits;
use super::listen::Address;
use super::thread::ServerThread;
use crate::error::Error;
use crate::service::Endpoints;

/// The most connections that can be allowed at once.
const MAX_CONNECTIONS: usize = 1024;
/// The longest that any step of a connection may be allowed to take.
const MAX_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Settings of a [`StatsServer`] to be.
#[derive(Debug, Clone)]
#[must_use = "nothing is served before `start`"]
pub struct StatsServerBuilder {
    address: Address,
    allow_remote: bool,
    limits: Limits,
}

impl StatsServerBuilder {
    pub(super) fn new(address: Address) -> Self {
        Self { address, allow_remote: false, limits: Limits::default() }
    }

    /// Whether a port may be one that other machines can reach. It may not unless said so: nobody
    /// is asked who they are, and whoever reaches it reads everything. Requests may then name any
    /// host.
    pub fn allow_remote(mut self, allow_remote: bool) -> Self {
        self.allow_remote = allow_remote;
        self
    }

    /// Connections at once; 16 unless said otherwise, 1 to 1024. Further ones wait.
    pub fn max_connections(mut self, max_connections: usize) -> Self {
        self.limits.max_connections = max_connections;
        self
    }

    /// How long a client may take to send a request's header, and may stay connected without
    /// beginning one; 5 s unless said otherwise, 1 ms to an hour.
    pub fn header_timeout(mut self, header_timeout: Duration) -> Self {
        self.limits.header_timeout = header_timeout;
        self
    }

    /// How long a connection is kept after its latest request's header has come: for what else
    /// that request sends, and for the client to read the answer. 10 s unless said otherwise,
    /// 1 ms to an hour.
    pub fn request_timeout(mut self, request_timeout: Duration) -> Self {
        self.limits.request_timeout = request_timeout;
        self
    }

    /// Binds the address and starts the thread that answers.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`]; [`Error::ServerNotStarted`] for an address or path that cannot
    /// be had, and for what [`allow_remote`](Self::allow_remote) would allow.
    pub fn start(self, endpoints: Endpoints) -> Result<StatsServer, Error> {
        self.validate()?;
        let address = self.address.to_string();
        ServerThread::start(self.address, self.allow_remote, self.limits, endpoints)
            .map(|(bound, thread)| StatsServer { bound, thread })
            .map_err(|reason| Error::ServerNotStarted { address, reason })
    }

    fn validate(&self) -> Result<(), Error> {
        let Limits { max_connections, header_timeout, request_timeout } = self.limits;
        if !(1..=MAX_CONNECTIONS).contains(&max_connections) {
            let (name, given) = ("max_connections", max_connections.to_string());
            return Err(Error::InvalidSetting { name, given, allowed: "1 to 1024" });
        }
        let timeouts = [("header_timeout", header_timeout), ("request_timeout", request_timeout)];
        for (name, timeout) in timeouts {
            if !(Duration::from_millis(1)..=MAX_TIMEOUT).contains(&timeout) {
                let given = format!("{timeout:?}");
                return Err(Error::InvalidSetting { name, given, allowed: "1 ms to 1 h" });
            }
        }
        Ok(())
    }
}
