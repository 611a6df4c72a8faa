//! The endpoints inside other people's servers.

use std::convert::Infallible;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::turn::TURN;
use super::*;

/// Sends a request as it is, and reads until the server closes.
async fn exchange(stream: impl AsyncReadExt + AsyncWriteExt + Unpin, request: &str) -> String {
    let mut stream = stream;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
}

fn parts(answer: &str) -> (&str, &str) {
    answer.split_once("\r\n\r\n").unwrap()
}

#[tokio::test]
async fn axum_serves_them_under_any_path() {
    let _turn = TURN.lock().await;
    let bursar = start();
    let router = Router::new().nest_service("/internal/memory", Endpoints::new(&bursar));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });

    for path in ["", "/", "/health", "/health/", "/metrics", "/stats", "/history"] {
        let path = format!("/internal/memory{path}");
        let stream = TcpStream::connect(address).await.unwrap();
        let answer = exchange(stream, &request("GET", &path)).await;
        let (head, body) = parts(&answer);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{path}: {head}");
        assert!(head.contains("\r\nx-bursar-format: 1\r\n"), "{path}: {head}");
        assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", body.len())), "{path}");

        let stream = TcpStream::connect(address).await.unwrap();
        let answer = exchange(stream, &request("HEAD", &path)).await;
        let (head, body) = parts(&answer);
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && body.is_empty(), "{path}: {answer}");
    }
    let stream = TcpStream::connect(address).await.unwrap();
    let answer = exchange(stream, &request("POST", "/internal/memory/stats")).await;
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
    serving.abort();
}

#[tokio::test]
async fn hyper_serves_them() {
    let _turn = TURN.lock().await;
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let (client, server) = tokio::io::duplex(1 << 20);
    let service = service_fn(move |request| {
        let response = endpoints.respond(&request);
        async move { Ok::<_, Infallible>(response) }
    });
    let serving = http1::Builder::new().serve_connection(TokioIo::new(server), service);
    let serving = tokio::spawn(serving);
    let answer = exchange(client, &request("GET", "/stats")).await;
    let (head, body) = parts(&answer);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(serde_json::from_str::<Envelope<Stats>>(body).unwrap().into_result().is_ok());
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn they_are_a_tower_service_for_any_body() {
    let _turn = TURN.lock().await;
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    let with_text = Request::get("/health").body("a body that nobody reads").unwrap();
    assert_eq!(endpoints.clone().oneshot(with_text).await.unwrap().status(), 200);
    struct Opaque;
    let with_anything = Request::get("/health").body(Opaque).unwrap();
    assert_eq!(endpoints.oneshot(with_anything).await.unwrap().status(), 200);
}
