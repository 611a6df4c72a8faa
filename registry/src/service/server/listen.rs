//! [`Listener`]: where connections come from.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
#[cfg(unix)]
use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::connection::{Limits, serve};
use super::host::Hosts;
use super::reception::Reception;
#[cfg(unix)]
use super::unix::UnixSocket;

/// Where a server is to listen, as it was given.
#[derive(Debug, Clone)]
pub(super) enum Address {
    Tcp(String),
    #[cfg(unix)]
    Unix(PathBuf),
}

/// Where it listens.
#[derive(Debug, Clone)]
pub(super) enum Bound {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

#[derive(Debug)]
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixSocket),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            #[cfg(unix)]
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

impl Address {
    /// Binds it, or says why not; with the hosts that requests may then name.
    pub(super) async fn bind(self, allow_remote: bool) -> Result<(Listener, Bound, Hosts), String> {
        match self {
            Self::Tcp(address) => {
                let listener = bind_tcp(&address, allow_remote)?;
                let local = listener.local_addr().map_err(|error| error.to_string())?;
                let hosts = Hosts::of(&address, local, allow_remote);
                Ok((Listener::Tcp(listener), Bound::Tcp(local), hosts))
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let socket = UnixSocket::bind(&path).await?;
                let path = socket.path().to_owned();
                // No browser speaks to one.
                Ok((Listener::Unix(socket), Bound::Unix(path), Hosts::Any))
            }
        }
    }
}

fn bind_tcp(address: &str, allow_remote: bool) -> Result<TcpListener, String> {
    let addresses: Vec<SocketAddr> = address
        .to_socket_addrs()
        .map_err(|error| format!("{error}; wanted is an address and a port: 127.0.0.1:9464"))?
        .collect();
    if let Some(remote) = addresses.iter().find(|address| !address.ip().is_loopback())
        && !allow_remote
    {
        return Err(format!(
            "other machines can reach {remote}, and nobody is asked who they are; allowed is a \
             loopback address, or any with allow_remote(true)"
        ));
    }
    let listener = std::net::TcpListener::bind(&*addresses).and_then(|listener| {
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    });
    listener.map_err(|error| error.to_string())
}

impl Listener {
    /// Waits for a client, and has `open` answer it.
    pub(super) async fn accept_into(
        &self,
        open: &mut JoinSet<()>,
        reception: &Arc<Reception>,
        limits: Limits,
    ) -> io::Result<()> {
        let reception = Arc::clone(reception);
        let respond = move |request| Arc::clone(&reception).answer(request);
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                open.spawn(serve(stream, limits, respond));
            }
            #[cfg(unix)]
            Self::Unix(socket) => {
                let (stream, _) = socket.listener().accept().await?;
                open.spawn(serve(stream, limits, respond));
            }
        }
        Ok(())
    }
}
