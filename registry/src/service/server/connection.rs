//! One connection, and what its client may take of memory and time.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, sleep};

/// What is read ahead of a connection, header and all, and what is put together to be written.
const BUFFER_BYTES: usize = 16 << 10;
/// Fields of a header.
const MAX_HEADERS: usize = 64;

/// What clients may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) max_connections: usize,
    pub(super) header_timeout: Duration,
    pub(super) request_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 16,
            header_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// Answers a client until one of both has enough.
pub(super) async fn serve<S, R, F>(stream: S, limits: Limits, respond: R)
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let has_request = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let has_request = Arc::clone(&has_request);
        move |request| {
            // Relaxed: it is read by the same task.
            has_request.store(true, Ordering::Relaxed);
            let answer = respond(request);
            async { Ok::<_, Infallible>(answer.await) }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(BUFFER_BYTES)
        .max_headers(MAX_HEADERS)
        .serve_connection(TokioIo::new(stream), service);

    let mut connection = pin!(connection);
    // Until the first request's header has come, its own timeout is the one that counts.
    let mut enough = pin!(sleep(limits.header_timeout + limits.request_timeout));
    poll_fn(|context| {
        // Whatever it ended with, there is nobody left to tell.
        if connection.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        // Relaxed: as above.
        if has_request.swap(false, Ordering::Relaxed) {
            enough.as_mut().reset(Instant::now() + limits.request_timeout);
        }
        enough.as_mut().poll(context)
    })
    .await;
}

#[cfg(test)]
mod tests;
