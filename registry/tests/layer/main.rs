//! The layer around services, over the real allocator. One Bursar runs in a process at a time, so
//! the tests take turns.
#![cfg(feature = "tower")]

mod at_rest;
mod bodies;
mod bounds;
mod configured;
mod fates;
mod grpc;
mod plain;
mod refusals;
mod sockets;
mod upkeep;

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bursar::{AccountingAllocator, Bursar, Config, RouteStats, System};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::http;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static TURN: Mutex<()> = Mutex::new(());

const MIB: usize = 1 << 20;

/// A Bursar without a thread, and the turn to have one.
struct Running {
    bursar: Bursar,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Running {
    type Target = Bursar;

    fn deref(&self) -> &Bursar {
        &self.bursar
    }
}

impl Running {
    fn route(&self, label: &str) -> RouteStats {
        let routes = self.stats().routes;
        let found = routes.iter().find(|route| route.route == label);
        found.cloned().unwrap_or_else(|| panic!("no {label} in {routes:?}"))
    }

    fn labels(&self) -> Vec<String> {
        let mut labels: Vec<_> = self.stats().routes.into_iter().map(|r| r.route).collect();
        labels.sort();
        labels
    }
}

fn start() -> Running {
    start_with(Config::default())
}

fn start_with(config: Config) -> Running {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let builder = Bursar::builder().config(config).budget("256MiB").threadless(true);
    Running { bursar: builder.start().unwrap(), _turn: turn }
}

fn block(bytes: usize) -> Vec<u8> {
    black_box(Vec::with_capacity(bytes))
}

/// A request that has no allocations of its own, which would be freed by whoever answers it.
fn get(uri: &'static str) -> Request<()> {
    let mut request = Request::new(());
    *request.uri_mut() = http::Uri::from_static(uri);
    request
}

/// One whose address is a block of as many bytes.
fn get_path(uri: &str) -> Request<()> {
    Request::get(uri).body(()).unwrap()
}

type Answer = Result<Response<Empty<Bytes>>, Infallible>;

fn ok() -> Answer {
    Ok(Response::new(Empty::new()))
}

/// Pending once. Allocates nothing.
async fn next_poll() {
    let mut is_pending = true;
    std::future::poll_fn(|_| {
        if std::mem::take(&mut is_pending) { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

fn poll<F: Future + ?Sized>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a future that is never pending for long on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(future)
}
