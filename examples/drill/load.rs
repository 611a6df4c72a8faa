//! The load: a fixed sequence of requests over keep-alive connections, which
//! check every answer. Each asks for the next as soon as it has its answer, or
//! when that is due, at a steady rate.

use crate::answers::{Answer, Answers};
use bytes::Bytes;
use hdrhistogram::Histogram;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Zipf};
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use thumbnail::{CACHE_HEADER, Kind};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

/// How strongly a few pictures are preferred to the rest.
const ZIPF_EXPONENT: f64 = 0.9;
/// Share of the requests that ask for a palette.
const PALETTES: f64 = 0.1;
/// An answer that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon after a broken connection the server's end is noticed, if it ended.
const NOTICE: Duration = Duration::from_secs(2);

type Failure = Box<dyn Error + Send + Sync>;

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    kind: Kind,
    id: u64,
}

/// The same sequence for the same arguments, on every machine.
pub(crate) fn sequence(seed: u64, requests: usize, pictures: u64) -> Result<Vec<Ask>, String> {
    let mut random = SmallRng::seed_from_u64(seed);
    let popularity =
        Zipf::new(pictures as f64, ZIPF_EXPONENT).map_err(|error| error.to_string())?;
    let mut ask = || Ask {
        id: popularity.sample(&mut random) as u64 - 1,
        kind: if random.random_bool(PALETTES) { Kind::Palette } else { Kind::Thumbnail },
    };
    Ok((0..requests).map(|_| ask()).collect())
}

/// What the connections share.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) address: SocketAddr,
    pub(crate) sequence: Arc<[Ask]>,
    pub(crate) answers: Arc<Answers>,
    /// When the first request is due.
    pub(crate) begun: Instant,
    /// Requests that are due each second; without it, all at once.
    pub(crate) rate: Option<u32>,
    /// Requests are begun until then.
    pub(crate) until: Instant,
    /// True once the server has ended.
    pub(crate) ended: watch::Receiver<bool>,
    pub(crate) next: AtomicUsize,
    /// Requests answered so far, for whoever watches.
    pub(crate) served: Arc<AtomicU64>,
}

/// What came of the requests.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    pub(crate) served: u64,
    pub(crate) hits: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
    pub(crate) bytes: u64,
    /// From the request's first byte to the answer's last, in microseconds; at a
    /// steady rate from when it was due, so that what waits its turn counts.
    pub(crate) latencies: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self, String> {
        Ok(Self {
            served: 0,
            hits: 0,
            wrong: 0,
            failed: 0,
            bytes: 0,
            latencies: Histogram::new(3).map_err(|error| error.to_string())?,
        })
    }

    fn add(&mut self, other: &Self) {
        self.served += other.served;
        self.hits += other.hits;
        self.wrong += other.wrong;
        self.failed += other.failed;
        self.bytes += other.bytes;
        // Both grow as needed: adding one to the other cannot fail.
        let _ = self.latencies.add(&other.latencies);
    }
}

impl Load {
    /// Asks over `connections` until the sequence, the time or the server ends.
    pub(crate) async fn run(self, connections: u16) -> Result<Tally, String> {
        let load = Arc::new(self);
        let mut running = JoinSet::new();
        for _ in 0..connections {
            let tally = Tally::new()?;
            running.spawn(Arc::clone(&load).connection(tally));
        }
        let mut total = Tally::new()?;
        while let Some(ended) = running.join_next().await {
            total.add(&ended.map_err(|error| error.to_string())?);
        }
        Ok(total)
    }

    /// One connection's requests; it connects again after a failure.
    async fn connection(self: Arc<Self>, mut tally: Tally) -> Tally {
        let mut sender = None;
        while let Some((ask, due)) = self.take() {
            if let Some(due) = due {
                sleep_until(due.into()).await;
            }
            let outcome = match timeout(PATIENCE, self.ask(&mut sender, ask, due)).await {
                Ok(outcome) => outcome,
                Err(late) => Err(late.into()),
            };
            match outcome {
                Ok(reply) => self.count(ask, &reply, &mut tally),
                Err(_) if self.server_ended().await => break,
                Err(_) => {
                    tally.failed += 1;
                    sender = None;
                }
            }
        }
        tally
    }

    /// The next of the sequence, if there is one and time for it, and when it is
    /// due.
    fn take(&self) -> Option<(Ask, Option<Instant>)> {
        if Instant::now() >= self.until || *self.ended.borrow() {
            return None;
        }
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        let due = self.rate.map(|rate| self.begun + Duration::from_secs(1) * at as u32 / rate);
        Some((*self.sequence.get(at)?, due))
    }

    async fn ask(
        &self,
        sender: &mut Option<Sender>,
        ask: Ask,
        due: Option<Instant>,
    ) -> Result<Reply, Failure> {
        let sender = match sender {
            Some(connected) => connected,
            None => sender.insert(connect(self.address).await?),
        };
        let begun = due.unwrap_or_else(Instant::now);
        let request = get(self.address, &ask.kind.path(ask.id))?;
        let response = sender.send_request(request).await?;
        Reply::read(response, begun).await
    }

    fn count(&self, ask: Ask, reply: &Reply, tally: &mut Tally) {
        tally.served += 1;
        tally.hits += u64::from(reply.hit);
        tally.bytes += reply.answer.length;
        tally.wrong +=
            u64::from(!reply.success || reply.answer != self.answers.to(ask.kind, ask.id));
        // A histogram that resizes takes every value.
        let _ = tally.latencies.record(reply.took.as_micros() as u64);
        self.served.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the server has ended, or is just about to be found so.
    async fn server_ended(&self) -> bool {
        let mut ended = self.ended.clone();
        let end = ended.wait_for(|ended| *ended);
        timeout(NOTICE, end).await.is_ok()
    }
}

type Sender = SendRequest<Empty<Bytes>>;

async fn connect(address: SocketAddr) -> Result<Sender, Failure> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its end shows as an error of the sender.
    tokio::spawn(connection);
    Ok(sender)
}

fn get(address: SocketAddr, path: &str) -> Result<Request<Empty<Bytes>>, Failure> {
    let request = Request::get(path).header(HOST, address.to_string());
    Ok(request.body(Empty::new())?)
}

/// An answer as it arrived.
#[derive(Debug)]
struct Reply {
    success: bool,
    hit: bool,
    answer: Answer,
    took: Duration,
}

impl Reply {
    async fn read(response: Response<Incoming>, begun: Instant) -> Result<Self, Failure> {
        let success = response.status().is_success();
        let hit = response.headers().get(CACHE_HEADER).is_some_and(|found| found == "hit");
        let (mut checksum, mut length) = (crc32fast::Hasher::new(), 0);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                checksum.update(data);
                length += data.len() as u64;
            }
        }
        let took = begun.elapsed();
        let answer = Answer { length, checksum: checksum.finalize() };
        Ok(Self { success, hit, answer, took })
    }
}

/// Asks for one document on a connection of its own.
pub(crate) async fn fetch(address: SocketAddr, path: &str) -> Result<Bytes, Failure> {
    let asking = async {
        let mut sender = connect(address).await?;
        let response = sender.send_request(get(address, path)?).await?;
        Ok(response.into_body().collect().await?.to_bytes())
    };
    timeout(PATIENCE, asking).await?
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// The real service, on a port of its own.
    async fn service() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let routes = thumbnail::router(thumbnail::Service::unbounded());
        tokio::spawn(axum::serve(listener, routes).into_future());
        address
    }

    /// `sequence`, as fast as it goes.
    fn load(address: SocketAddr, sequence: &Arc<[Ask]>, answers: Answers) -> Load {
        // Nobody says that the server has ended.
        let (_, told) = watch::channel(false);
        let begun = Instant::now();
        Load {
            address,
            sequence: Arc::clone(sequence),
            answers: Arc::new(answers),
            begun,
            rate: None,
            until: begun + PATIENCE,
            ended: told,
            next: AtomicUsize::new(0),
            served: Arc::default(),
        }
    }

    /// A load of 400 requests; then one answer is said to be another than it is.
    #[tokio::test]
    async fn every_answer_is_checked() {
        let address = service().await;
        let sequence: Arc<[Ask]> = sequence(1, 400, 20).expect("a sequence").into();
        let right = load(address, &sequence, Answers::compute(20));
        let right = right.run(4).await.expect("a tally");
        assert_eq!((right.served, right.wrong, right.failed), (400, 0, 0));
        assert!(right.hits > 300);

        let mut answers = Answers::compute(20);
        answers.spoil_first_thumbnail();
        let asked = sequence.iter().filter(|ask| ask.is_first_thumbnail()).count();
        let wrong = load(address, &sequence, answers).run(4).await.expect("a tally");
        assert_eq!((wrong.served, wrong.wrong), (400, asked as u64));
    }

    #[tokio::test]
    async fn at_a_steady_rate_no_request_is_begun_before_it_is_due() {
        let address = service().await;
        let sequence: Arc<[Ask]> = sequence(1, 21, 5).expect("a sequence").into();
        let load = Load { rate: Some(200), ..load(address, &sequence, Answers::compute(5)) };
        let begun = load.begun;
        let tally = load.run(4).await.expect("a tally");
        assert_eq!((tally.served, tally.wrong), (21, 0));
        // The last of 21 is due after 20 times 5 ms.
        assert!(begun.elapsed() >= Duration::from_millis(100));
    }

    impl Ask {
        fn is_first_thumbnail(&self) -> bool {
            self.id == 0 && self.kind == Kind::Thumbnail
        }
    }

    #[test]
    fn a_seed_is_a_sequence() {
        let one = sequence(1, 5_000, 100).expect("a sequence");
        assert_eq!(one, sequence(1, 5_000, 100).expect("a sequence"));
        assert_ne!(one, sequence(2, 5_000, 100).expect("a sequence"));
        assert!(one.iter().all(|ask| ask.id < 100));
        let palettes = one.iter().filter(|ask| ask.kind == Kind::Palette).count();
        assert!((400..600).contains(&palettes), "{palettes}");
        let favourite = one.iter().filter(|ask| ask.id == 0).count();
        assert!(favourite > 500, "{favourite}");
    }
}
