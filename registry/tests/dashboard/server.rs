//! As little of a web server as a browser needs.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// As the page is to be served, but that a narrow frame may hold it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
     connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'self'";

pub(crate) enum Answer {
    Page(String),
    /// A page around the page, without its policy.
    Frame(String),
    Json(String),
    NotFound,
    /// The connection is closed, as by a process that died.
    Nothing,
}

type Respond = Box<dyn FnMut(&str) -> Answer + Send>;

/// Answers on a port of its own until it is dropped; then, what answered is dropped too.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    respond: Arc<Mutex<Option<Respond>>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.respond.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Server {
    /// `respond` gets each path that is asked for, one at a time.
    pub(crate) fn start(respond: impl FnMut(&str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let respond: Arc<Mutex<Option<Respond>>> = Arc::new(Mutex::new(Some(Box::new(respond))));
        let (answering, noted) = (Arc::clone(&respond), Arc::clone(&asked));
        thread::spawn(move || {
            // Browsers open connections ahead of use: each has a thread.
            for connection in listener.incoming().flatten() {
                let (respond, noted) = (Arc::clone(&answering), Arc::clone(&noted));
                thread::spawn(move || {
                    let Some(path) = read_path(&connection) else { return };
                    noted.lock().unwrap().push(path.clone());
                    let answer = respond.lock().unwrap().as_mut().map(|respond| respond(&path));
                    // A browser that has what it wanted may be gone.
                    let _ = write(connection, &answer.unwrap_or(Answer::Nothing));
                });
            }
        });
        Self { address, asked, respond }
    }

    /// The paths that were asked for, each once.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked.dedup();
        asked
    }
}

fn read_path(connection: &TcpStream) -> Option<String> {
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    lines.take_while(|line| !line.is_empty()).for_each(drop);
    Some(path)
}

fn write(mut connection: TcpStream, answer: &Answer) -> std::io::Result<()> {
    let (status, kind, body) = match answer {
        Answer::Page(page) => ("200 OK", "text/html; charset=utf-8", page.as_str()),
        Answer::Frame(page) => ("200 OK", "text/html; charset=utf-8", page.as_str()),
        Answer::Json(json) => ("200 OK", "application/json", json.as_str()),
        Answer::NotFound => ("404 Not Found", "text/plain", "not found"),
        Answer::Nothing => return Ok(()),
    };
    let policy = if matches!(answer, Answer::Frame(_)) { "" } else { POLICY };
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\
         Content-Security-Policy: {policy}\r\nX-Bursar-Format: 1\r\n\r\n{body}",
        body.len(),
    )
}
