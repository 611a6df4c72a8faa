//! The heap profile: which code keeps bytes alive, by a sample of all allocations.
//!
//! A thread's [`Countdown`] says which block is to be sampled, and shares the slow path of its
//! fuel. The block's stack goes into the [`Table`], and in the place of its tag the block bears
//! [`SAMPLED`]; the table has the tag. A free reads the tag anyway and branches on its slot, as it
//! does for isolated tags, so blocks that are not sampled pay nothing.
//!
//! # What a sample stands for
//!
//! Samples are points of a Poisson process over all bytes allocated, so a block of `s` bytes is hit
//! with the probability `p = 1 - exp(-s / interval)`, and each block that was hit stands for `1 / p`
//! blocks and `s / p` bytes: the estimator of Horvitz and Thompson ("A generalization of sampling
//! without replacement from a finite universe", 1952), which is unbiased.
//!
//! That holds at any time of a block's life. What `realloc` adds is passed as any bytes are, so that
//! a block which grew from `s` to `t` bytes was hit with `1 - exp(-t / interval)`. What shrinks
//! keeps its sample with the probability that makes it so: that of the new size over that of the
//! old.

mod countdown;
mod read;
mod samples;
mod site;
mod stack;
mod switch;
pub(crate) mod table;

pub(crate) use countdown::Countdown;
pub use read::{SamplingStats, heap_samples, sampling_stats};
pub(crate) use samples::{Held, Hit, forget, hold, lose, retag, sample, tag_of};
pub use site::{HeapSamples, HeapSite, StackEnd};
pub use switch::{Sampling, SamplingError, start_sampling, stop_sampling};
