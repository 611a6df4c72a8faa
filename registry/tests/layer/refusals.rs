//! Requests that are refused while memory is short.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bursar::{MemoryLayer, PressureLevel, Shedding};
use http_body::Body;
use tower::{Layer, ServiceExt, service_fn};

use super::*;

/// Past the budget, until it is dropped.
fn exhaust(bursar: &Bursar) -> Vec<u8> {
    let held = block(260 * MIB);
    assert_eq!(bursar.checkpoint().unwrap().level, PressureLevel::Emergency);
    held
}

#[test]
fn when_memory_is_exhausted_requests_get_a_503_and_the_service_is_not_called() {
    let bursar = start();
    let called = AtomicUsize::new(0);
    let service = MemoryLayer::new(&bursar)
        .shedding(Shedding::default().retry_after(Duration::from_secs(3)))
        .exempt(|request| request.uri().path() == "/checkout")
        .layer(service_fn(|_: Request<()>| {
            called.fetch_add(1, Ordering::Relaxed);
            std::future::ready(ok())
        }));
    let request = |path| block_on(service.clone().oneshot(get(path))).unwrap();
    assert_eq!(request("/thumbnail").status(), 200);

    let held = exhaust(&bursar);
    let refused = request("/thumbnail/7");
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"12".parse().unwrap())
    );
    assert!(refused.body().is_end_stream() && refused.body().size_hint().exact() == Some(0));
    for path in ["/health", "/healthz", "/livez", "/ready", "/readyz", "/metrics", "/checkout"] {
        assert_eq!(request(path).status(), 200, "{path}");
    }
    assert_eq!(called.load(Ordering::Relaxed), 8);
    let route = bursar.route("GET /thumbnail");
    assert_eq!((route.requests_total, route.failed_total, route.shed_total), (1, 0, 1));
    assert_eq!(bursar.stats().requests_in_flight, 0);

    drop(held);
    bursar.checkpoint().unwrap();
    assert_eq!(request("/thumbnail").status(), 200, "whatever level is still in force");
}

#[test]
fn without_shedding_everything_is_answered() {
    let bursar = start();
    let service =
        MemoryLayer::new(&bursar).layer(service_fn(|_: Request<()>| std::future::ready(ok())));
    let _held = exhaust(&bursar);
    assert_eq!(block_on(service.oneshot(get("/"))).unwrap().status(), 200);
}

#[test]
fn a_request_that_says_its_size_is_refused_if_there_is_no_room_and_holds_it_until_it_ends() {
    let bursar = start();
    let service = MemoryLayer::new(&bursar)
        .reserve(|request| request.headers().get("content-length")?.to_str().ok()?.parse().ok())
        .layer(service_fn(|request: Request<()>| async move {
            let held = (request.uri().path() == "/upload").then(|| block(60 * MIB));
            std::future::pending::<()>().await;
            drop(held);
            ok()
        }));
    let request = |path: &str, bytes: usize| {
        let request = Request::post(path).header("content-length", bytes).body(()).unwrap();
        Box::pin(service.clone().oneshot(request))
    };
    let mut waiting = request("/wait", 80 * MIB);
    assert!(poll(&mut waiting).is_pending());
    let mut uploading = request("/upload", 80 * MIB);
    assert!(poll(&mut uploading).is_pending());
    assert_eq!(bursar.stats().reserved_bytes, 100 * MIB as u64, "60 are held by now");

    let Poll::Ready(Ok(refused)) = poll(&mut request("/wait", 90 * MIB)) else { panic!("refused") };
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["retry-after"]),
        (503, &"1".parse().unwrap())
    );
    assert_eq!(bursar.route("other").shed_total, 1, "its route is not known yet");
    drop(waiting);
    assert!(poll(&mut request("/wait", 90 * MIB)).is_pending());
    drop(uploading);
    assert_eq!(bursar.stats().reserved_bytes, 0);
}

#[test]
fn a_request_that_could_not_fit_at_any_time_is_too_large_and_not_to_be_tried_again() {
    let bursar = start();
    let service = MemoryLayer::new(&bursar)
        .reserve(|_| Some(250 * MIB as u64))
        .layer(service_fn(|_: Request<()>| std::future::ready(ok())));
    let refused = block_on(service.clone().oneshot(get("/upload"))).unwrap();
    assert_eq!(refused.status().as_u16(), 413);
    assert!(refused.headers().is_empty(), "no time would be the right one");
    assert_eq!(bursar.route("other").shed_total, 1);
}
