//! A steady population of small blocks, of which random ones are replaced.
//!
//! Stands for a service at work: sessions, map nodes, strings, of mixed sizes and lifetimes, with
//! some half a megabyte of blocks so that not every line is in the nearest cache.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use super::{Run, timed};
use crate::random::Random;

/// Blocks that live at a time. A power of two.
const RING_LEN: usize = 4096;
/// Operations that fill nearly every place of the ring.
const FILLING: u64 = RING_LEN as u64 * 4;

/// An operation frees one block and allocates another.
pub(crate) fn on_one_thread() -> Run {
    let mut ring = Ring::new();
    Box::new(move |count| timed(|| ring.churn(count)))
}

/// Two threads, each with a ring of its own: an operation is one on each. A counter that both
/// write to shows here.
pub(crate) fn on_two_threads() -> Run {
    Box::new(|count| on_threads(2, count))
}

/// The time in which each of so many threads, with a ring of its own, does `count` operations: from
/// the first that begins to the last that ends, since with more threads than cores some begin when
/// others have ended.
pub(crate) fn on_threads(threads: usize, count: u64) -> Duration {
    let all_full = Barrier::new(threads);
    let churn = || churn_together(&all_full, count);
    let times: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(churn)).collect();
        let here = churn();
        let others = others.into_iter().map(|other| other.join().expect("it churns to its end"));
        others.chain([here]).collect()
    });
    let begun = times.iter().map(|(begun, _)| *begun).min();
    let ended = times.iter().map(|(_, ended)| *ended).max();
    ended.zip(begun).map_or(Duration::ZERO, |(ended, begun)| ended - begun)
}

/// When it began, and when it ended.
fn churn_together(all_full: &Barrier, count: u64) -> (Instant, Instant) {
    let mut ring = Ring::new();
    all_full.wait();
    let begun = Instant::now();
    ring.churn(count);
    (begun, Instant::now())
}

struct Ring {
    blocks: Vec<Vec<u8>>,
    random: Random,
}

impl Ring {
    /// A full ring.
    fn new() -> Self {
        let mut ring = Self { blocks: Vec::new(), random: Random::new() };
        ring.blocks.resize_with(RING_LEN, Vec::new);
        ring.churn(FILLING);
        ring
    }

    /// Replaces a random block by one of 8 to 256 bytes, `count` times over.
    fn churn(&mut self, count: u64) {
        for _ in 0..count {
            let random = self.random.next();
            let place = (random >> 32) as usize % RING_LEN;
            let len = 8 + random as usize % 249;
            let mut block = Vec::<u8>::with_capacity(black_box(len));
            // As any owner would: the block is written to.
            block.push(random as u8);
            self.blocks[place] = black_box(block);
        }
    }
}
