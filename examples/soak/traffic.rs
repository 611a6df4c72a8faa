//! The load of a whole soak: each second a load of the drill's, at that second's
//! rate.

use crate::answers::Answers;
use crate::load::{Load, sequence};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// Connections that ask at the same time; they are made anew each second.
const CONNECTIONS: u16 = 8;

/// What came of the requests so far.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) served: Arc<AtomicU64>,
    pub(crate) hits: AtomicU64,
    /// As of the last whole second.
    pub(crate) failed: AtomicU64,
    /// As of the last whole second.
    pub(crate) wrong: AtomicU64,
}

/// Who asks what.
#[derive(Debug)]
pub(crate) struct Traffic {
    pub(crate) address: SocketAddr,
    pub(crate) answers: Arc<Answers>,
    pub(crate) seed: u64,
    /// Requests a second, for each second.
    pub(crate) rates: Vec<u32>,
    /// True once the server has ended.
    pub(crate) ended: watch::Receiver<bool>,
    pub(crate) counts: Arc<Counts>,
}

impl Traffic {
    /// Asks, second by second, to the end of the plan or of the server.
    pub(crate) async fn run(self) -> Result<(), String> {
        let mut seconds = interval(Duration::from_secs(1));
        seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for (second, &rate) in self.rates.iter().enumerate() {
            seconds.tick().await;
            if *self.ended.borrow() {
                break;
            }
            if rate > 0 {
                self.second(second as u64, rate).await?;
            }
        }
        Ok(())
    }

    async fn second(&self, second: u64, rate: u32) -> Result<(), String> {
        let seed = self.seed.wrapping_add(second);
        let begun = Instant::now();
        let load = Load {
            address: self.address,
            sequence: sequence(seed, rate as usize, self.answers.pictures())?.into(),
            answers: Arc::clone(&self.answers),
            begun,
            rate: Some(rate),
            until: begun + Duration::from_secs(1),
            ended: self.ended.clone(),
            next: AtomicUsize::new(0),
            served: Arc::clone(&self.counts.served),
        };
        let tally = load.run(CONNECTIONS).await?;
        self.counts.hits.fetch_add(tally.hits, Ordering::Relaxed);
        self.counts.failed.fetch_add(tally.failed, Ordering::Relaxed);
        self.counts.wrong.fetch_add(tally.wrong, Ordering::Relaxed);
        Ok(())
    }
}
