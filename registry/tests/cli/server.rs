//! Services made of raw bytes, right and wrong ones.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::UnixListener;
#[cfg(unix)]
use std::path::Path;
use std::sync::Arc;
use std::thread;

use bursar::{Envelope, Failure};
use serde_json::{Value, json};

use crate::readings;

/// A stream that a service has accepted, and what it does with it when it knows the path that
/// was asked for.
pub(crate) trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

type Answer = Arc<dyn Fn(&str, &mut dyn Stream) + Send + Sync>;

/// A service on a port of its own; its URL. It runs until the test's process ends.
pub(crate) fn serve(answer: impl Fn(&str, &mut dyn Stream) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/memory", listener.local_addr().unwrap());
    let answer: Answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream: TcpStream = stream.unwrap();
            let answer = Arc::clone(&answer);
            thread::spawn(move || handle(stream, &answer));
        }
    });
    url
}

/// As [`serve`], on a unix socket.
#[cfg(unix)]
pub(crate) fn serve_on(
    path: &Path,
    answer: impl Fn(&str, &mut dyn Stream) + Send + Sync + 'static,
) {
    let listener = UnixListener::bind(path).unwrap();
    let answer: Answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            handle(stream.unwrap(), &answer);
        }
    });
}

/// Reads a request's head and has its path answered. What fails, the client has cut off.
fn handle(stream: impl Stream, answer: &Answer) {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    answer(path, reader.get_mut());
}

/// An answer with Bursar's head.
pub(crate) fn reply(stream: &mut dyn Stream, status: &str, body: &str) {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nX-Bursar-Format: 1\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

/// The envelope of data.
pub(crate) fn envelope(data: Value) -> String {
    let envelope = json!({
        "success": true,
        "message": "as it is now",
        "data": data,
        "correlation_id": null,
        "timestamp": "2026-11-22T02:00:00Z",
    });
    envelope.to_string()
}

/// What a service under the path `base` answers: what the running Bursar says.
pub(crate) fn right(base: &str) -> impl Fn(&str, &mut dyn Stream) + Send + Sync + use<> {
    let stats_path = format!("{base}/stats");
    let history_path = format!("{base}/history");
    move |path, stream| {
        let (stats, history) = readings();
        if path == stats_path {
            reply(stream, "200 OK", &envelope(serde_json::to_value(stats).unwrap()));
        } else if path == history_path {
            reply(stream, "200 OK", &envelope(serde_json::to_value(history).unwrap()));
        } else {
            let refusal = Failure::new("not_found", "no such path");
            let body = serde_json::to_string(&Envelope::<()>::error(refusal)).unwrap();
            reply(stream, "404 Not Found", &body);
        }
    }
}

/// A service that answers statistics which `change` has changed.
pub(crate) fn changed(
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> impl Fn(&str, &mut dyn Stream) + Send + Sync {
    move |path, stream| {
        let (stats, history) = readings();
        let mut data = if path.ends_with("/stats") {
            serde_json::to_value(stats).unwrap()
        } else {
            serde_json::to_value(history).unwrap()
        };
        if path.ends_with("/stats") {
            change(&mut data);
        }
        reply(stream, "200 OK", &envelope(data));
    }
}
