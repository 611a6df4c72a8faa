//! A small stand-in for Lambda: its Runtime API, and a function's process under it.
//!
//! Paths and headers are those of AWS's "Using the Lambda runtime API for custom runtimes".

use std::convert::Infallible;
use std::error::Error;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{Mutex, mpsc};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// An answer is given up after this: the function hangs, or is dead.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// What an invocation may take, as the function is told.
const INVOCATION: Duration = Duration::from_secs(30);

/// What the function posted for an invocation: its answer, or its error.
type Posted = Result<Value, Value>;

/// An execution environment: one function's process, and the API that it asks for events. Dropped,
/// the process is killed.
pub(crate) struct Environment {
    process: Child,
    events: mpsc::Sender<Value>,
    posted: Mutex<mpsc::Receiver<Posted>>,
}

impl Environment {
    /// Starts `program` as a function of so much memory.
    pub(crate) async fn start(program: &Path, memory_size_mb: u32) -> Result<Self, Failure> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (events, waiting) = mpsc::channel(1);
        let (post, posted) = mpsc::channel(1);
        tokio::spawn(serve(listener, Arc::new(Api { waiting: Mutex::new(waiting), post })));
        let process = Command::new(program)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", "reports")
            .env("AWS_LAMBDA_FUNCTION_VERSION", "1")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", memory_size_mb.to_string())
            .env("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/reports")
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "1")
            .spawn()?;
        Ok(Self { process, events, posted: Mutex::new(posted) })
    }

    /// Invokes the function with a request for `path`.
    pub(crate) async fn invoke(&self, path: &str) -> Result<Value, Failure> {
        self.events.send(json!({ "path": path })).await?;
        let mut posted = self.posted.lock().await;
        match tokio::time::timeout(ANSWER_WITHIN, posted.recv()).await? {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(error)) => Err(format!("the function failed: {error}").into()),
            None => Err("the Runtime API has ended".into()),
        }
    }

    /// Stops the process as Lambda freezes one between invocations; false where that cannot be.
    pub(crate) fn freeze(&self) -> Result<bool, Failure> {
        self.signal("STOP")
    }

    /// Has it run on.
    pub(crate) fn thaw(&self) -> Result<(), Failure> {
        self.signal("CONT").map(drop)
    }

    /// The process's identifier.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.id()
    }

    fn signal(&self, name: &str) -> Result<bool, Failure> {
        if !cfg!(unix) {
            return Ok(false);
        }
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", name, &self.process_id().to_string()]).status()?;
        status.success().then_some(true).ok_or_else(|| format!("kill -s {name}: {status}").into())
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        // Gone already, perhaps.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Api {
    waiting: Mutex<mpsc::Receiver<Value>>,
    post: mpsc::Sender<Posted>,
}

async fn serve(listener: TcpListener, api: Arc<Api>) {
    while let Ok((stream, _)) = listener.accept().await {
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            let answer = service_fn(|request| respond(&api, request));
            // A connection's end is not of interest.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await;
        });
    }
}

async fn respond(
    api: &Api,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let response = match (&head.method, path.rsplit('/').next()) {
        (&Method::GET, Some("next")) => next(api).await,
        (&Method::POST, Some(kind @ ("response" | "error"))) => {
            let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            let posted = if kind == "response" { Ok(value) } else { Err(value) };
            let taken = api.post.send(posted).await.is_ok();
            empty(if taken { StatusCode::ACCEPTED } else { StatusCode::GONE })
        }
        _ => empty(StatusCode::NOT_FOUND),
    };
    Ok(response)
}

/// Waits for an event, and hands it out.
async fn next(api: &Api) -> Response<Full<Bytes>> {
    let Some(event) = api.waiting.lock().await.recv().await else {
        return empty(StatusCode::GONE);
    };
    let deadline = SystemTime::now() + INVOCATION;
    let deadline_ms = deadline.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    Response::builder()
        .header("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
        .header("Lambda-Runtime-Deadline-Ms", deadline_ms.to_string())
        .header(
            "Lambda-Runtime-Invoked-Function-Arn",
            "arn:aws:lambda:eu-central-1:123456789012:function:reports",
        )
        .body(Full::from(event.to_string()))
        .unwrap_or_else(|_| empty(StatusCode::INTERNAL_SERVER_ERROR))
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}
