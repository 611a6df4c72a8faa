//! Clients that make their paths up.

use bursar::{MemoryLayer, RequestLog, TagHandle, tag_usage};
use hyper::StatusCode;
use tower::{Layer, ServiceExt, service_fn};

use super::*;

fn answer(status: StatusCode) -> Answer {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    Ok(response)
}

/// What Bursar itself holds.
fn bursar_bytes() -> u64 {
    tag_usage(TagHandle::new("bursar").unwrap()).live_bytes
}

#[test]
fn paths_that_are_not_found_use_no_routes_up() {
    let bursar = start();
    let service = MemoryLayer::new(&bursar)
        .layer(service_fn(|_: Request<()>| std::future::ready(answer(StatusCode::NOT_FOUND))));
    block_on(service.clone().oneshot(get("/warm-up"))).unwrap();
    let before = bursar_bytes();
    for path in 0..2000 {
        block_on(service.clone().oneshot(get_path(&format!("/scan-{path}")))).unwrap();
    }
    assert_eq!(bursar.labels(), ["unmatched"]);
    assert_eq!(bursar.route("unmatched").requests_total, 2001);
    assert_eq!(bursar_bytes(), before);
}

#[test]
fn paths_that_are_answered_take_as_many_routes_as_there_may_be_and_no_memory_more() {
    let bursar = start();
    let log = RequestLog::builder(&bursar).max_routes(10).build();
    let service = MemoryLayer::new(&bursar)
        .log(&log)
        .route(|request| Some(request.uri().path()))
        .layer(service_fn(|_: Request<()>| std::future::ready(ok())));
    let requests = |from: usize| {
        for path in from..from + 1000 {
            let long = "x".repeat(path % 4000);
            block_on(service.clone().oneshot(get_path(&format!("/{path}-{long}")))).unwrap();
        }
    };
    requests(1000);
    let before = bursar_bytes();
    requests(2000);
    assert_eq!(bursar_bytes(), before);
    let routes = bursar.stats().routes;
    assert_eq!(routes.len(), 11);
    assert!(routes.iter().all(|route| route.route.len() <= 128));
    assert_eq!(bursar.route("other").requests_total, 1990);
}

#[test]
fn methods_that_are_made_up_and_requests_without_a_route_are_one_label_each() {
    let bursar = start();
    let service = MemoryLayer::new(&bursar)
        .route(|request| request.extensions().get::<&'static str>().copied())
        .layer(service_fn(|_: Request<()>| std::future::ready(ok())));
    for number in 0..20 {
        let method = format!("HACK{number}");
        let request = Request::builder().method(method.as_str()).uri("/").extension("/known");
        block_on(service.clone().oneshot(request.body(()).unwrap())).unwrap();
        block_on(service.clone().oneshot(get_path(&format!("/{number}")))).unwrap();
    }
    assert_eq!(bursar.labels(), ["_OTHER /known", "unmatched"]);
}
