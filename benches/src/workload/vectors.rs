//! Vectors that grow by reallocation.

use std::hint::black_box;

use super::{Run, timed};

/// Values that [`push`] ends with: 8 MB of them.
const PUSHED: u64 = 1_000_000;
/// Bytes that [`reserve_exact`] grows by at a time.
const STEP: usize = 256;
/// Steps of [`reserve_exact`] in one vector: 64 KiB.
const STEPS: usize = 256;

/// An operation is one vector pushed from empty to 8 MB and dropped.
///
/// Stands for collecting a result of unknown length: few reallocations, each twice as large as the
/// one before, so that copying and fresh pages are most of the cost. An allocator that loses
/// in-place growth shows here.
pub(crate) fn push() -> Run {
    Box::new(|count| timed(|| (0..count).for_each(|_| push_one())))
}

fn push_one() {
    let mut vector = Vec::new();
    for value in 0..black_box(PUSHED) {
        vector.push(value);
    }
    drop(black_box(vector));
}

/// An operation is one step of 256 bytes; after 64 KiB a new vector begins.
///
/// Stands for buffers that are grown to just what is needed: nearly every step reallocates,
/// through all small size classes and the first large ones, on both sides of a KiB.
pub(crate) fn reserve_exact() -> Run {
    Box::new(|count| timed(|| take_steps(count)))
}

fn take_steps(count: u64) {
    let mut buffer = Vec::<u8>::new();
    for _ in 0..count {
        if buffer.len() == STEP * STEPS {
            buffer = Vec::new();
        }
        buffer.reserve_exact(black_box(STEP));
        buffer.resize(buffer.len() + STEP, 1);
        black_box(&mut buffer);
    }
}
