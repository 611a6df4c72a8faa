//! What the endpoints answer, asked directly, over axum and over hyper. One Bursar runs in a
//! process at a time, so the tests take turns; it has no thread, so that readings stand still.
#![cfg(feature = "handlers")]

mod mounted;
#[cfg(feature = "profile")]
mod profile;
#[path = "../turn/mod.rs"]
mod turn;

use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use bursar::{
    AccountingAllocator, Budget, Bursar, Endpoints, Entry, Envelope, Health, HealthStatus, History,
    PressureLevel, Profile, PurgeOutcome, PurgeRequest, Purgeable, Stats, System,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use serde_json::Value;
use turn::take_turn;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn start() -> Bursar {
    Bursar::builder().budget("32MiB").threadless(true).start().unwrap()
}

fn ask(endpoints: &Endpoints, method: Method, path: &str) -> Response<Full<Bytes>> {
    endpoints.respond(&Request::builder().method(method).uri(path).body(()).unwrap())
}

fn get(endpoints: &Endpoints, path: &str) -> Response<Full<Bytes>> {
    ask(endpoints, Method::GET, path)
}

fn body(response: Response<Full<Bytes>>) -> String {
    let collected = pin!(response.into_body().collect());
    let mut context = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(body)) = collected.poll(&mut context) else { panic!("it is all there") };
    String::from_utf8(body.to_bytes().into()).unwrap()
}

fn header<'a>(response: &'a Response<Full<Bytes>>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn json(response: Response<Full<Bytes>>) -> Value {
    serde_json::from_str(&body(response)).unwrap()
}

const PATHS: [&str; 5] = ["/", "/health", "/metrics", "/stats", "/history"];

#[test]
fn statistics_and_history_are_read_back_as_they_were_sent() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);

    let sent = body(get(&endpoints, "/stats"));
    let received: Envelope<Stats> = serde_json::from_str(&sent).unwrap();
    assert_eq!(serde_json::to_string(&received).unwrap(), sent);
    let stats = received.into_result().unwrap();
    assert_eq!((stats.soft_limit_bytes, stats.sample), (32 << 20, bursar.stats().sample));

    let sent = body(get(&endpoints, "/history"));
    let received: Envelope<History> = serde_json::from_str(&sent).unwrap();
    assert_eq!(received.into_result().unwrap(), bursar.history());
}

#[test]
fn health_is_served_as_the_library_says_it_and_with_the_status_for_a_probe() {
    let _turn = take_turn();
    let bursar = start();
    let lenient = Endpoints::new(&bursar);
    let strict = lenient.clone().unhealthy_from(PressureLevel::Warning);
    let statuses = || [&lenient, &strict].map(|endpoints| get(endpoints, "/health").status());
    assert_eq!(statuses(), [200, 200]);

    let ballast = black_box(vec![1u8; 25 << 20]);
    assert_eq!(bursar.checkpoint().unwrap().level, PressureLevel::Warning);
    assert_eq!(statuses(), [200, 503]);
    let health: Health = serde_json::from_str(&body(get(&lenient, "/health"))).unwrap();
    assert_eq!(health, bursar.health(PressureLevel::Emergency));
    assert_eq!((health.status, health.is_healthy), (HealthStatus::Degraded, true));
    assert!(health.reason.unwrap().starts_with("memory is at warning: "));

    let more = black_box(vec![1u8; 10 << 20]);
    assert_eq!(bursar.checkpoint().unwrap().level, PressureLevel::Emergency);
    assert_eq!(statuses(), [503, 503]);
    drop((ballast, more));
}

/// Does not return from a callback until it is told to.
struct Hanging {
    may_return: Mutex<mpsc::Receiver<()>>,
}

impl Purgeable for Hanging {
    fn purgeable_bytes(&self) -> u64 {
        1 << 20
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        let _ = self.may_return.lock().unwrap().recv();
        PurgeOutcome::Empty
    }
}

#[test]
fn a_callback_that_hangs_shows_in_the_health_and_does_not_stop_the_answers() {
    let _turn = take_turn();
    let mut profile = Profile::default();
    profile.stall_after = Duration::from_millis(1);
    let budget = Budget::new(1 << 30).unwrap().with_profile(profile).unwrap();
    let bursar = Bursar::builder().budget(budget).threadless(true).start().unwrap();
    let (return_now, may_return) = mpsc::channel();
    let hanging = Arc::new(Hanging { may_return: Mutex::new(may_return) });
    let _registration = bursar.register(Entry::new("hanging", hanging)).unwrap();
    let endpoints = Endpoints::new(&bursar);

    thread::scope(|scope| {
        scope.spawn(|| bursar.reclaim(PressureLevel::Warning).unwrap());
        // For ever, if it is not shown.
        let health = loop {
            let health: Health = serde_json::from_str(&body(get(&endpoints, "/health"))).unwrap();
            if health.status != HealthStatus::Ok {
                break health;
            }
            thread::yield_now();
        };
        assert_eq!((health.status, health.is_healthy), (HealthStatus::Degraded, true));
        assert!(health.reason.unwrap().starts_with("the callback of hanging has not returned for"));
        for path in PATHS {
            assert_eq!(get(&endpoints, path).status(), 200, "{path}");
        }
        return_now.send(()).unwrap();
    });
    let health: Health = serde_json::from_str(&body(get(&endpoints, "/health"))).unwrap();
    assert_eq!(health.status, HealthStatus::Ok);
}

#[test]
fn metrics_are_in_the_format_that_is_asked_for() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let response = get(&endpoints, "/metrics");
    assert_eq!(header(&response, "content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(body(response).contains("\n# TYPE bursar_cleanups_total counter\n"));

    let accepted = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.4,*/*;q=0.1";
    let request = Request::get("/metrics").header("accept", accepted).body(()).unwrap();
    let response = endpoints.respond(&request);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(header(&response, "content-type"), content_type);
    let text = body(response);
    assert!(text.ends_with("# EOF\n"), "{text}");
    openmetrics_parser::openmetrics::parse_openmetrics(&text).unwrap();
}

#[test]
fn every_answer_says_its_format_and_is_neither_kept_nor_guessed_at() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let others = [(Method::GET, "/elsewhere"), (Method::POST, "/stats")];
    for (method, path) in PATHS.map(|path| (Method::GET, path)).into_iter().chain(others) {
        let response = ask(&endpoints, method, path);
        assert_eq!(header(&response, bursar::FORMAT_HEADER), "1", "{path}");
        assert_eq!(header(&response, "cache-control"), "no-store", "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff", "{path}");
        assert!(header(&response, "content-security-policy").starts_with("default-src 'none'"));
        assert_eq!(header(&response, "access-control-allow-origin"), "", "{path}");
        let length = header(&response, "content-length").to_owned();
        assert_eq!(length, body(response).len().to_string(), "{path}");
    }
}

#[test]
fn head_has_the_header_of_get_and_no_body() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    for path in ["/", "/health", "/elsewhere"] {
        let (get, head) = (get(&endpoints, path), ask(&endpoints, Method::HEAD, path));
        assert_eq!((get.status(), get.headers()), (head.status(), head.headers()), "{path}");
        assert_eq!(body(head), "", "{path}");
    }
}

#[test]
fn other_methods_are_told_which_are_allowed() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let odd = Method::from_bytes(b"PURGE").unwrap();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS, odd] {
        for path in PATHS {
            let response = ask(&endpoints, method.clone(), path);
            assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(header(&response, "allow"), "GET, HEAD");
            let json = json(response);
            assert_eq!(json["error_code"], "method_not_allowed");
            assert_eq!(json["success"], false);
        }
    }
}

#[test]
fn other_paths_are_not_found_and_queries_and_a_slash_at_the_end_are_passed_over() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    for path in ["/elsewhere", "/stats/x", "/../stats", "//", "/%2e%2e/", "*"] {
        let response = get(&endpoints, path);
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let json = json(response);
        assert_eq!(json["error_code"], "not_found", "{path}");
        assert_eq!(json["details"]["allowed"], PATHS.join(", "));
    }
    for path in ["/stats/", "/stats?x=1", "/stats/?", "http://elsewhere/stats"] {
        assert_eq!(get(&endpoints, path).status(), StatusCode::OK, "{path}");
    }
    let response = get(&endpoints, "/");
    assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(body(response), PATHS.map(|path| format!("{path}\n")).concat());
}

#[test]
fn the_requests_identifier_is_repeated_unless_it_is_hostile() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let repeated = |headers: &[(&str, &[u8])]| {
        let mut request = Request::get("/stats");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let id = &json(endpoints.respond(&request.body(()).unwrap()))["correlation_id"];
        id.as_str().map(str::to_owned)
    };
    let (correlation, request) = ("X-Correlation-Id", "X-Request-Id");
    assert_eq!(repeated(&[]), None);
    assert_eq!(repeated(&[(request, b"r-1")]).unwrap(), "r-1");
    assert_eq!(repeated(&[(request, b"r-1"), (correlation, b"c-1")]).unwrap(), "c-1");
    assert_eq!(repeated(&[(correlation, &[b'x'; 128])]).unwrap(), "x".repeat(128));
    let hostile: [&[u8]; 5] = [b"", b"a\tb", b"\x80\xff", "\u{202e}".as_bytes(), &[b'x'; 129]];
    for hostile in hostile {
        assert_eq!(repeated(&[(correlation, hostile)]), None, "{hostile:?}");
        assert_eq!(repeated(&[(correlation, hostile), (request, b"r-1")]).unwrap(), "r-1");
    }
    let script = "\"</script><script>alert(1)</script>\\";
    assert_eq!(repeated(&[(correlation, script.as_bytes())]).unwrap(), script);
}

#[test]
fn what_answers_allocate_is_charged_to_the_tag_bursar() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let request = Request::get("/stats").body(()).unwrap();
    let own = || {
        let stats = bursar.stats();
        stats.tags.iter().find(|tag| tag.name == "bursar").unwrap().allocated_bytes_total
    };
    let own_before = own();
    let section = bursar::Section::begin();
    let response = endpoints.respond(&request);
    let allocated = section.end().unwrap().allocated_bytes;
    assert!(own() - own_before >= allocated, "{allocated}");
    assert!(allocated > body(response).len() as u64);
}

#[test]
fn a_bursar_that_was_stopped_can_still_be_read() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    drop(bursar);
    for path in PATHS {
        assert_eq!(get(&endpoints, path).status(), 200, "{path}");
    }
}

#[cfg(feature = "dashboard")]
#[test]
fn the_page_is_served_when_it_is_switched_on_and_may_do_next_to_nothing() {
    let _turn = take_turn();
    let bursar = start();
    let response = get(&Endpoints::new(&bursar).dashboard(true), "/");
    assert_eq!(header(&response, "content-type"), "text/html; charset=utf-8");
    let policy = header(&response, "content-security-policy");
    for part in ["default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(body(response).starts_with("<!doctype html>"));
}
