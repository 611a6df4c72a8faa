//! Clients that take their time, on a clock that stands until all wait for it.

use std::sync::atomic::AtomicUsize;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: here\r\n\r\n";
/// What the connection itself holds of either direction.
const PIPE_BYTES: usize = 256;

/// Serves one end of a connection, and hands the other out. The answer has so many bytes; they
/// are counted.
fn serve_one(answer_bytes: usize) -> (DuplexStream, tokio::task::JoinHandle<()>, Arc<AtomicUsize>) {
    serve_within(Limits::default(), answer_bytes)
}

fn serve_within(
    limits: Limits,
    answer_bytes: usize,
) -> (DuplexStream, tokio::task::JoinHandle<()>, Arc<AtomicUsize>) {
    let answers = Arc::new(AtomicUsize::new(0));
    let (client, server) = duplex(PIPE_BYTES);
    let respond = {
        let answers = Arc::clone(&answers);
        let body = Bytes::from(vec![b'x'; answer_bytes]);
        move |_: Request<Incoming>| {
            answers.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Response::new(Full::new(body.clone())))
        }
    };
    (client, tokio::spawn(serve(server, limits, respond)), answers)
}

fn within(seconds: u64, begun: Instant) -> bool {
    let (least, elapsed) = (Duration::from_secs(seconds), begun.elapsed());
    (least..least + Duration::from_millis(100)).contains(&elapsed)
}

/// Reads an answer whose body has `bytes`.
async fn read_answer(client: &mut DuplexStream, bytes: usize) {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        header.push(client.read_u8().await.unwrap());
    }
    assert!(header.starts_with(b"HTTP/1.1 200 OK\r\n"));
    client.read_exact(&mut vec![0; bytes]).await.unwrap();
}

/// All that comes until the connection is closed.
async fn read_to_end(client: &mut DuplexStream) -> String {
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_header_that_comes_byte_by_byte_is_not_waited_for_longer_than_its_timeout() {
    let begun = Instant::now();
    let (mut client, served, answers) = serve_one(1);
    let trickle = tokio::spawn(async move {
        for byte in REQUEST.iter().cycle() {
            if client.write_all(&[*byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
    });
    served.await.unwrap();
    assert!(within(5, begun), "{:?}", begun.elapsed());
    trickle.await.unwrap();
    assert_eq!(answers.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_first_header_may_take_longer_than_an_answer() {
    let limits = Limits { header_timeout: Duration::from_secs(60), ..Limits::default() };
    let (mut client, _served, _) = serve_within(limits, 1);
    let (first, rest) = REQUEST.split_at(9);
    client.write_all(first).await.unwrap();
    sleep(Duration::from_secs(55)).await;
    client.write_all(rest).await.unwrap();
    read_answer(&mut client, 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_has_its_answer_and_asks_for_nothing_is_let_go() {
    let (mut client, served, _) = serve_one(1);
    sleep(Duration::from_secs(3)).await;
    client.write_all(REQUEST).await.unwrap();
    read_answer(&mut client, 1).await;
    let begun = Instant::now();
    served.await.unwrap();
    assert!(within(5, begun), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_again_and_again_stays_connected() {
    let (mut client, served, answers) = serve_one(1);
    for _ in 0..20 {
        client.write_all(REQUEST).await.unwrap();
        read_answer(&mut client, 1).await;
        sleep(Duration::from_secs(4)).await;
    }
    assert!(!served.is_finished());
    assert_eq!(answers.load(Ordering::Relaxed), 20);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_its_answer_is_let_go() {
    let begun = Instant::now();
    let (mut client, served, answers) = serve_one(1 << 20);
    client.write_all(REQUEST).await.unwrap();
    served.await.unwrap();
    assert!(within(10, begun), "{:?}", begun.elapsed());
    assert_eq!(answers.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_its_answer_byte_by_byte_is_let_go() {
    let begun = Instant::now();
    let (mut client, served, _) = serve_one(1 << 20);
    client.write_all(REQUEST).await.unwrap();
    let reading = tokio::spawn(async move {
        while client.read_u8().await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    });
    served.await.unwrap();
    assert!(within(10, begun), "{:?}", begun.elapsed());
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_on_and_on_and_reads_nothing_is_answered_a_few_times_only() {
    let (mut client, served, answers) = serve_one(64 << 10);
    let asking = tokio::spawn(async move { while client.write_all(REQUEST).await.is_ok() {} });
    served.await.unwrap();
    asking.await.unwrap();
    let answers = answers.load(Ordering::Relaxed);
    assert!((1..=4).contains(&answers), "{answers}");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_end_is_not_waited_for() {
    let begun = Instant::now();
    let (mut client, served, _) = serve_one(1);
    let header = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 99999999999\r\n\r\n";
    client.write_all(header).await.unwrap();
    read_answer(&mut client, 1).await;
    served.await.unwrap();
    assert!(begun.elapsed() <= Duration::from_millis(10_100), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_header_that_does_not_end_is_refused_when_it_fills_the_buffer() {
    let (mut client, served, answers) = serve_one(1);
    client.write_all(b"GET / HTTP/1.1\r\nHost: here\r\nX-Filler: ").await.unwrap();
    let mut sent = 0;
    while client.write_all(&[b'x'; 64]).await.is_ok() {
        sent += 64;
        assert!(sent <= 2 * BUFFER_BYTES);
    }
    served.await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(answers.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_http_is_refused_at_once() {
    let garbage: [&[u8]; 4] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
    ];
    for garbage in garbage {
        let begun = Instant::now();
        let (mut client, served, answers) = serve_one(1);
        client.write_all(garbage).await.unwrap();
        let answer = read_to_end(&mut client).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
        served.await.unwrap();
        assert_eq!((begun.elapsed(), answers.load(Ordering::Relaxed)), (Duration::ZERO, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_long_is_the_clients_all_the_same_and_then_its_time_begins() {
    let (mut client, server) = duplex(PIPE_BYTES);
    let limits = Limits::default();
    let made_in = 10 * limits.request_timeout;
    let respond = move |_: Request<Incoming>| async move {
        sleep(made_in).await;
        Response::new(Full::new(Bytes::from_static(b"x")))
    };
    let serving = tokio::spawn(serve(server, limits, respond));
    let begun = Instant::now();
    client.write_all(REQUEST).await.unwrap();
    read_answer(&mut client, 1).await;
    assert!(within(made_in.as_secs(), begun));
    // Nothing more is asked: of all that may end it, the timeout of a header comes first.
    serving.await.unwrap();
    let most = made_in + limits.request_timeout + limits.header_timeout;
    assert!(begun.elapsed() <= most + Duration::from_secs(1));
}
