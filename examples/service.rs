//! A web service that lives within a memory budget.
//!
//! ```text
//! cargo run --release --example service -- --budget "200 MiB"
//! curl -s http://127.0.0.1:8080/stats
//! ```
//!
//! Three things are Bursar's here: the global allocator, the start with a
//! budget, and the registration of the caches. The routes below them show what
//! Bursar knows: figures for people, for a load balancer and for Prometheus.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use bursar::{AccountingAllocator, Bursar, Jemalloc, PressureLevel, Stats};
use bytes::Bytes;
use clap::Parser;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::handshake;
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use std::error::Error;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use thumbnail::{CACHE_HEADER, Service};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

type Failure = Box<dyn Error + Send + Sync>;

/// A thumbnail service within a memory budget.
#[derive(Debug, Parser)]
struct Options {
    /// The port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// What the service's memory may come to
    #[arg(long, default_value = "400 MiB")]
    budget: String,
    /// Serve on a free port, ask for everything once, check it and end
    #[arg(long)]
    self_test: bool,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let service = Service::unbounded();
    let bursar = Arc::new(Bursar::builder().budget(options.budget.as_str()).start()?);
    let _registrations = service.register(&bursar)?;

    let routes = thumbnail::router(service).merge(about_memory(bursar));
    let port = if options.self_test { 0 } else { options.port };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");
    let serving = axum::serve(listener, routes).into_future();
    if options.self_test {
        tokio::spawn(serving);
        return self_test(address).await;
    }
    tokio::select! {
        served = serving => Ok(served?),
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// The routes that show what Bursar knows.
fn about_memory(bursar: Arc<Bursar>) -> Router {
    Router::new()
        .route("/stats", get(stats))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .with_state(bursar)
}

/// Everything, as JSON.
async fn stats(State(bursar): State<Arc<Bursar>>) -> Json<Stats> {
    Json(bursar.stats())
}

/// For a load balancer: unavailable while memory is critical or worse.
async fn health(State(bursar): State<Arc<Bursar>>) -> impl IntoResponse {
    let level = bursar.level();
    let status = if level >= PressureLevel::Critical {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    (status, format!("memory pressure: {level}\n"))
}

/// For Prometheus, in its text format.
async fn metrics(State(bursar): State<Arc<Bursar>>) -> String {
    prometheus(&bursar.stats())
}

fn prometheus(stats: &Stats) -> String {
    let mut text = String::new();
    let mut single = |name: &str, kind: &str, help: &str, value: u64| {
        // Writing to a string cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    };
    let level = stats.level as u64;
    single("bursar_pressure_level", "gauge", "0 is normal, 3 an emergency.", level);
    single("bursar_budget_bytes", "gauge", "The soft limit.", stats.soft_limit_bytes);
    single("bursar_cleanups_total", "counter", "Cleanups done.", stats.cleanups_total);
    single("bursar_freed_bytes_total", "counter", "Given back by them.", stats.freed_bytes_total);
    text.push_str("# HELP bursar_live_bytes Bytes in use.\n# TYPE bursar_live_bytes gauge\n");
    for tag in &stats.tags {
        let (name, bytes) = (escaped(&tag.name), tag.live_bytes);
        let _ = writeln!(text, "bursar_live_bytes{{tag=\"{name}\"}} {bytes}");
    }
    text
}

/// A label's value as Prometheus wants it between quotes.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// Asks for every route over HTTP and checks what comes.
async fn self_test(address: SocketAddr) -> Result<(), Failure> {
    let made = ask(address, "/thumbnail/7").await?;
    check("it is made first", cache(&made) == "miss")?;
    check("it is a PNG", made.body().starts_with(b"\x89PNG"))?;
    let found = ask(address, "/thumbnail/7").await?;
    check("it is found then", cache(&found) == "hit")?;
    check("it is the same", found.body() == made.body())?;
    let palette: serde_json::Value = json(&ask(address, "/palette/7").await?)?;
    check("it is of picture 7", palette["id"] == 7)?;
    let stats = json(&ask(address, "/stats").await?)?;
    check("something lives", stats["live_bytes"].as_u64() > Some(0))?;
    let health = ask(address, "/health").await?;
    check("it is healthy", health.status() == StatusCode::OK)?;
    let metrics = ask(address, "/metrics").await?;
    let text = String::from_utf8_lossy(metrics.body());
    check("thumbnails are counted", text.contains("{tag=\"thumbnails\"}"))?;
    let nonsense = ask(address, "/thumbnail/seven").await?;
    check("nonsense is refused", nonsense.status() == StatusCode::BAD_REQUEST)?;
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
        println!("{}", text.trim_end());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
