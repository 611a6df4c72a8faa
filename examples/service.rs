//! A web service that lives within a memory budget.
//!
//! ```text
//! cargo run --release --example service -- --budget "200 MiB"
//! curl -s http://127.0.0.1:8080/thumbnail/7 > seven.png
//! bursar --url http://127.0.0.1:9464 status
//! bursar --url http://127.0.0.1:9464 profile
//! ```
//!
//! Four things are Bursar's here: the global allocator, the start with a budget, the registration
//! of the caches, and the layer that measures requests and sheds load when memory is exhausted.
//! What Bursar knows is served on a listener of its own: <http://127.0.0.1:9464> is a live page,
//! and below it are `/health`, `/metrics`, `/stats`, `/history` and `/profile`: which code keeps
//! whose bytes alive.

use axum::Router;
use axum::extract::MatchedPath;
use axum::http::StatusCode;
use bursar::{
    AccountingAllocator, Bursar, Endpoints, Jemalloc, MemoryLayer, PressureLevel, Shedding,
    StatsServer,
};
use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::net::SocketAddr;
use thumbnail::{CACHE_HEADER, Service};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

type Failure = Box<dyn Error + Send + Sync>;

/// Between two allocations whose stacks are kept for the heap profile, on average.
const SAMPLING_INTERVAL_BYTES: u64 = 512 << 10;

/// Characters of an answer that the self-test prints.
const SHOWN: usize = 400;

/// A thumbnail service within a memory budget.
#[derive(Debug, Parser)]
struct Options {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The port on 127.0.0.1 for operators; 0 takes a free one
    #[arg(long, default_value_t = 9464)]
    stats_port: u16,
    /// What the service's memory may come to
    #[arg(long, default_value = "400 MiB")]
    budget: String,
    /// Serve on free ports, ask for everything once, check it and end
    #[arg(long)]
    self_test: bool,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let [port, stats_port] = match options.self_test {
        true => [0, 0],
        false => [options.port, options.stats_port],
    };
    let service = Service::unbounded();
    let builder = Bursar::builder().budget(options.budget.as_str());
    let bursar = builder.sampling_interval(SAMPLING_INTERVAL_BYTES).start()?;
    let _registrations = service.register(&bursar)?;

    let endpoints = Endpoints::new(&bursar)
        .unhealthy_from(PressureLevel::Critical)
        .dashboard(true)
        .profile(true);
    let stats = StatsServer::tcp(format!("127.0.0.1:{stats_port}")).start(endpoints)?;
    let stats_address = stats.local_addr().ok_or("the statistics have no address")?;
    println!("statistics on http://{stats_address}");

    let routes: Router = thumbnail::router(service).layer(layer(&bursar));
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    let serving = axum::serve(listener, routes).into_future();
    if options.self_test {
        tokio::spawn(serving);
        return self_test(address, stats_address).await;
    }
    tokio::select! {
        served = serving => Ok(served?),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// What each request takes, by the patterns of the routes; 503 to a growing part of them from the
/// critical level on.
fn layer(bursar: &Bursar) -> MemoryLayer {
    MemoryLayer::new(bursar)
        .route(|request| request.extensions().get::<MatchedPath>().map(MatchedPath::as_str))
        .shedding(Shedding::default())
}

/// Asks for every route over HTTP and checks what comes.
async fn self_test(address: SocketAddr, stats: SocketAddr) -> Result<(), Failure> {
    let made = ask(address, "/thumbnail/7").await?;
    check("it is made first", cache(&made) == "miss")?;
    check("it is a PNG", made.body().starts_with(b"\x89PNG"))?;
    let found = ask(address, "/thumbnail/7").await?;
    check("it is found then", cache(&found) == "hit")?;
    check("it is the same", found.body() == made.body())?;
    let palette = json(&ask(address, "/palette/7").await?)?;
    check("it is of picture 7", palette["id"] == 7)?;
    let nonsense = ask(address, "/thumbnail/seven").await?;
    check("nonsense is refused", nonsense.status() == StatusCode::BAD_REQUEST)?;

    let figures = json(&ask(stats, "/stats").await?)?;
    check("something lives", figures["data"]["live_bytes"].as_u64() > Some(0))?;
    let routes = figures["data"]["routes"].as_array().ok_or("there are no routes")?;
    let thumbnails = routes.iter().find(|route| route["route"] == "GET /thumbnail/{id}");
    let requests = thumbnails.and_then(|route| route["requests_total"].as_u64());
    // The third one may not be at its end yet.
    check("its requests are counted by route", requests >= Some(2))?;
    let health = ask(stats, "/health").await?;
    check("it is healthy", health.status() == StatusCode::OK)?;
    let metrics = ask(stats, "/metrics").await?;
    let text = String::from_utf8_lossy(metrics.body());
    check("thumbnails are counted", text.contains("{tag=\"thumbnails\"}"))?;
    let profile = ask(stats, "/profile?symbols=none").await?;
    check("there is a heap profile", profile.body().starts_with(b"\x1f\x8b"))?;
    let page = ask(stats, "/").await?;
    check("there is a page", page.body().starts_with(b"<!"))?;
    println!("self-test passed");
    Ok(())
}

/// Gets `path` and prints what came.
async fn ask(address: SocketAddr, path: &str) -> Result<Response<Bytes>, Failure> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its end shows as an error of the sender.
    tokio::spawn(connection);
    let request = Request::get(path).header(HOST, address.to_string());
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    let (head, body) = response.into_parts();
    let body = body.collect().await?.to_bytes();
    println!("\nGET {path}: {}, {} bytes", head.status, body.len());
    if let Ok(text) = std::str::from_utf8(&body) {
        let shown: String = text.chars().take(SHOWN).collect();
        println!("{}{}", shown.trim_end(), if shown.len() < text.len() { " ..." } else { "" });
    }
    Ok(Response::from_parts(head, body))
}

fn cache(response: &Response<Bytes>) -> &str {
    let header = response.headers().get(CACHE_HEADER);
    header.and_then(|value| value.to_str().ok()).unwrap_or("")
}

fn json(response: &Response<Bytes>) -> Result<serde_json::Value, Failure> {
    Ok(serde_json::from_slice(response.body())?)
}

fn check(what: &str, holds: bool) -> Result<(), Failure> {
    if holds {
        println!("  ok: {what}");
        return Ok(());
    }
    Err(format!("not so: {what}").into())
}
