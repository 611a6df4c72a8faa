//! [`Client`]: asks a service for its statistics, over TCP or a unix socket.
//!
//! Nothing is taken for granted of who answers: connecting, the whole answer, its head and its
//! body are bounded, redirects are not followed, and what comes is checked before it is used.

use std::io;
use std::time::Duration;

use bursar::{Envelope, FORMAT_HEADER, FORMAT_VERSION, HeapProfile, History, Stats};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::address::Address;
use crate::failure::{Failure, Kind};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Of an answer, and of a file that was made of one.
pub(crate) const MAX_BODY_BYTES: usize = 16 << 20;
const MAX_HEAD_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 64;

/// Asks one service. Each question is a connection of its own: the service may be restarted in
/// between.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: Address,
    timeout: Duration,
}

/// What was answered, by Bursar.
struct Answer {
    status: StatusCode,
    body: Bytes,
}

/// The task that moves a connection's bytes, which ends with the question.
struct Driver(AbortHandle);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Client {
    pub(crate) fn new(address: Address, timeout: Duration) -> Self {
        Self { address, timeout }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// The statistics as they are now.
    pub(crate) async fn stats(&self) -> Result<Stats, Failure> {
        self.read("stats", &self.data("stats").await?)
    }

    /// What was read and done.
    pub(crate) async fn history(&self) -> Result<History, Failure> {
        self.read("history", &self.data("history").await?)
    }

    /// Makes a value of an endpoint's data.
    pub(crate) fn read<T: DeserializeOwned>(
        &self,
        endpoint: &str,
        data: &RawValue,
    ) -> Result<T, Failure> {
        serde_json::from_str(data.get()).map_err(|error| self.unreadable(endpoint, error))
    }

    /// Which code keeps what alive: all of it, or one tag's.
    pub(crate) async fn profile(&self, tag: Option<&str>) -> Result<HeapProfile, Failure> {
        let endpoint = "profile";
        let query = tag.map(|tag| format!("?tag={}", encoded(tag))).unwrap_or_default();
        let answer = self.answer(endpoint, &query).await?;
        if answer.status == StatusCode::OK {
            let profile = HeapProfile::from_pprof(&answer.body);
            return profile.map_err(|error| self.unreadable(endpoint, error));
        }
        // A refusal has no data to speak of.
        Err(match self.data_of::<IgnoredAny>(endpoint, &answer.body) {
            Err(failure) if answer.status == StatusCode::NOT_FOUND => failure.and(
                "; does the service serve its heap profile? See `Endpoints::profile` of a bursar \
                 with the feature `profile`",
            ),
            Err(failure) => failure,
            Ok(_) => self.unreadable(endpoint, answer.status),
        })
    }

    /// An endpoint's data as it was sent.
    pub(crate) async fn data(&self, endpoint: &str) -> Result<Box<RawValue>, Failure> {
        let answer = self.answer(endpoint, "").await?;
        // The data stays text until it is known what to make of it.
        self.data_of(endpoint, &answer.body)
    }

    fn data_of<T: DeserializeOwned>(&self, endpoint: &str, body: &[u8]) -> Result<T, Failure> {
        let envelope: Envelope<T> =
            serde_json::from_slice(body).map_err(|error| self.unreadable(endpoint, error))?;
        envelope.into_result().map_err(|refusal| {
            self.failure(Kind::NotBursar, endpoint, format!("refused: {refusal}"))
        })
    }

    /// What an endpoint answers in time, to a query that is empty or begins with `?`.
    async fn answer(&self, endpoint: &str, query: &str) -> Result<Answer, Failure> {
        match timeout(self.timeout, self.ask(endpoint, query)).await {
            Ok(answer) => answer,
            Err(_) => {
                let limit = humantime::format_duration(self.timeout);
                Err(self.failure(
                    Kind::Late,
                    endpoint,
                    format!("no whole answer within {limit}; is the service stuck? Try --timeout"),
                ))
            }
        }
    }

    async fn ask(&self, endpoint: &str, query: &str) -> Result<Answer, Failure> {
        match &self.address {
            Address::Tcp { host, port, .. } => {
                let connecting = TcpStream::connect((host.as_str(), *port));
                self.exchange(self.connected(endpoint, connecting).await?, endpoint, query).await
            }
            #[cfg(unix)]
            Address::Unix { path } => {
                let connecting = tokio::net::UnixStream::connect(path);
                self.exchange(self.connected(endpoint, connecting).await?, endpoint, query).await
            }
            #[cfg(not(unix))]
            Address::Unix { .. } => Err(self.failure(
                Kind::Usage,
                endpoint,
                "no unix sockets on this system; use --url",
            )),
        }
    }

    async fn connected<S>(
        &self,
        endpoint: &str,
        connecting: impl Future<Output = io::Result<S>>,
    ) -> Result<S, Failure> {
        let unreachable = |what: String| self.failure(Kind::Unreachable, endpoint, what);
        match timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(unreachable(format!("{error}; {}", self.advice(&error)))),
            Err(_) => {
                let limit = humantime::format_duration(CONNECT_TIMEOUT);
                Err(unreachable(format!("no connection within {limit}; is the address right?")))
            }
        }
    }

    fn advice(&self, error: &io::Error) -> &'static str {
        match (&self.address, error.kind()) {
            (Address::Unix { .. }, io::ErrorKind::PermissionDenied) => {
                "a service's socket is its owner's alone: run this as the same user"
            }
            (Address::Unix { .. }, _) => {
                "is the service running, and does it serve its statistics on this socket?"
            }
            _ => "is the service running, and does it serve its statistics at this address?",
        }
    }

    async fn exchange<S>(&self, stream: S, endpoint: &str, query: &str) -> Result<Answer, Failure>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let broken = |error: hyper::Error| {
            if error.is_incomplete_message() || error.is_closed() {
                let what = "the connection was closed without an answer; was the service stopped?";
                return self.failure(Kind::Unreachable, endpoint, what);
            }
            let what = format!("no answer that is HTTP ({error}); is this a service's address?");
            self.failure(Kind::NotBursar, endpoint, what)
        };
        let mut connection = http1::Builder::new();
        connection.max_headers(MAX_HEADERS).max_buf_size(MAX_HEAD_BYTES);
        let (mut sender, connection) =
            connection.handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let driving = tokio::spawn(async move {
            // What goes wrong with it, the question is told as well.
            let _ = connection.await;
        });
        let _driver = Driver(driving.abort_handle());
        let request = Request::get(self.address.path(endpoint) + query)
            .header(header::HOST, self.address.authority())
            .header(header::USER_AGENT, concat!("bursar/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| self.failure(Kind::Usage, endpoint, error.to_string()))?;
        let response = sender.send_request(request).await.map_err(broken)?;
        self.check_head(&response, endpoint)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes);
        body.map(|body| Answer { status, body }).map_err(|error| {
            let what = match error.downcast_ref::<LengthLimitError>() {
                Some(_) => format!("an answer of more than {} MiB", MAX_BODY_BYTES >> 20),
                None => format!("the answer broke off ({error}); was the service stopped?"),
            };
            self.failure(Kind::NotBursar, endpoint, what)
        })
    }

    /// Whether it is Bursar that answers, in the format that is understood here. A refusal has
    /// an envelope, too.
    fn check_head(&self, response: &Response<Incoming>, endpoint: &str) -> Result<(), Failure> {
        let status = response.status();
        let text_of = |name: &str| {
            response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()))
        };
        if status.is_redirection() {
            let target = text_of("location").unwrap_or_else(|| "nowhere".into());
            let what = format!("sent on to {target} ({status}); give the address itself");
            return Err(self.failure(Kind::NotBursar, endpoint, what));
        }
        match text_of(FORMAT_HEADER) {
            Some(format) if format == FORMAT_VERSION.to_string() => {}
            Some(format) => {
                let what = format!(
                    "the service answers in format {format}, and this is a bursar for format \
                     {FORMAT_VERSION}; use the bursar of the service's version"
                );
                return Err(self.failure(Kind::OtherFormat, endpoint, what));
            }
            None => {
                let hint = match status {
                    StatusCode::OK | StatusCode::NOT_FOUND => {
                        "is this the path that Bursar's endpoints are mounted under?"
                    }
                    StatusCode::SERVICE_UNAVAILABLE => "is the service, or a proxy, overloaded?",
                    _ => "is this a service's address?",
                };
                let what = format!("answered {status}, and not by Bursar; {hint}");
                return Err(self.failure(Kind::NotBursar, endpoint, what));
            }
        }
        Ok(())
    }

    fn unreadable(&self, endpoint: &str, reason: impl std::fmt::Display) -> Failure {
        let what = format!(
            "the answer could not be read ({reason}); is the service of another version than \
             {}?",
            env!("CARGO_PKG_VERSION")
        );
        self.failure(Kind::NotBursar, endpoint, what)
    }

    fn failure(&self, kind: Kind, endpoint: &str, what: impl std::fmt::Display) -> Failure {
        Failure::new(kind, format!("{} of {}: {what}", endpoint, self.address))
    }
}

/// A value of a query, percent-encoded.
fn encoded(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/".contains(&byte);
    let encode = |byte: u8| match byte {
        plain if is_plain(plain) => char::from(plain).to_string(),
        other => format!("%{other:02X}"),
    };
    value.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_for_a_query_is_encoded() {
        assert_eq!(encoded("images/thumbs:1"), "images/thumbs:1");
        assert_eq!(encoded("a&b=c d\r\n#?%"), "a%26b%3Dc%20d%0D%0A%23%3F%25");
        assert_eq!(encoded("\u{e9}"), "%C3%A9");
    }
}
