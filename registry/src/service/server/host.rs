//! [`Hosts`]: whom a request may be meant for.
//!
//! A page of anywhere can have its name resolved to 127.0.0.1 once it is loaded, and a browser then
//! lets it read what is answered there (DNS rebinding). The name is all that gives it away: the
//! browser sends it as the request's host.

use std::net::{IpAddr, SocketAddr};

use http::Request;
use http::header::HOST;
use http::uri::Authority;

/// The hosts that requests may name.
#[derive(Debug)]
pub(super) enum Hosts {
    Any,
    /// `localhost`, loopback addresses, and what was listened on, by its name.
    Local {
        name: String,
    },
}

impl Hosts {
    /// Those of a server that was told to listen at `address`, and listens at `bound`.
    pub(super) fn of(address: &str, bound: SocketAddr, allow_remote: bool) -> Self {
        if allow_remote || !bound.ip().is_loopback() {
            return Self::Any;
        }
        let name = address.rsplit_once(':').map_or(address, |(name, _)| name);
        Self::Local { name: name.to_owned() }
    }

    /// Whether the request is meant for one of them. No browser leaves the host out; what does is
    /// let in.
    pub(super) fn allow<B>(&self, request: &Request<B>) -> bool {
        let Self::Local { name } = self else { return true };
        if let Some(authority) = request.uri().authority()
            && !is_local(authority, name)
        {
            return false;
        }
        request.headers().get_all(HOST).iter().all(|host| {
            let authority = Authority::try_from(host.as_bytes());
            authority.is_ok_and(|authority| is_local(&authority, name))
        })
    }
}

/// The port is left out of it: one that is forwarded may be another.
fn is_local(authority: &Authority, name: &str) -> bool {
    let host = authority.host();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || host.eq_ignore_ascii_case(name)
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(hosts: &Hosts, host: &[u8]) -> bool {
        hosts.allow(&Request::get("/").header(HOST, host).body(()).unwrap())
    }

    fn local() -> Hosts {
        Hosts::of("My-Machine:9464", "127.0.1.1:9464".parse().unwrap(), false)
    }

    #[test]
    fn loopback_names_and_the_one_listened_on_are_let_in() {
        let names: [&[u8]; 9] = [
            b"localhost",
            b"LocalHost:8080",
            b"127.0.0.1:9464",
            b"127.9.9.9",
            b"[::1]",
            b"[::1]:9464",
            b"[::ffff:127.0.0.1]:1",
            b"my-machine",
            b"MY-MACHINE:9464",
        ];
        for name in names {
            assert!(is_allowed(&local(), name), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn names_that_anyone_can_point_here_are_not() {
        let names: [&[u8]; 11] = [
            b"evil.example",
            b"evil.example:9464",
            b"localhost.evil.example",
            b"127.0.0.1.evil.example",
            b"localhost@evil.example",
            b"10.0.0.1",
            b"0.0.0.0:9464",
            b"[::]",
            b"",
            b"local host",
            b"\xff",
        ];
        for name in names {
            assert!(!is_allowed(&local(), name), "{}", name.escape_ascii());
        }
    }

    #[test]
    fn of_several_hosts_all_must_be_let_in() {
        let two = |first, second| {
            let request = Request::get("/").header(HOST, first).header(HOST, second);
            local().allow(&request.body(()).unwrap())
        };
        assert!(two("localhost", "127.0.0.1"));
        assert!(!two("localhost", "evil.example"));
        let absolute = |uri| local().allow(&Request::get(uri).body(()).unwrap());
        assert!(absolute("http://localhost:9464/stats"));
        assert!(!absolute("http://evil.example/stats"));
        assert!(absolute("/stats"), "no browser leaves it out");
    }

    #[test]
    fn what_may_be_reached_from_afar_has_names_that_are_not_known_here() {
        let everywhere = Hosts::of("0.0.0.0:9464", "0.0.0.0:9464".parse().unwrap(), true);
        let forwarded = Hosts::of("127.0.0.1:0", "127.0.0.1:9464".parse().unwrap(), true);
        for hosts in [everywhere, forwarded] {
            assert!(is_allowed(&hosts, b"shop-1.internal:9464"));
        }
    }
}
