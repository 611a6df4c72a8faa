//! Nanoseconds on a processor of a request to a service that does next to nothing, with the layer
//! and without.

use std::convert::Infallible;
use std::error::Error;
use std::future::{Future, Ready, ready};
use std::hint::black_box;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bursar::{Bursar, MemoryLayer, thread_usage_total};
use http::{Extensions, Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use tower::{Layer, Service, service_fn};

use super::tags::Tags;
use super::{Extent, table};
use crate::measure::{Spread, Table, cell, compared, in_turns, of_this_thread};

/// What a round asks for, on each thread.
const REQUESTS: usize = 100_000;
const QUICK_REQUESTS: usize = 1_000;
/// Asked for before that, so that scopes and routes are there.
const WARM_UP: usize = 100;
const THREADS: [usize; 2] = [1, 2];
const TAGS: [usize; 2] = [8, 64];

const BUDGET: &str = "1GiB";
const PATH: &str = "/thumbnail/7/large";
/// How the layer is told of routes, with the label that comes of it.
const ROUTES: [(&str, &str); 2] =
    [("by the path", "GET /thumbnail"), ("by the pattern matched", "GET /thumbnail/{id}/{size}")];

/// What a router puts into a request's extensions, as axum does its `MatchedPath`.
#[derive(Debug, Clone, Copy)]
struct MatchedPattern(&'static str);

/// What requests on some threads took.
#[derive(Debug, Default)]
struct Done {
    /// A request of the thread that took longest on a processor.
    nanos: f64,
    /// By all threads together.
    allocated_bytes: u64,
}

/// The table of requests: bare, with the layer, and what that is more.
pub(super) fn measure(extent: Extent) -> Result<Table, Box<dyn Error>> {
    let bursar = Bursar::builder().budget(BUDGET).start()?;
    let mut held = Tags::default();
    let mut table = table([
        "a request that is answered at once, in ns on a processor",
        "bare",
        "with MemoryLayer",
        "more",
        "bar",
        "bytes allocated",
        "bar",
    ]);
    for tags in TAGS {
        held.hold(tags)?;
        for threads in THREADS {
            let done = measure_in_turns(extent, &bursar, threads)?;
            for (number, (how, _)) in ROUTES.iter().enumerate() {
                let [bare, layered] = [&done[0], &done[number + 1]];
                let nanos = |done: &[Done]| cell(Spread::of(done.iter().map(|it| it.nanos)), 0);
                let more = compared(layered, bare, |layered, bare| layered.nanos - bare.nanos);
                let bytes: u64 = layered.iter().map(|done| done.allocated_bytes).sum();
                let plural = if threads == 1 { "" } else { "s" };
                table.add([
                    format!("{tags} tags, {threads} thread{plural}, {how}"),
                    nanos(bare),
                    nanos(layered),
                    cell(more, 0),
                    "< 1,000 ns more".to_owned(),
                    bytes.to_string(),
                    "0".to_owned(),
                ]);
            }
        }
    }
    Ok(table)
}

/// The service bare, with the layer by paths, and with the layer by patterns.
fn measure_in_turns(
    extent: Extent,
    bursar: &Bursar,
    threads: usize,
) -> Result<Vec<Vec<Done>>, Box<dyn Error>> {
    let requests = extent.of(REQUESTS, QUICK_REQUESTS);
    eprintln!("{} rounds of requests, threads: {threads}", extent.rounds);
    let by_path = MemoryLayer::new(bursar).layer(service_fn(answer));
    let by_pattern = MemoryLayer::new(bursar)
        .route(|request| request.extensions().get::<MatchedPattern>().map(|matched| matched.0))
        .layer(service_fn(answer));
    let done = in_turns(extent.rounds, 3, |contestant| match contestant {
        0 => on_threads(threads, requests, &service_fn(answer)),
        1 => on_threads(threads, requests, &by_path),
        _ => on_threads(threads, requests, &by_pattern),
    })?;
    let expected = (extent.rounds * threads * (1 + WARM_UP + requests)) as u64;
    let routes = bursar.stats().routes;
    for (_, label) in ROUTES {
        let found = routes.iter().find(|route| route.route == label);
        let counted = found.map_or(0, |route| route.requests_total);
        if counted != expected {
            return Err(format!("{counted} of {expected} requests are counted as {label}").into());
        }
    }
    Ok(done)
}

/// Hands the request's extensions on, for the next one: so nothing is allocated.
fn answer(mut request: Request<()>) -> Ready<Result<Response<Full<&'static [u8]>>, Infallible>> {
    let mut response = Response::new(Full::new(&b"thumbnail"[..]));
    std::mem::swap(response.extensions_mut(), request.extensions_mut());
    ready(Ok(response))
}

/// Asks on so many threads at once, so many times on each.
fn on_threads<S, B>(threads: usize, requests: usize, service: &S) -> Result<Done, Box<dyn Error>>
where
    S: Service<Request<()>, Response = Response<B>> + Clone + Sync,
    B: BodyExt + Unpin,
{
    let all_ready = Barrier::new(threads);
    let run = || {
        let mut client = Client::new(service.clone());
        let given_up = client.begin();
        // Each of them runs one: so there are as many scopes from here on as are to be needed.
        all_ready.wait();
        drop(given_up);
        let warmed_up = client.ask(WARM_UP);
        all_ready.wait();
        warmed_up.and_then(|_| client.ask(requests))
    };
    let done: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut sum = Done::default();
    for done in done {
        let done = done.map_err(|_| "a thread that asks panicked")?;
        let (time, bytes) = done?;
        sum.nanos = sum.nanos.max(time.as_secs_f64() * 1e9 / requests as f64);
        sum.allocated_bytes += bytes;
    }
    Ok(sum)
}

/// Asks a service as a server would, one request after the other.
struct Client<S> {
    service: S,
    uri: Uri,
    /// Those of the next request.
    extensions: Extensions,
}

impl<S> Client<S> {
    fn new(service: S) -> Self {
        let mut extensions = Extensions::new();
        extensions.insert(MatchedPattern("/thumbnail/{id}/{size}"));
        Self { service, uri: Uri::from_static(PATH), extensions }
    }

    /// The time of so many requests, and what was allocated in them.
    fn ask<B>(&mut self, requests: usize) -> Result<(Duration, u64), String>
    where
        S: Service<Request<()>, Response = Response<B>>,
        B: BodyExt + Unpin,
    {
        let now = || of_this_thread().map_err(|error| error.to_string());
        let allocated = || thread_usage_total().ok_or("the thread has no counters of its own");
        let (begun, before) = (now()?, allocated()?);
        for _ in 0..requests {
            self.ask_once().ok_or("a request was not answered")?;
        }
        let after = allocated()?;
        let time = now()?.saturating_sub(begun);
        Ok((time, after.since(&before).allocated_bytes))
    }

    /// A request that has begun, beside those that are asked.
    fn begin(&mut self) -> S::Future
    where
        S: Service<Request<()>>,
    {
        let request = self.request(self.extensions.clone());
        self.service.call(request)
    }

    fn request(&self, extensions: Extensions) -> Request<()> {
        let mut request = Request::new(());
        *request.uri_mut() = self.uri.clone();
        *request.extensions_mut() = extensions;
        request
    }

    fn ask_once<B>(&mut self) -> Option<()>
    where
        S: Service<Request<()>, Response = Response<B>>,
        B: BodyExt + Unpin,
    {
        let context = &mut Context::from_waker(Waker::noop());
        let extensions = std::mem::take(&mut self.extensions);
        let request = self.request(extensions);
        let Poll::Ready(Ok(())) = self.service.poll_ready(context) else { return None };
        let answer = pin!(self.service.call(request)).poll(context);
        let Poll::Ready(Ok(answer)) = answer else { return None };
        let (parts, mut body) = answer.into_parts();
        while !body.is_end_stream() {
            match pin!(body.frame()).poll(context) {
                Poll::Ready(Some(Ok(frame))) => drop(black_box(frame)),
                Poll::Ready(None) => break,
                _ => return None,
            }
        }
        self.extensions = parts.extensions;
        Some(())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_does_not_answer_is_an_error_and_no_quick_one() {
        let silent = |_: Request<()>| {
            std::future::pending::<Result<Response<Full<&'static [u8]>>, Infallible>>()
        };
        let error = on_threads(2, 10, &service_fn(silent)).unwrap_err().to_string();
        assert!(error.contains("not answered"), "{error}");
    }

    #[test]
    fn extensions_go_from_one_request_to_the_next() {
        let mut client = Client::new(service_fn(answer));
        client.ask_once().unwrap();
        client.ask_once().unwrap();
        assert!(client.extensions.get::<MatchedPattern>().is_some());
    }
}
