//! gRPC, whose statuses are not HTTP's.

use bursar::{MemoryLayer, PressureLevel, Shedding};
use http::HeaderMap;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt, service_fn};

use super::*;

/// A message, and the call's status after it.
struct Message {
    message: Option<Bytes>,
    status: Option<&'static str>,
}

impl Body for Message {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(message) = self.message.take() {
            return Poll::Ready(Some(Ok(Frame::data(message))));
        }
        let trailers = self.status.take().map(|status| Frame::trailers(grpc_status(status)));
        Poll::Ready(trailers.map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.message.is_none() && self.status.is_none()
    }
}

fn grpc_status(status: &'static str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap())])
}

/// As tonic answers: 200, with the status in trailers or, without a message, among the headers.
async fn call(request: Request<()>) -> Result<Response<Message>, Infallible> {
    let asked = &request.headers()["test-status"];
    let status = ["0", "5", "13"].into_iter().find(|status| asked == status);
    let mut response = Response::new(Message { message: None, status: None });
    if request.uri().path().starts_with("/shop.Orders/") {
        *response.body_mut() = Message { message: Some(Bytes::from_static(b"order")), status };
    } else {
        *response.headers_mut() = grpc_status("12");
    }
    Ok(response)
}

fn request(path: &str, status: &str) -> Request<()> {
    let request = Request::post(path).header("content-type", "application/grpc+proto");
    request.header("test-status", status).body(()).unwrap()
}

#[test]
fn a_call_has_failed_if_its_own_status_says_that_the_service_did() {
    let bursar = start();
    let service = MemoryLayer::new(&bursar)
        .route(|request| Some(request.uri().path()))
        .layer(service_fn(call));
    for status in ["0", "5", "13"] {
        let request = request("/shop.Orders/Get", status);
        let answer = block_on(service.clone().oneshot(request)).unwrap();
        let collected = block_on(answer.into_body().collect()).unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], status);
    }
    let route = bursar.route("POST /shop.Orders/Get");
    assert_eq!((route.requests_total, route.failed_total), (3, 1), "5 is the caller's own");
    assert_eq!(bursar.stats().requests_in_flight, 0);
}

#[test]
fn methods_that_there_are_none_of_use_no_routes_up() {
    let bursar = start();
    let service = MemoryLayer::new(&bursar)
        .route(|request| Some(request.uri().path()))
        .layer(service_fn(call));
    for number in 0..100 {
        let request = request(&format!("/scan.Scan/{number}"), "0");
        block_on(service.clone().oneshot(request)).unwrap();
    }
    assert_eq!(bursar.labels(), ["unmatched"]);
    assert_eq!(bursar.route("unmatched").failed_total, 0);
}

#[test]
fn a_call_is_refused_in_its_own_terms_and_its_health_checks_are_not() {
    let bursar = start();
    let service = MemoryLayer::new(&bursar)
        .shedding(Shedding::default())
        .reserve(|request| request.headers().get("test-bytes")?.to_str().ok()?.parse().ok())
        .layer(service_fn(call));
    let ask = |request| block_on(service.clone().oneshot(request)).unwrap();

    let mut large = request("/shop.Orders/Put", "0");
    large.headers_mut().insert("test-bytes", "999999999".parse().unwrap());
    let refused = ask(large);
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["grpc-status"]),
        (200, &"8".parse().unwrap())
    );

    let held = block(260 * MIB);
    assert_eq!(bursar.checkpoint().unwrap().level, PressureLevel::Emergency);
    let refused = ask(request("/shop.Orders/Get", "0"));
    assert_eq!(refused.status().as_u16(), 200, "the status is the call's own");
    let headers = refused.headers();
    assert_eq!(
        (&headers["grpc-status"], &headers["content-type"]),
        (&"14".parse().unwrap(), &"application/grpc+proto".parse().unwrap())
    );
    assert!(headers.contains_key("grpc-message"));
    assert!(refused.body().is_end_stream());
    let checked = ask(request("/grpc.health.v1.Health/Check", "0"));
    assert_eq!(checked.headers()["grpc-status"], "12", "it is the service that answers");
    drop(held);
}
