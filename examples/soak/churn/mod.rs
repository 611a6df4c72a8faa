//! The churn inside the server: threads and tags that come and go, and a model
//! of what they hold, which is compared with what Bursar says.

mod block;
mod books;
mod shelf;
#[cfg(test)]
mod tests;
mod yard;

use block::spoiled_blocks;
use books::Comparison;
use bursar::{Registry, usage};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use yard::{Yard, lock};

/// Threads that send others off, round after round.
const CHURNERS: u64 = 2;
/// Threads of a round at most, and of one in [`CROWD_EVERY`].
const THREADS: usize = 6;
const CROWD: usize = 48;
const CROWD_EVERY: f64 = 300.0;
/// A thread needs little; what it does not touch is not in memory.
const STACK_BYTES: usize = 128 << 10;
/// Between two rounds at least.
const LEAST_PAUSE: Duration = Duration::from_millis(20);
/// Differences that are kept in words.
const KEPT: usize = 20;

/// What the churn is to be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// The share of a core that all of it may take.
    pub(crate) share: f64,
    /// Bytes that wait to be freed at most.
    pub(crate) max_bytes: usize,
}

/// What the churn did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Churned {
    pub(crate) threads: u64,
    pub(crate) tags: u64,
    pub(crate) tags_refused: u64,
    pub(crate) shelves: u64,
    /// What waits to be freed.
    pub(crate) pool_bytes: u64,
    /// How often all was compared.
    pub(crate) comparisons: u64,
    /// Tags in all comparisons together.
    pub(crate) tags_compared: u64,
    /// Bytes in all comparisons together.
    pub(crate) bytes_compared: u64,
    /// Figures that were another by Bursar's count.
    pub(crate) differences: u64,
    /// The first of them.
    pub(crate) in_words: Vec<String>,
    /// Blocks that were not what was written into them.
    pub(crate) spoiled: u64,
    /// Churners that ended before they were told.
    pub(crate) lost: u64,
}

/// The running churn.
#[derive(Debug)]
pub(crate) struct Churn {
    yard: Arc<Yard>,
    stop: Arc<AtomicBool>,
    churners: Mutex<Vec<JoinHandle<()>>>,
    compared: Mutex<Churned>,
}

impl Churn {
    /// Makes the churn, with nobody in it yet.
    fn idle(registry: Registry, max_bytes: usize) -> Self {
        Self {
            yard: Arc::new(Yard::new(registry, max_bytes)),
            stop: Arc::default(),
            churners: Mutex::default(),
            compared: Mutex::default(),
        }
    }

    /// Begins.
    pub(crate) fn start(registry: Registry, plan: Plan) -> Self {
        let churn = Self::idle(registry, plan.max_bytes);
        let churner = |number| {
            let (yard, stop) = (Arc::clone(&churn.yard), Arc::clone(&churn.stop));
            let random = SmallRng::seed_from_u64(plan.seed.wrapping_add(number));
            let share = plan.share / CHURNERS as f64;
            std::thread::spawn(move || rounds(&yard, &stop, random, share))
        };
        *lock(&churn.churners) = (0..CHURNERS).map(churner).collect();
        churn
    }

    /// What was done so far.
    pub(crate) fn so_far(&self) -> Churned {
        let counts = &self.yard.counts;
        let ended = lock(&self.churners).iter().filter(|churner| churner.is_finished()).count();
        let compared = lock(&self.compared).clone();
        Churned {
            threads: counts.threads.load(Ordering::Relaxed),
            tags: counts.tags.load(Ordering::Relaxed),
            tags_refused: counts.tags_refused.load(Ordering::Relaxed),
            shelves: counts.shelves.load(Ordering::Relaxed),
            pool_bytes: self.yard.pool_bytes(),
            spoiled: spoiled_blocks(),
            lost: compared.lost + ended as u64,
            ..compared
        }
    }

    /// Has all of it stand still and compares it; then it goes on.
    pub(crate) fn compare(&self) -> Churned {
        let still = self.yard.still.write().unwrap_or_else(PoisonError::into_inner);
        let comparison = self.yard.books.compare(&usage());
        drop(still);
        self.note(comparison);
        self.so_far()
    }

    /// Ends it, compares what it holds, has all of that go and compares again.
    pub(crate) fn finish(&self) -> Churned {
        self.stop.store(true, Ordering::Relaxed);
        let churners = std::mem::take(&mut *lock(&self.churners));
        let lost = churners.into_iter().filter_map(|churner| churner.join().err()).count();
        lock(&self.compared).lost += lost as u64;
        self.compare();
        self.yard.clear();
        self.compare()
    }

    fn note(&self, comparison: Comparison) {
        let mut compared = lock(&self.compared);
        compared.comparisons += 1;
        compared.tags_compared += comparison.tags;
        compared.bytes_compared += comparison.bytes;
        compared.differences += comparison.differences.len() as u64;
        let room = KEPT.saturating_sub(compared.in_words.len());
        compared.in_words.extend(comparison.differences.into_iter().take(room));
    }
}

/// Rounds until told to stop, each followed by as long a pause as keeps to the
/// share of a core.
fn rounds(yard: &Yard, stop: &AtomicBool, mut random: SmallRng, share: f64) {
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        round(yard, &mut random);
        let pause = begun.elapsed().mul_f64((1.0 / share - 1.0).max(0.0));
        std::thread::sleep(pause.max(LEAST_PAUSE));
    }
}

/// One change of tenants and shelves, and a few threads that come and go.
fn round(yard: &Yard, random: &mut SmallRng) {
    let _moving = yard.still.read().unwrap_or_else(PoisonError::into_inner);
    yard.change(random);
    let crowd = random.random_bool(1.0 / CROWD_EVERY);
    let threads = if crowd { CROWD } else { random.random_range(1..=THREADS) };
    std::thread::scope(|scope| {
        let mut spawned = Vec::with_capacity(threads);
        for _ in 0..threads {
            let seed = random.random();
            let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
            spawned.extend(builder.spawn_scoped(scope, move || yard.work(seed)));
        }
        // Their ends as well, and not only that of what they do.
        for thread in spawned {
            thread.join().expect("a thread of the churn does not panic");
        }
    });
}
