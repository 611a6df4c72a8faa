//! Logs on a clock that is set.

use bursar_alloc::tag_usage;

use super::*;
use crate::service::request_log::LoggedRequest;
use crate::service::{RequestScope, RequestUsage};
use crate::testing::FakeClock;

const MIB: u64 = 1 << 20;

struct Setting {
    clock: Arc<FakeClock>,
    logs: RequestLogs,
    book: Arc<Book>,
}

/// A log of three routes.
fn setting() -> Setting {
    let clock = Arc::<FakeClock>::default();
    let book = Arc::new(Book::new(clock.clone(), 3, MIB));
    let logs = RequestLogs::default();
    logs.add(&book);
    Setting { clock, logs, book }
}

fn usage(allocated_bytes: u64, peak_bytes: u64) -> RequestUsage {
    RequestUsage { allocated_bytes, peak_bytes, net_bytes: -5, ..RequestUsage::default() }
}

fn record(book: &Book, label: &str, status: Option<u16>, usage: RequestUsage) {
    let label = Label::new(&[label]);
    let ended = EndedRequest { status, usage, at: book.now(), elapsed: Duration::from_millis(3) };
    book.record(book.find(&label), &ended, Part::of_this_thread());
}

fn names(figures: &RequestFigures) -> Vec<&str> {
    figures.routes.iter().map(|route| route.route.as_str()).collect()
}

#[test]
fn a_routes_requests_are_summed() {
    let Setting { logs, book, .. } = setting();
    record(&book, "GET /a", Some(200), usage(100, 70));
    record(&book, "GET /a", Some(500), usage(50, 90));
    record(&book, "GET /a", None, usage(1, 1));
    record(&book, "GET /a", Some(404), usage(0, 0));
    book.record_shed(&Label::new(&["GET /a"]));
    let expected = RouteStats {
        route: "GET /a".to_owned(),
        requests_total: 4,
        failed_total: 2,
        shed_total: 1,
        allocated_bytes_total: 151,
        net_bytes_total: -20,
        peak_bytes_total: 161,
        peak_bytes: 90,
        elapsed_total: Duration::from_millis(12),
    };
    assert_eq!(logs.read().routes, [expected]);
}

#[test]
fn what_is_new_and_not_found_is_no_route() {
    let Setting { logs, book, .. } = setting();
    for path in 0..1000 {
        record(&book, &format!("GET /wp-admin/{path}"), Some(404), usage(1, 1));
        record(&book, &format!("POST /{path}"), Some(405), usage(1, 1));
    }
    record(&book, "", Some(200), usage(1, 1));
    let figures = logs.read();
    assert_eq!(names(&figures), ["unmatched"]);
    assert_eq!(figures.routes[0].requests_total, 2001);
}

#[test]
fn routes_past_the_bound_are_other() {
    let Setting { logs, book, .. } = setting();
    for (bytes, path) in (1..=5).rev().enumerate() {
        record(&book, &format!("GET /{path}"), Some(200), usage(100 - bytes as u64, 1));
    }
    record(&book, "GET /4", Some(200), usage(0, 1));
    record(&book, "GET /scan", Some(404), usage(0, 1));
    record(&book, "other", Some(404), usage(0, 1));
    let figures = logs.read();
    assert_eq!(names(&figures), ["other", "GET /5", "GET /4", "GET /3", "unmatched"]);
    let requests: Vec<_> = figures.routes.iter().map(|route| route.requests_total).collect();
    assert_eq!(requests, [3, 1, 2, 1, 1]);
}

#[test]
fn who_is_refused_before_its_route_is_known_is_other() {
    let Setting { logs, book, .. } = setting();
    book.record_shed(&Label::new(&["GET /a"]));
    record(&book, "GET /a", Some(200), usage(1, 1));
    book.record_shed(&Label::new(&["GET /a"]));
    let figures = logs.read();
    let shed: Vec<_> = figures.routes.iter().map(|r| (r.route.as_str(), r.shed_total)).collect();
    assert_eq!(shed, [("GET /a", 1), ("other", 1)]);
}

#[test]
fn a_request_is_in_flight_until_it_ends_and_fails_if_nothing_finishes_it() {
    let Setting { clock, logs, book } = setting();
    let begin = || LoggedRequest::begin(&book, &Label::new(&["GET /a"]), RequestScope::new());
    let (first, second) = (begin(), begin());
    assert_eq!(logs.read().in_flight, 2);
    clock.advance(Duration::from_secs(1));
    first.finish(200);
    clock.advance(Duration::from_secs(1));
    drop(second);
    let figures = logs.read();
    let route = &figures.routes[0];
    assert_eq!((figures.in_flight, route.requests_total, route.failed_total), (0, 2, 1));
    assert_eq!(route.elapsed_total, Duration::from_secs(3));
}

#[test]
fn requests_that_end_on_other_threads_are_in_flight_no_more() {
    let Setting { logs, book, .. } = setting();
    let begin = || LoggedRequest::begin(&book, &Label::new(&["GET /a"]), RequestScope::new());
    let begun_here: Vec<_> = (0..8).map(|_| begin()).collect();
    let begun_there: Vec<_> = std::thread::scope(|threads| {
        let threads: Vec<_> = (0..8).map(|_| threads.spawn(begin)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(logs.read().in_flight, 16);
    std::thread::scope(|threads| {
        for request in begun_here {
            threads.spawn(|| request.finish(200));
        }
    });
    assert_eq!(logs.read().in_flight, 8);
    begun_there.into_iter().for_each(|request| request.finish(200));
    let figures = logs.read();
    assert_eq!((figures.in_flight, figures.routes[0].requests_total), (0, 16));
}

#[test]
fn several_logs_are_shown_as_one_as_long_as_they_live() {
    let Setting { clock, logs, book } = setting();
    let another = Arc::new(Book::new(clock.clone(), 3, MIB));
    logs.add(&another);
    record(&book, "GET /a", Some(200), usage(10, 2 * MIB));
    clock.advance(Duration::from_secs(1));
    record(&another, "GET /a", Some(500), usage(20, 3 * MIB));
    record(&another, "GET /b", Some(200), usage(100, 1));
    let figures = logs.read();
    assert_eq!(names(&figures), ["GET /b", "GET /a"]);
    let route = &figures.routes[1];
    assert_eq!((route.requests_total, route.failed_total), (2, 1));
    assert_eq!((route.allocated_bytes_total, route.peak_bytes), (30, 3 * MIB));
    let heaviest: Vec<_> = figures.heaviest.iter().map(|r| (r.at.as_secs(), r.status)).collect();
    assert_eq!(heaviest, [(1, Some(500)), (0, Some(200))]);

    drop(another);
    assert_eq!(names(&logs.read()), ["GET /a"]);
    logs.add(&book);
    assert_eq!(logs.lock().len(), 2, "the one that is gone is not kept in mind");
}

#[test]
fn what_a_log_holds_is_charged_to_no_tag_but_bursars() {
    static ELSEWHERE: bursar_alloc::Tag = bursar_alloc::Tag::new("book-tests");
    let clock = Arc::<FakeClock>::default();
    let book = Arc::new(Book::new(clock, 1000, 0));
    let _tag = ELSEWHERE.enter();
    (0..1000).for_each(|path| {
        let label = Label::new(&["GET /", ["a", "b", "c"][path % 3], &"x".repeat(path % 128)]);
        record(&book, label.as_str(), Some(200), usage(1, 1));
    });
    drop(_tag);
    assert_eq!(tag_usage(&ELSEWHERE).live_bytes, 0);
    assert!(book.routes().len() > 300, "they are kept");
}

#[test]
fn sums_are_exact_from_many_threads() {
    const THREADS: u64 = 4;
    const REQUESTS: u64 = 500;
    let Setting { logs, book, .. } = setting();
    std::thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                for request in 0..REQUESTS {
                    let label = ["GET /a", "GET /b"][request as usize % 2];
                    record(&book, label, Some(200), usage(request, MIB + request));
                }
            });
        }
    });
    let figures = logs.read();
    let sum = |of: fn(&RouteStats) -> u64| figures.routes.iter().map(of).sum::<u64>();
    assert_eq!(sum(|route| route.requests_total), THREADS * REQUESTS);
    let allocated = THREADS * REQUESTS * (REQUESTS - 1) / 2;
    assert_eq!(sum(|route| route.allocated_bytes_total), allocated);
    assert_eq!(figures.heaviest.len(), 16);
    assert_eq!(figures.heaviest[0].usage.peak_bytes, MIB + REQUESTS - 1);
}
