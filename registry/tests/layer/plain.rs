//! Services of `tower`, without a socket.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bursar::{MemoryLayer, RequestExt, RequestScope};
use hyper::StatusCode;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::*;

#[test]
fn a_request_is_measured_across_its_polls() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar);
    let service = layer.layer(service_fn(|_| async {
        let held = block(2 * MIB);
        next_poll().await;
        drop(held);
        drop(block(1000));
        ok()
    }));
    let mut answer = Box::pin(service.oneshot(get("/thumbnail/7?size=large")));
    assert!(poll(&mut answer).is_pending());
    assert_eq!(bursar.stats().requests_in_flight, 1);
    let elsewhere = block(MIB);
    assert!(poll(&mut answer).is_ready());
    drop(elsewhere);

    let route = bursar.route("GET /thumbnail");
    assert_eq!((route.requests_total, route.failed_total, route.shed_total), (1, 0, 0));
    assert_eq!((route.allocated_bytes_total, route.net_bytes_total), (2 * MIB as u64 + 1000, 0));
    assert_eq!((route.peak_bytes, route.peak_bytes_total), (2 * MIB as u64, 2 * MIB as u64));
    let stats = bursar.stats();
    assert_eq!(stats.requests_in_flight, 0);
    let heaviest = &stats.heaviest_requests[0];
    assert_eq!((heaviest.route.as_str(), heaviest.status), ("GET /thumbnail", Some(200)));
    assert_eq!(heaviest.usage.peak_bytes, 2 * MIB as u64);
    assert!(stats.to_string().contains("\nGET /thumbnail  "), "{stats}");
}

#[test]
fn what_a_request_keeps_is_its_net() {
    let bursar = start();
    let kept = Arc::new(Mutex::new(Vec::with_capacity(8)));
    let service = MemoryLayer::new(&bursar).layer(service_fn(|_: Request<()>| async {
        kept.lock().unwrap().push(block(5000));
        ok()
    }));
    (0..3).for_each(|_| drop(block_on(service.clone().oneshot(get("/")))));
    assert_eq!(bursar.route("GET /").net_bytes_total, 15_000);
}

#[test]
fn a_status_of_500_an_error_and_no_answer_at_all_are_failures() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar);
    let service = layer.layer(service_fn(|request: Request<()>| async move {
        match request.uri().path() {
            "/status" => {
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                Ok(response)
            }
            "/error" => Err("broken"),
            "/panic" => panic!("in a handler, as it is meant to"),
            "/pending" => {
                let _held = block(MIB);
                std::future::pending().await
            }
            _ => Ok(Response::new(Empty::new())),
        }
    }));
    let request = |path| service.clone().oneshot(get(path));
    assert_eq!(block_on(request("/status")).unwrap().status(), 502);
    assert_eq!(block_on(request("/error")).unwrap_err(), "broken");
    catch_unwind(AssertUnwindSafe(|| block_on(request("/panic")))).unwrap_err();
    let mut cancelled = Box::pin(request("/pending"));
    assert!(poll(&mut cancelled).is_pending());
    drop(cancelled);
    block_on(request("/fine")).unwrap();

    let failed = |label| {
        let route = bursar.route(label);
        (route.requests_total, route.failed_total)
    };
    for label in ["GET /status", "GET /error", "GET /panic", "GET /pending"] {
        assert_eq!(failed(label), (1, 1), "{label}");
    }
    assert_eq!(failed("GET /fine"), (1, 0));
    assert_eq!(bursar.route("GET /pending").net_bytes_total, 0, "the drop is in it");
    assert_eq!(bursar.stats().requests_in_flight, 0);
    let heaviest = bursar.stats().heaviest_requests;
    assert!(heaviest.iter().any(|r| r.route == "GET /pending" && r.status.is_none()));
}

#[test]
fn a_service_that_panics_when_it_is_called_leaves_the_books_right() {
    let bursar = start();
    let layer = MemoryLayer::new(&bursar);
    let mut service = layer.layer(service_fn(|_: Request<()>| -> std::future::Ready<Answer> {
        panic!("in a call, as it is meant to")
    }));
    for _ in 0..2 {
        catch_unwind(AssertUnwindSafe(|| drop(service.call(get("/"))))).unwrap_err();
    }
    let route = bursar.route("GET /");
    assert_eq!((route.requests_total, route.failed_total), (2, 2));
    assert_eq!(bursar.stats().requests_in_flight, 0);
}

#[test]
fn the_service_that_was_ready_is_the_one_that_is_called() {
    /// Ready by itself only, as one that has a permit is.
    struct Strict {
        is_ready: bool,
    }

    impl Clone for Strict {
        fn clone(&self) -> Self {
            Self { is_ready: false }
        }
    }

    impl Service<Request<()>> for Strict {
        type Response = Response<Empty<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Answer>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            self.is_ready = true;
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<()>) -> Self::Future {
            assert!(std::mem::take(&mut self.is_ready), "called before it was ready");
            std::future::ready(ok())
        }
    }

    let bursar = start();
    let layer = MemoryLayer::new(&bursar);
    let service = layer.layer(Strict { is_ready: false });
    block_on(service.clone().oneshot(get("/"))).unwrap();
    block_on(service.oneshot(get("/"))).unwrap();
    assert_eq!(bursar.route("GET /").requests_total, 2);
}

#[test]
fn what_is_spawned_is_in_the_figures_where_it_is_given_the_scope() {
    let bursar = start();
    let handler = |request: Request<()>| async move {
        let scope = request.extensions().get::<RequestScope>().cloned().unwrap();
        let child = async move {
            let kept = block(2 * MIB);
            let inner = scope.clone();
            let grandchild = async move { drop(block(3 * MIB)) }.in_request(&inner);
            tokio::spawn(grandchild).await.unwrap();
            drop(kept);
        };
        let scope = request.extensions().get::<RequestScope>().unwrap();
        tokio::spawn(child.in_request(scope)).await.unwrap();
        tokio::spawn(async { drop(block(50 * MIB)) }).await.unwrap();
        ok()
    };
    let layer = MemoryLayer::new(&bursar).expose_scope(true);
    let service = layer.layer(service_fn(handler));
    for _ in 0..2 {
        block_on(service.clone().oneshot(get("/"))).unwrap();
    }
    let route = bursar.route("GET /");
    // The tasks themselves are allocated in the request, too.
    let per_request = route.allocated_bytes_total / 2;
    assert!((5 * MIB..6 * MIB).contains(&(per_request as usize)), "{route:?}");
    assert!((5 * MIB..6 * MIB).contains(&(route.peak_bytes as usize)), "{route:?}");
}

#[test]
fn a_child_that_outlives_its_request_is_in_no_other_requests_figures() {
    let bursar = start();
    let kept = Arc::new(Mutex::new(None::<RequestScope>));
    let taken = Arc::clone(&kept);
    let handler = move |request: Request<()>| {
        let scope = request.extensions().get::<RequestScope>().cloned();
        taken.lock().unwrap().get_or_insert(scope.unwrap());
        std::future::ready(ok())
    };
    let service = MemoryLayer::new(&bursar).expose_scope(true).layer(service_fn(handler));
    let ask = || drop(block_on(service.clone().oneshot(get("/"))).unwrap());
    ask();
    ask();
    let scope = kept.lock().unwrap().take().unwrap();
    let allocated = || bursar.route("GET /").allocated_bytes_total;
    let before = allocated();
    let child = std::thread::spawn(move || {
        let _guard = scope.enter();
        drop(block(MIB));
    });
    child.join().unwrap();
    kept.lock().unwrap().replace(RequestScope::new());
    (0..10).for_each(|_| ask());
    assert!(allocated() - before < MIB as u64);
}

#[test]
fn the_sums_of_200_requests_at_once_are_exact() {
    const REQUESTS: usize = 200;
    let bursar = start();
    let all_are_here = Arc::new(tokio::sync::Barrier::new(REQUESTS + 1));
    let may_go_on = Arc::new(tokio::sync::Barrier::new(REQUESTS + 1));
    let service = {
        let (all_are_here, may_go_on) = (Arc::clone(&all_are_here), Arc::clone(&may_go_on));
        MemoryLayer::new(&bursar).layer(service_fn(move |request: Request<()>| {
            let (all_are_here, may_go_on) = (Arc::clone(&all_are_here), Arc::clone(&may_go_on));
            async move {
                let number: usize = request.uri().query().unwrap().parse().unwrap();
                let held = block(MIB + number);
                all_are_here.wait().await;
                may_go_on.wait().await;
                drop(held);
                ok()
            }
        }))
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    runtime.block_on(async {
        let spawn = |number| {
            let path = ["/a", "/b"][number % 2];
            tokio::spawn(service.clone().oneshot(get_path(&format!("{path}?{number}"))))
        };
        let requests: Vec<_> = (0..REQUESTS).map(spawn).collect();
        all_are_here.wait().await;
        assert_eq!(bursar.stats().requests_in_flight, REQUESTS as u64);
        may_go_on.wait().await;
        for request in requests {
            request.await.unwrap().unwrap();
        }
    });
    for (label, path, first) in [("GET /a", "/a", 0), ("GET /b", "/b", 1)] {
        let route = bursar.route(label);
        let numbers = || (first..REQUESTS).step_by(2);
        let bytes = numbers().map(|number| MIB + number).sum::<usize>() as u64;
        assert_eq!((route.requests_total, route.failed_total), (100, 0));
        assert_eq!((route.allocated_bytes_total, route.peak_bytes_total), (bytes, bytes));
        // Their addresses were made elsewhere, and are dropped here.
        let addresses: usize = numbers().map(|number| format!("{path}?{number}").len()).sum();
        assert_eq!(route.net_bytes_total, -(addresses as i64));
    }
    assert_eq!(bursar.stats().requests_in_flight, 0);
}

#[test]
fn headers_tell_what_is_live_and_what_the_request_keeps_if_asked_to() {
    let bursar = start();
    let held = block(20_000_000);
    let handler = |_: Request<()>| async {
        let mut response = Response::new(Empty::<Bytes>::new());
        response.extensions_mut().insert(block(3_210_000));
        Ok::<_, Infallible>(response)
    };
    let service = MemoryLayer::new(&bursar).headers(true).layer(service_fn(handler));
    let answer = block_on(service.oneshot(get("/"))).unwrap();
    assert_eq!(answer.headers()["x-memory-delta-mb"], "+3.21");
    let usage = answer.headers()["x-memory-usage-mb"].to_str().unwrap();
    assert!(usage.parse::<f64>().unwrap() >= 23.21, "{usage}");
    assert_eq!(usage.split('.').nth(1).map(str::len), Some(2), "{usage}");
    drop(held);

    let service = MemoryLayer::new(&bursar).layer(service_fn(handler));
    let answer = block_on(service.oneshot(get("/"))).unwrap();
    assert!(answer.headers().is_empty(), "not by themselves");
}
