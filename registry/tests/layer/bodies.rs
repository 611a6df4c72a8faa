//! Answers that are sent bit by bit.

use bursar::MemoryLayer;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};

use super::*;

/// So many frames, each made of a block that is freed before it is sent; then an error if asked to.
struct Frames {
    left: usize,
    then: Option<&'static str>,
    _held: Vec<u8>,
}

impl Body for Frames {
    type Data = Bytes;
    type Error = &'static str;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
        if self.left == 0 {
            return Poll::Ready(self.then.take().map(Err));
        }
        self.left -= 1;
        drop(block(MIB));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"frame")))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(5 * self.left as u64)
    }
}

fn frames(then: Option<&'static str>) -> Result<Response<Frames>, Infallible> {
    Ok(Response::new(Frames { left: 3, then, _held: block(MIB) }))
}

#[test]
fn a_body_is_measured_while_it_is_sent_and_the_request_ends_with_it() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar);
    let service = layer.layer(service_fn(|_: Request<()>| async { frames(None) }));
    let answer = block_on(service.oneshot(get("/"))).unwrap();
    assert_eq!(bursar.stats().requests_in_flight, 1);
    assert!(bursar.stats().routes.is_empty());
    let mut body = answer.into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(15), false));
    for _ in 0..3 {
        assert_eq!(block_on(body.frame()).unwrap().unwrap().into_data().unwrap(), "frame");
    }
    assert_eq!(bursar.stats().requests_in_flight, 1);
    assert!(block_on(body.frame()).is_none());
    assert_eq!(bursar.stats().requests_in_flight, 0, "before the body is dropped");
    assert!(body.is_end_stream() && block_on(body.frame()).is_none());

    let route = bursar.route("GET /");
    assert_eq!((route.requests_total, route.failed_total), (1, 0));
    assert_eq!((route.allocated_bytes_total, route.net_bytes_total), (4 * MIB as u64, 0));
    assert_eq!(route.peak_bytes, 2 * MIB as u64);
}

#[test]
fn a_body_that_is_known_to_be_at_its_end_ends_the_request_without_another_poll() {
    let bursar = start();
    let full = |_: Request<()>| async {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"whole"))))
    };
    let service = MemoryLayer::new(&bursar).layer(service_fn(full));
    let mut body = block_on(service.oneshot(get("/"))).unwrap().into_body();
    assert_eq!((body.size_hint().exact(), bursar.stats().requests_in_flight), (Some(5), 1));
    assert_eq!(block_on(body.frame()).unwrap().unwrap().into_data().unwrap(), "whole");
    assert_eq!((body.is_end_stream(), bursar.stats().requests_in_flight), (true, 0));
}

#[test]
fn a_body_that_fails_is_a_request_that_failed() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar);
    let service = layer.layer(service_fn(|_: Request<()>| async { frames(Some("broken off")) }));
    let body = block_on(service.oneshot(get("/"))).unwrap().into_body();
    assert_eq!(block_on(body.collect()).unwrap_err(), "broken off");
    let route = bursar.route("GET /");
    assert_eq!((route.requests_total, route.failed_total, route.net_bytes_total), (1, 1, 0));
}

#[test]
fn a_body_that_nobody_reads_to_its_end_is_dropped_within_the_scope() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar);
    let service = layer.layer(service_fn(|_: Request<()>| async { frames(None) }));
    let answer = block_on(service.oneshot(get("/"))).unwrap();
    std::thread::spawn(move || drop(answer)).join().unwrap();
    let route = bursar.route("GET /");
    assert_eq!((route.requests_total, route.failed_total, route.net_bytes_total), (1, 0, 0));
    assert_eq!(bursar.stats().requests_in_flight, 0);
}
