//! [`Address`]: where a service's statistics are served.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use http::Uri;

use crate::failure::{Failure, Kind};

/// A port and a path over HTTP, or a unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp {
        /// A name or an address, without the brackets of IPv6.
        host: String,
        port: u16,
        /// Host and port as in a URL.
        authority: String,
        /// The path that the endpoints are mounted under, without a slash at its end.
        base: String,
    },
    Unix {
        path: PathBuf,
    },
}

impl Address {
    /// The path of one of the endpoints, `stats` for example.
    pub(crate) fn path(&self, endpoint: &str) -> String {
        match self {
            Self::Tcp { base, .. } => format!("{base}/{endpoint}"),
            Self::Unix { .. } => format!("/{endpoint}"),
        }
    }

    /// The `Host` of a request.
    pub(crate) fn authority(&self) -> &str {
        match self {
            Self::Tcp { authority, .. } => authority,
            Self::Unix { .. } => "localhost",
        }
    }
}

/// As it was given.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { authority, base, .. } => write!(f, "http://{authority}{base}"),
            Self::Unix { path } => write!(f, "{}", path.display()),
        }
    }
}

impl FromStr for Address {
    type Err = Failure;

    /// Reads a URL.
    fn from_str(url: &str) -> Result<Self, Failure> {
        let refused = |reason: &str| {
            let example = "allowed is http://HOST:PORT/PATH, such as http://127.0.0.1:9464/memory";
            Failure::new(Kind::Usage, format!("--url {url:?}: {reason}; {example}"))
        };
        let uri: Uri = url.parse().map_err(|error| refused(&format!("no URL ({error})")))?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(refused(
                    "TLS is not spoken here: forward a port (ssh -L, kubectl port-forward), or \
                     go through a proxy on this machine",
                ));
            }
            Some(_) => return Err(refused("only http is spoken here")),
            None => return Err(refused("it does not begin with http://")),
        }
        let authority = uri.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        if authority.contains('@') {
            return Err(refused("names and passwords are not sent"));
        }
        if uri.query().is_some() || url.contains('#') {
            return Err(refused("it ends with a path, without ? and #"));
        }
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // A port that is no number up to 65535 is no port to `Uri`, but there.
        let port = match uri.port_u16() {
            Some(port) => port,
            None if authority.ends_with(host) || authority.ends_with(']') => 80,
            None => return Err(refused("its port is not a number from 1 to 65535")),
        };
        if host.is_empty() || port == 0 {
            return Err(refused("it names no host and port"));
        }
        Ok(Self::Tcp {
            host: host.to_owned(),
            port,
            authority: authority.to_owned(),
            base: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(url: &str) -> (String, u16, String) {
        match url.parse().unwrap() {
            Address::Tcp { host, port, ref base, .. } => (host, port, base.clone()),
            Address::Unix { .. } => unreachable!("a URL is no socket"),
        }
    }

    #[test]
    fn a_url_has_a_host_a_port_and_the_path_that_the_endpoints_are_mounted_under() {
        assert_eq!(parts("http://127.0.0.1:9464/memory/"), part("127.0.0.1", 9464, "/memory"));
        assert_eq!(parts("http://[::1]:9464"), part("::1", 9464, ""));
        assert_eq!(parts("HTTP://service/"), part("service", 80, ""));
        let address: Address = "http://h:1/a/b".parse().unwrap();
        assert_eq!(address.path("stats"), "/a/b/stats");
        assert_eq!(address.to_string(), "http://h:1/a/b");
    }

    fn part(host: &str, port: u16, base: &str) -> (String, u16, String) {
        (host.to_owned(), port, base.to_owned())
    }

    #[test]
    fn what_is_no_plain_http_url_is_refused_with_what_is_allowed() {
        for (url, reason) in [
            ("https://service/memory", "port-forward"),
            ("ftp://service", "only http"),
            ("127.0.0.1:9464", "http://"),
            ("/memory", "http://"),
            ("", "no URL"),
            ("http://", "no URL"),
            ("http://:80/", "no host"),
            ("http://h:0/", "no host and port"),
            ("http://h:99999/", "65535"),
            ("http://h:/x", "65535"),
            ("http://me:secret@h/", "passwords"),
            ("http://h/x?y=1", "without ?"),
            ("http://h/x#y", "without ?"),
        ] {
            let failure = url.parse::<Address>().unwrap_err();
            assert_eq!(failure.kind, Kind::Usage, "{url}");
            let message = failure.to_string();
            assert!(message.contains(reason) && message.contains("http://HOST"), "{message}");
        }
    }
}
