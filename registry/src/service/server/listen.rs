//! [`Listener`]: where connections come from.

use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
#[cfg(unix)]
use std::path::PathBuf;

use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::connection::{Limits, serve};
#[cfg(unix)]
use super::unix::UnixSocket;
use crate::service::Endpoints;

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
    /// Binds it, or says why not.
    pub(super) async fn bind(self, allow_remote: bool) -> Result<(Listener, Bound), String> {
        match self {
            Self::Tcp(address) => {
                let listener = bind_tcp(&address, allow_remote)?;
                let local = listener.local_addr().map_err(|error| error.to_string())?;
                Ok((Listener::Tcp(listener), Bound::Tcp(local)))
            }
            #[cfg(unix)]
            Self::Unix(path) => {
                let socket = UnixSocket::bind(&path).await?;
                let path = socket.path().to_owned();
                Ok((Listener::Unix(socket), Bound::Unix(path)))
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
        endpoints: &Endpoints,
        limits: Limits,
    ) -> io::Result<()> {
        let endpoints = endpoints.clone();
        let respond = move |request: &_| endpoints.respond(request);
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
