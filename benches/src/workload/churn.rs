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
    Box::new(|count| {
        let both_full = Barrier::new(2);
        std::thread::scope(|scope| {
            let other = scope.spawn(|| churn_together(&both_full, count));
            let here = churn_together(&both_full, count);
            here.max(other.join().expect("the other thread churns to its end"))
        })
    })
}

fn churn_together(both_full: &Barrier, count: u64) -> Duration {
    let mut ring = Ring::new();
    both_full.wait();
    let start = Instant::now();
    ring.churn(count);
    start.elapsed()
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
