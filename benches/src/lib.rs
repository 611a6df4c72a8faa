//! Workloads that measure a global allocator, and the program that runs them.
//!
//! A program has one global allocator, so each configuration is a bench program of its own. The
//! workloads are compiled once, here, and none is generic: what differs between two programs is
//! the allocator alone. They allocate through `Vec` and `Box` only and know no allocator.
//!
//! `cargo bench -p bursar-benches` runs them all. Compare medians of runs that alternate between
//! two configurations: on a shared machine one run after the other measures the neighbours.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput};

/// The size of the blocks of [`pairs`]: a small struct or a short string.
const PAIR_LEN: usize = 48;
/// Blocks that [`churn`] holds at a time. A power of two.
const RING_LEN: usize = 4096;
/// How far [`vector_growth`] grows.
const VECTOR_LEN: usize = 10_000;
/// Operations in one measured iteration of [`pairs`] and of [`churn`].
const BATCH: u64 = 1000;

/// Runs all workloads and files the figures under `configuration`.
pub fn run(criterion: &mut Criterion, configuration: &str) {
    let mut group = criterion.benchmark_group(configuration);
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(3));

    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("pairs of 48 B", |bencher| bencher.iter(|| pairs(BATCH)));
    let mut ring = Ring::new();
    group.bench_function("churn of 8-256 B", |bencher| bencher.iter(|| churn(&mut ring, BATCH)));
    group.throughput(Throughput::Elements(VECTOR_LEN as u64));
    group.bench_function("vector growth", |bencher| bencher.iter(vector_growth));
    group.finish();
}

/// Allocates and frees one small block, `count` times over.
pub fn pairs(count: u64) {
    for _ in 0..count {
        drop(black_box(Vec::<u8>::with_capacity(black_box(PAIR_LEN))));
    }
}

/// The blocks that [`churn`] holds, and its random numbers, which are the same in every run.
#[derive(Debug)]
pub struct Ring {
    blocks: Vec<Vec<u8>>,
    random: u64,
}

impl Ring {
    /// A full ring.
    #[must_use]
    pub fn new() -> Self {
        let mut ring = Self { blocks: Vec::new(), random: 0x9e37_79b9_7f4a_7c15 };
        ring.blocks.resize_with(RING_LEN, Vec::new);
        churn(&mut ring, RING_LEN as u64 * 4);
        ring
    }

    /// The next random number: an xorshift, so that the allocator is what is measured.
    fn next(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

impl Default for Ring {
    fn default() -> Self {
        Self::new()
    }
}

/// Replaces a random block of the ring by one of 8 to 256 bytes, `count` times over.
pub fn churn(ring: &mut Ring, count: u64) {
    for _ in 0..count {
        let random = ring.next();
        let slot = (random >> 32) as usize % RING_LEN;
        let len = 8 + random as usize % 249;
        let mut block = Vec::<u8>::with_capacity(black_box(len));
        // As any owner would: the block is written to.
        block.push(random as u8);
        ring.blocks[slot] = black_box(block);
    }
}

/// Pushes into a vector that starts empty, so that it grows by reallocation.
pub fn vector_growth() {
    let mut vector = Vec::new();
    for value in 0..black_box(VECTOR_LEN) as u64 {
        vector.push(value);
    }
    black_box(vector);
}

/// The pairs that a counted program makes: its only argument, in decimal.
///
/// # Panics
/// If there is no such argument. A counted program without a count measures nothing.
#[must_use]
pub fn count_from_arguments() -> u64 {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok());
    count.expect("the number of pairs as the only argument")
}
