//! The server over real sockets. One Bursar runs in a process at a time, so the tests take turns.
#![cfg(feature = "serve")]

#[path = "../turn/mod.rs"]
mod turn;
#[cfg(unix)]
mod unix;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bursar::{
    AccountingAllocator, Bursar, Endpoints, Envelope, Error, Health, Stats, StatsServer, System,
};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use turn::{TURN, take_turn};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

fn start() -> Bursar {
    Bursar::builder().budget("64MiB").start().unwrap()
}

fn request(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

/// Sends bytes as they are and reads until the server closes; for ever, if it does not.
fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> String {
    // One that closes early may do so before all is sent, or with what it has not read.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut part) {
        answer.extend_from_slice(&part[..read]);
    }
    String::from_utf8(answer).unwrap()
}

fn tcp(server: &StatsServer) -> TcpStream {
    TcpStream::connect(server.local_addr().unwrap()).unwrap()
}

fn is_answered(stream: impl Read + Write) -> bool {
    exchange(stream, request("/health").as_bytes()).starts_with("HTTP/1.1 200 OK\r\n")
}

fn reason(error: Error) -> String {
    let Error::ServerNotStarted { reason, .. } = error else { panic!("{error}") };
    reason
}

#[test]
fn what_is_served_on_a_port_is_read_back() {
    let _turn = take_turn();
    let bursar = start();
    let server = StatsServer::tcp("127.0.0.1:0").start(Endpoints::new(&bursar)).unwrap();
    assert_eq!(server.path(), None);
    let answer = exchange(tcp(&server), request("/stats").as_bytes());
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\nx-bursar-format: 1\r\n"), "{head}");
    let stats = serde_json::from_str::<Envelope<Stats>>(body).unwrap().into_result().unwrap();
    assert_eq!(stats.soft_limit_bytes, 64 << 20);
    assert_eq!(serde_json::to_value(&stats).unwrap()["version"], env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_real_client_asks_on_one_connection_again_and_again() {
    let _turn = TURN.lock().await;
    let bursar = start();
    let server = StatsServer::tcp("localhost:0").start(Endpoints::new(&bursar)).unwrap();
    let stream = tokio::net::TcpStream::connect(server.local_addr().unwrap()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    for path in ["/health", "/metrics", "/stats", "/history", "/", "/elsewhere"] {
        let request =
            http::Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new());
        let response = sender.send_request(request.unwrap()).await.unwrap();
        assert_eq!(response.status(), if path == "/elsewhere" { 404 } else { 200 }, "{path}");
        let head =
            http::Request::head(path).header("host", "localhost").body(Empty::<Bytes>::new());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(!body.is_empty(), "{path}");
        let response = sender.send_request(head.unwrap()).await.unwrap();
        assert!(response.into_body().collect().await.unwrap().to_bytes().is_empty(), "{path}");
    }
    drop(sender);
    connection.await.unwrap().unwrap();
}

#[test]
fn a_stop_frees_the_port_and_closes_connections() {
    let _turn = take_turn();
    let bursar = start();
    let server = StatsServer::tcp("127.0.0.1:0").start(Endpoints::new(&bursar)).unwrap();
    let address = server.local_addr().unwrap();
    assert!(is_answered(tcp(&server)));
    let mut idle = tcp(&server);
    idle.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    idle.read_exact(&mut [0; 15]).unwrap();
    server.stop();
    server.stop();
    exchange(idle, b"");
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);

    let again = StatsServer::tcp(address.to_string()).start(Endpoints::new(&bursar)).unwrap();
    assert!(is_answered(tcp(&again)));
    drop(server);
    assert!(is_answered(tcp(&again)), "the first one has no more to stop");
    drop(again);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn it_answers_also_once_bursar_is_stopped() {
    let _turn = take_turn();
    let bursar = start();
    let server = StatsServer::tcp("127.0.0.1:0").start(Endpoints::new(&bursar)).unwrap();
    drop(bursar);
    assert!(is_answered(tcp(&server)));
}

#[test]
fn two_servers_serve_side_by_side_and_a_port_in_use_is_an_error_that_names_it() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let first = StatsServer::tcp("127.0.0.1:0").start(endpoints.clone()).unwrap();
    let second = StatsServer::tcp("127.0.0.1:0").start(endpoints.clone()).unwrap();
    assert!(is_answered(tcp(&first)) && is_answered(tcp(&second)));

    let taken = first.local_addr().unwrap().to_string();
    let error = StatsServer::tcp(&*taken).start(endpoints).unwrap_err();
    assert!(error.to_string().contains(&taken), "{error}");
    assert_eq!(error.code(), "server_not_started");
}

#[test]
fn an_address_that_other_machines_reach_is_refused_unless_it_is_allowed() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    for address in ["0.0.0.0:0", "[::]:0"] {
        let refused = reason(StatsServer::tcp(address).start(endpoints.clone()).unwrap_err());
        assert!(refused.contains("allow_remote(true)"), "{refused}");
    }
    let everywhere = StatsServer::tcp("0.0.0.0:0").allow_remote(true).start(endpoints).unwrap();
    let port = everywhere.local_addr().unwrap().port();
    assert!(is_answered(TcpStream::connect(("127.0.0.1", port)).unwrap()));
}

#[test]
fn settings_out_of_range_and_what_is_no_address_are_refused_by_name() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let server = || StatsServer::tcp("127.0.0.1:0");
    let refused = [
        (server().max_connections(0), "max_connections 0"),
        (server().max_connections(1025), "max_connections 1025"),
        (server().header_timeout(Duration::ZERO), "header_timeout 0ns"),
        (server().header_timeout(Duration::MAX), "header_timeout"),
        (server().request_timeout(Duration::MAX), "request_timeout"),
        (StatsServer::tcp("9464"), "9464: "),
        (StatsServer::tcp("127.0.0.1"), "127.0.0.1: "),
        (StatsServer::tcp(""), "wanted is an address and a port"),
    ];
    for (server, part) in refused {
        let text = server.start(endpoints.clone()).unwrap_err().to_string();
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_client_that_never_ends_its_header_is_let_go_and_others_are_answered_meanwhile() {
    let _turn = take_turn();
    let bursar = start();
    let patient = StatsServer::tcp("127.0.0.1:0").start(Endpoints::new(&bursar)).unwrap();
    let mut slow = tcp(&patient);
    slow.write_all(b"GET /health HTTP/1.1\r\nHost").unwrap();
    assert!(is_answered(tcp(&patient)));
    slow.write_all(b": localhost\r\nConnection: close\r\n\r\n").unwrap();
    assert!(exchange(slow, b"").starts_with("HTTP/1.1 200 OK\r\n"));

    let hasty = StatsServer::tcp("127.0.0.1:0").header_timeout(Duration::from_millis(1));
    let hasty = hasty.start(Endpoints::new(&bursar)).unwrap();
    assert_eq!(exchange(tcp(&hasty), b"GET /health HTTP/1.1\r\nHost"), "");
}

/// Asks once more on a connection that may stay open; what the answer's header is.
fn ask_again(stream: &mut TcpStream) -> String {
    stream.write_all(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

#[test]
fn a_client_past_the_bound_waits_until_another_has_gone() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let server = StatsServer::tcp("127.0.0.1:0").max_connections(1);
    let server = server.start(endpoints.clone()).unwrap();
    let mut first = tcp(&server);
    first.write_all(b"GET /health HTTP/1.1\r\n").unwrap();
    let mut second = tcp(&server);
    second.write_all(request("/health").as_bytes()).unwrap();
    // A server that had room for both would answer meanwhile.
    let other = StatsServer::tcp("127.0.0.1:0").start(endpoints).unwrap();
    (0..100).for_each(|_| assert!(is_answered(tcp(&other))));
    second.set_nonblocking(true).unwrap();
    assert_eq!(second.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);

    second.set_nonblocking(false).unwrap();
    drop(first);
    assert!(exchange(second, b"").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn no_client_keeps_others_waiting_by_asking_again_and_again() {
    let _turn = take_turn();
    let bursar = start();
    let server = StatsServer::tcp("127.0.0.1:0").max_connections(2);
    let server = server.start(Endpoints::new(&bursar)).unwrap();
    let mut first = tcp(&server);
    for _ in 0..3 {
        assert!(!ask_again(&mut first).contains("\r\nconnection: close\r\n"), "there is room");
    }
    let mut greedy = [first, tcp(&server)];
    let mut waiting = tcp(&server);
    waiting.write_all(request("/health").as_bytes()).unwrap();
    // For ever, if they may.
    while !greedy.iter_mut().any(|client| ask_again(client).contains("\r\nconnection: close\r\n")) {
    }
    assert!(exchange(waiting, b"").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn a_page_whose_name_was_made_to_lead_here_reads_nothing() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let server = StatsServer::tcp("localhost:0").start(endpoints.clone()).unwrap();
    let port = server.local_addr().unwrap().port();
    let ask = |server: &StatsServer, host: &str| {
        let request = format!("GET /stats HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        exchange(tcp(server), request.as_bytes())
    };
    for host in [format!("localhost:{port}"), format!("127.0.0.1:{port}"), "localhost:1".into()] {
        assert!(ask(&server, &host).starts_with("HTTP/1.1 200 OK\r\n"), "{host}");
    }
    for host in [format!("evil.example:{port}"), "evil.example".into(), "10.0.0.1".into()] {
        let answer = ask(&server, &host);
        assert!(answer.starts_with("HTTP/1.1 421 "), "{host}: {answer}");
        assert!(answer.contains("\"error_code\":\"host_not_allowed\""), "{answer}");
        assert!(!answer.contains("live_bytes"), "{answer}");
    }
    let open = StatsServer::tcp("127.0.0.1:0").allow_remote(true).start(endpoints).unwrap();
    assert!(ask(&open, "shop-1.internal").starts_with("HTTP/1.1 200 OK\r\n"));
}

#[test]
fn clients_that_say_nothing_give_their_places_to_those_who_wait() {
    let _turn = take_turn();
    let bursar = start();
    let server = StatsServer::tcp("127.0.0.1:0")
        .max_connections(2)
        .header_timeout(Duration::from_millis(50))
        .start(Endpoints::new(&bursar))
        .unwrap();
    let silent: Vec<_> = (0..6).map(|_| tcp(&server)).collect();
    assert!(is_answered(tcp(&server)));
    for stream in silent {
        assert_eq!(exchange(stream, b""), "");
    }
}

#[test]
fn garbage_is_refused_and_the_next_client_is_answered() {
    let _turn = take_turn();
    let bursar = start();
    let server = StatsServer::tcp("127.0.0.1:0").start(Endpoints::new(&bursar)).unwrap();
    let long_header =
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Filler: {}\r\n\r\n", "x".repeat(64 << 10));
    let many_fields = format!("GET / HTTP/1.1\r\n{}\r\n", "X-Filler: x\r\n".repeat(500));
    let long_path = request(&format!("/{}", "x".repeat(64 << 10)));
    let garbage: [&[u8]; 7] = [
        b"\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        long_header.as_bytes(),
        many_fields.as_bytes(),
        long_path.as_bytes(),
    ];
    for garbage in garbage {
        let answer = exchange(tcp(&server), garbage);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(is_answered(tcp(&server)));
    }
}

#[test]
fn what_the_server_allocates_is_charged_to_the_tag_bursar() {
    let _turn = take_turn();
    let bursar = start();
    let server = StatsServer::tcp("127.0.0.1:0").start(Endpoints::new(&bursar)).unwrap();
    let own = || {
        let stats = bursar.stats();
        stats.tags.iter().find(|tag| tag.name == "bursar").unwrap().allocated_bytes_total
    };
    let before = own();
    let answer = exchange(tcp(&server), request("/stats").as_bytes());
    assert!(own() - before > answer.len() as u64);
}

#[test]
fn health_is_served_as_it_is_said() {
    let _turn = take_turn();
    let bursar = start();
    let server = StatsServer::tcp("127.0.0.1:0").start(Endpoints::new(&bursar)).unwrap();
    let answer = exchange(tcp(&server), request("/health").as_bytes());
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let health: Health = serde_json::from_str(body).unwrap();
    assert!(health.is_healthy, "{health:?}");
}
