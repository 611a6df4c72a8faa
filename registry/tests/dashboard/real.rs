//! The page as the library itself serves it: on a port of its own, and inside somebody's router.
//! Here nothing looks at it from inside: what the browser has made of it says enough.

use axum::Router;
use bursar::{Endpoints, RequestLog, StatsServer};
use tokio::net::TcpListener;

use super::browser::{Browser, Loaded};
use super::service::{HOSTILE_ROUTE, Service};
use super::thread;
use super::turn::{TURN, take_turn};

/// How long the page's clock runs: it asks every second.
const SECONDS: u32 = 4;

/// A service that has been cleaned up, and has answered requests.
fn lively() -> (Service, RequestLog) {
    let mut service = Service::start();
    let log = RequestLog::new(service.bursar());
    service.until_cleaned_up(2);
    for route in ["GET /thumbnail/{id}", "POST /report", HOSTILE_ROUTE] {
        answer(&log, route, &mut service);
    }
    log.record_shed("POST /report");
    (service, log)
}

fn answer(log: &RequestLog, route: &str, service: &mut Service) {
    let request = log.begin(route);
    let inside = request.scope().enter();
    service.step();
    drop(inside);
    request.finish(200);
}

/// The page has read what it asks for, and no policy has stood in its way.
fn assert_lives(loaded: &Loaded) {
    assert_eq!(loaded.console, Vec::<String>::new());
    let dom = &loaded.dom;
    assert!(dom.contains("data-state=\"live\""), "{dom}");
    for shown in ["of the budget of 64.0 MiB", "<td class=\"text\">thumbnails</td>", "<canvas"] {
        assert!(dom.contains(shown), "{shown} in {dom}");
    }
    for route in ["GET /thumbnail/{id}", "POST /report", "GET /&lt;img src=x onerror="] {
        assert!(dom.contains(&format!("<td class=\"text\">{route}")), "{route} in {dom}");
    }
}

#[test]
fn it_lives_on_a_port_of_its_own() {
    let _turn = take_turn();
    let Some(browser) = Browser::find() else { return };
    let (service, _log) = lively();
    let endpoints = Endpoints::new(service.bursar()).dashboard(true);
    let server = StatsServer::tcp("localhost:0").start(endpoints).unwrap();
    let address = server.local_addr().unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("http://{host}:{}/", address.port());
        assert_lives(&browser.load(&url, SECONDS));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_lives_inside_a_router_with_and_without_a_slash() {
    let _turn = TURN.lock().await;
    let Some(browser) = Browser::find() else { return };
    let (service, _log) = lively();
    let endpoints = Endpoints::new(service.bursar()).dashboard(true);
    let router = Router::new().nest_service("/memory", endpoints);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    for path in ["memory", "memory/", "memory?from=a-link#tables"] {
        let url = format!("http://{address}/{path}");
        let loaded = tokio::task::block_in_place(|| browser.load(&url, SECONDS));
        assert_lives(&loaded);
    }
    serving.abort();
}

#[test]
#[ignore = "serves until it is stopped, for people to look at"]
fn a_lively_service_is_served() {
    let (mut service, log) = lively();
    let endpoints = Endpoints::new(service.bursar()).dashboard(true);
    let server = StatsServer::tcp("127.0.0.1:0").start(endpoints).unwrap();
    println!("http://{}/", server.local_addr().unwrap());
    loop {
        answer(&log, "GET /thumbnail/{id}", &mut service);
        thread::sleep(std::time::Duration::from_millis(60));
    }
}
