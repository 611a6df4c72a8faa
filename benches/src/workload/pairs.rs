//! The shortest life of a block: what an allocation and its free cost when nothing else does.
//!
//! Stands for temporaries: a formatted string, a boxed future, a small argument list. The block
//! is the one just freed, so that every line is in the cache and the allocator's fast path is all
//! there is. A ratio here is the worst a program can see.

use std::hint::black_box;

use super::{Run, timed};

/// A small struct or a short string.
const LEN: usize = 48;

/// An operation is an allocation and its free.
pub(crate) fn set_up() -> Run {
    Box::new(|count| timed(|| pairs(count)))
}

fn pairs(count: u64) {
    for _ in 0..count {
        drop(black_box(Vec::<u8>::with_capacity(black_box(LEN))));
    }
}
