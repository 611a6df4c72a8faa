//! What the layer allocates once it has seen as many requests as come at once.

use std::pin::pin;
use std::sync::{Arc, OnceLock};

use bursar::{MemoryLayer, RequestLog, Shedding, ThreadUsage, thread_usage_total};
use http_body::{Body, Frame, SizeHint};
use tower::{Layer, Service, service_fn};

use super::*;

/// Three frames of static text. Allocates nothing.
struct Verses(usize);

impl Body for Verses {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0 == 3 {
            return Poll::Ready(None);
        }
        self.0 += 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"verse")))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn run<S, RB>(service: &mut S) -> usize
where
    S: Service<Request<()>, Response = Response<RB>>,
    S::Error: std::fmt::Debug,
    RB: Body,
{
    let context = &mut Context::from_waker(Waker::noop());
    assert!(service.poll_ready(context).is_ready());
    let answer = pin!(service.call(get("/thumbnail/7"))).poll(context);
    let Poll::Ready(Ok(answer)) = answer else { panic!("it is ready at once") };
    let mut body = pin!(answer.into_body());
    let mut frames = 0;
    while let Poll::Ready(Some(_)) = body.as_mut().poll_frame(context) {
        frames += 1;
    }
    frames
}

/// What this thread allocates and frees in 100 requests, after some that warm up.
fn bytes_of_100_requests(layer: &MemoryLayer) -> ThreadUsage {
    let answer = |_| std::future::ready(Ok::<_, Infallible>(Response::new(Verses(0))));
    let mut service = layer.layer(service_fn(answer));
    (0..5).for_each(|_| assert_eq!(run(&mut service), 3));
    let before = thread_usage_total().unwrap();
    (0..100).for_each(|_| assert_eq!(run(&mut service), 3));
    thread_usage_total().unwrap().since(&before)
}

#[test]
fn a_layer_that_measures_allocates_nothing_a_request() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar);
    let done = bytes_of_100_requests(&layer);
    assert_eq!((done.allocated_bytes, done.freed_bytes), (0, 0));
    assert_eq!(bursar.route("GET /thumbnail").requests_total, 105);
}

#[test]
fn a_layer_that_sheds_reserves_defers_and_keeps_every_request_as_heavy_allocates_nothing_either() {
    let bursar = start();
    let log = RequestLog::builder(&bursar).heavy_from_bytes(0).build();
    let layer = MemoryLayer::new(&bursar)
        .log(&log)
        .shedding(Shedding::default())
        .exempt(|request| request.uri().path() == "/admin")
        .reserve(|_| Some(1000))
        .defer_purging(true)
        .collect_every_requests(10)
        .summary_every_requests(10, |summary| assert_eq!(summary.failed, 0));
    let done = bytes_of_100_requests(&layer);
    assert_eq!((done.allocated_bytes, done.freed_bytes), (0, 0));
    assert_eq!(layer.panics_total(), 0);
}

#[test]
fn a_request_inside_a_summary_has_a_scope_that_serves_again() {
    let bursar = start();
    let inner = Arc::new(OnceLock::<Mutex<Box<dyn FnMut() + Send>>>::new());
    let asked = Arc::clone(&inner);
    let layer = MemoryLayer::new(&bursar).summary_every_requests(1, move |_| {
        // The request in here has a summary too: its own one finds this locked.
        if let Some(Ok(mut ask)) = asked.get().map(Mutex::try_lock) {
            ask();
        }
    });
    let answer = |_| std::future::ready(Ok::<_, Infallible>(Response::new(Verses(0))));
    let mut service = layer.layer(service_fn(answer));
    let ask = move || assert_eq!(run(&mut service), 3);
    assert!(inner.set(Mutex::new(Box::new(ask))).is_ok());
    let done = bytes_of_100_requests(&layer);
    assert_eq!((done.allocated_bytes, done.freed_bytes), (0, 0));
    assert_eq!(bursar.route("GET /thumbnail").requests_total, 210);
}

#[test]
fn this_test_can_fail_as_exposed_scopes_allocate() {
    let bursar = start();
    let done = bytes_of_100_requests(&MemoryLayer::new(&bursar).expose_scope(true));
    assert!(done.allocated_bytes > 0);
}
