//! One connection, and what its client may take of memory and time.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
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

/// Whose turn it is: the client's to ask, or to take an answer.
const CLIENTS: u8 = 0;
/// Ours, to answer.
const OURS: u8 = 1;
/// An answer was just made: the client has its time to take it.
const ANSWERED: u8 = 2;

/// Answers a client until one of both has enough.
pub(super) async fn serve<S, R, F>(stream: S, limits: Limits, respond: R)
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Fn(Request<Incoming>) -> F,
    F: Future<Output = Response<Full<Bytes>>>,
{
    let turn = Arc::new(AtomicU8::new(CLIENTS));
    let service = service_fn({
        let turn = Arc::clone(&turn);
        move |request| {
            // Relaxed, here and below: it is read by the same task.
            turn.store(OURS, Ordering::Relaxed);
            let answer = respond(request);
            let turn = Arc::clone(&turn);
            async move {
                let answer = answer.await;
                turn.store(ANSWERED, Ordering::Relaxed);
                Ok::<_, Infallible>(answer)
            }
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
        match turn.load(Ordering::Relaxed) {
            // What takes long is not the client's doing.
            OURS => return Poll::Pending,
            ANSWERED => {
                turn.store(CLIENTS, Ordering::Relaxed);
                enough.as_mut().reset(Instant::now() + limits.request_timeout);
            }
            _ => {}
        }
        enough.as_mut().poll(context)
    })
    .await;
}

#[cfg(test)]
mod tests;
