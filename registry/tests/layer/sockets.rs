//! axum over real sockets, with hyper's client.

use axum::Router;
use axum::extract::MatchedPath;
use axum::response::IntoResponse;
use axum::routing::{get as on_get, post};
use bursar::{MemoryLayer, PressureLevel, Shedding};
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

fn by_pattern(bursar: &Bursar) -> MemoryLayer {
    MemoryLayer::new(bursar)
        .route(|request| request.extensions().get::<MatchedPath>().map(MatchedPath::as_str))
}

/// Serves `app`, and connects to it.
async fn serve(app: Router) -> SendRequest<Empty<Bytes>> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, app).await });
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn ask(client: &mut SendRequest<Empty<Bytes>>, method: &str, path: &str) -> (u16, Bytes) {
    client.ready().await.unwrap();
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let answer = client.send_request(request.body(Empty::new()).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes())
}

#[test]
fn requests_are_counted_by_the_patterns_of_axums_routes() {
    let bursar = start();
    let app = Router::new()
        .route("/thumbnail/{id}", on_get(|| async { vec![7u8; 2 * MIB] }))
        .route("/upload", post(|| async { "done" }))
        .layer(by_pattern(&bursar));
    block_on(async {
        let mut client = serve(app).await;
        for path in ["/thumbnail/1", "/thumbnail/2", "/thumbnail/3?size=large"] {
            let (status, body) = ask(&mut client, "GET", path).await;
            assert_eq!((status, body.len()), (200, 2 * MIB));
        }
        assert_eq!(ask(&mut client, "POST", "/upload").await, (200, Bytes::from_static(b"done")));
        assert_eq!(ask(&mut client, "GET", "/wp-admin").await.0, 404);
        assert_eq!(ask(&mut client, "DELETE", "/upload").await.0, 405);
        assert_eq!(bursar.labels(), ["GET /thumbnail/{id}", "POST /upload", "unmatched"]);
        let route = bursar.route("GET /thumbnail/{id}");
        assert_eq!((route.requests_total, route.failed_total), (3, 0));
        assert!(route.allocated_bytes_total >= 6 * MIB as u64, "{route:?}");
        assert!((2 * MIB..3 * MIB).contains(&(route.peak_bytes as usize)), "{route:?}");
        assert_eq!(bursar.route("unmatched").requests_total, 2);
        assert_eq!(bursar.stats().requests_in_flight, 0);
    });
}

#[test]
fn a_handler_that_panics_is_counted_and_the_server_goes_on() {
    let bursar = start();
    let panics = on_get(|| async { panic!("in a handler, as it is meant to") as &'static str });
    let app = Router::new()
        .route("/panic", panics)
        .route("/fine", on_get(|| async { "fine" }))
        .layer(by_pattern(&bursar));
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, app).await });
        for (path, is_answered) in [("/panic", false), ("/fine", true)] {
            let stream = TcpStream::connect(address).await.unwrap();
            let (mut client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            let request = Request::get(path).header("host", "localhost");
            let answer = client.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await;
            assert_eq!(answer.is_ok(), is_answered, "{path}");
        }
        let (panicked, fine) = (bursar.route("GET /panic"), bursar.route("GET /fine"));
        assert_eq!((panicked.requests_total, panicked.failed_total), (1, 1));
        assert_eq!((fine.requests_total, fine.failed_total), (1, 0));
        assert_eq!(bursar.stats().requests_in_flight, 0);
    });
}

#[test]
fn an_exhausted_service_answers_health_checks_and_nothing_else() {
    let bursar = start();
    let app = Router::new()
        .route("/thumbnail/{id}", on_get(|| async { "picture" }))
        .route("/health", on_get(|| async { "well" }))
        .layer(by_pattern(&bursar).shedding(Shedding::default()));
    block_on(async {
        let mut client = serve(app).await;
        assert_eq!(ask(&mut client, "GET", "/thumbnail/1").await.0, 200);
        let held = block(260 * MIB);
        assert_eq!(bursar.checkpoint().unwrap().level, PressureLevel::Emergency);
        assert_eq!(ask(&mut client, "GET", "/thumbnail/1").await, (503, Bytes::new()));
        assert_eq!(ask(&mut client, "GET", "/health").await, (200, Bytes::from_static(b"well")));
        drop(held);
        bursar.checkpoint().unwrap();
        assert_eq!(ask(&mut client, "GET", "/thumbnail/1").await.0, 200);
        assert_eq!(bursar.route("GET /thumbnail/{id}").shed_total, 1);
    });
}

/// Switches to a protocol in which each byte comes back.
async fn echo(request: axum::extract::Request) -> impl IntoResponse {
    tokio::spawn(async {
        let mut stream = TokioIo::new(hyper::upgrade::on(request).await.unwrap());
        while let Ok(byte) = stream.read_u8().await {
            stream.write_u8(byte).await.unwrap();
        }
    });
    (StatusCode::SWITCHING_PROTOCOLS, [("connection", "upgrade"), ("upgrade", "echo")])
}

#[test]
fn a_connection_that_is_upgraded_ends_its_request_and_gives_back_what_was_held_for_it() {
    let bursar = start();
    let layer = by_pattern(&bursar).reserve(|_| Some(MIB as u64)).defer_purging(true);
    let app = Router::new().route("/echo", on_get(echo)).layer(layer);
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, app).await });
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut client, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection.with_upgrades());
        let request = Request::get("/echo").header("host", "localhost");
        let request = request.header("connection", "upgrade").header("upgrade", "echo");
        let answer = client.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 101);
        let mut stream = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        stream.write_u8(7).await.unwrap();
        assert_eq!(stream.read_u8().await.unwrap(), 7);

        let stats = bursar.stats();
        assert_eq!((stats.requests_in_flight, stats.reserved_bytes), (0, 0));
        bursar.request_reclaim(PressureLevel::Warning);
        assert!(bursar.checkpoint().unwrap().cleanup.is_some(), "nothing is put off");
        let route = bursar.route("GET /echo");
        assert_eq!((route.requests_total, route.failed_total), (1, 0));
    });
}
