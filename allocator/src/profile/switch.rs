//! Sampling switched on and off.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::slice;

use super::countdown::set_interval_bytes;
use super::samples::TABLE;
use super::stack;
use super::table::{MIN_SLOTS, Table, slots_within, words_of};
use crate::installed::is_installed;
use crate::primitive::AtomicU64;

/// The largest interval: a TiB, past which no process would ever be sampled.
const MAX_INTERVAL_BYTES: u64 = 1 << 40;

/// How the heap is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// The mean number of bytes from one sample to the next; 512 KiB. The smaller, the more exact
    /// and the dearer: a sample costs some microseconds, and an estimate of `n` samples is off by
    /// its part `1 / sqrt(n)` as often as not.
    pub interval_bytes: u64,
    /// The most bytes that the samples may take; 1 MiB. A sample takes a KiB and a little, so that
    /// there is room for 1,007: live bytes of 500 MiB at the interval of 512 KiB. Samples past that
    /// are lost and counted. Whoever switches sampling on first in a process decides it.
    pub table_bytes: usize,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { interval_bytes: 512 << 10, table_bytes: 1 << 20 }
    }
}

/// Why the heap cannot be sampled. Nothing has changed when it is returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SamplingError {
    /// The interval is zero, or larger than any heap.
    #[error(
        "a sampling interval of {given_bytes} bytes makes no sense; allowed is 1 to {most} bytes",
        most = MAX_INTERVAL_BYTES
    )]
    Interval {
        /// What was given.
        given_bytes: u64,
    },

    /// The table is too small to be of use.
    #[error(
        "a table of samples of {given_bytes} bytes is too small; allowed is {min_bytes} bytes or \
         more"
    )]
    TableTooSmall {
        /// What was given.
        given_bytes: usize,
        /// The least that there can be.
        min_bytes: usize,
    },

    /// There is no memory for the table.
    #[error("there is no memory for a table of samples of {given_bytes} bytes")]
    OutOfMemory {
        /// What was given.
        given_bytes: usize,
    },

    /// No allocator of this crate's serves the program.
    #[error(
        "the heap cannot be sampled: no `#[global_allocator]` of bursar's is installed in this \
         program"
    )]
    NotInstalled,

    /// Stacks cannot be taken here.
    #[error("the heap cannot be sampled on this platform; it can on unix and 64-bit Windows")]
    Unsupported,
}

/// Switches the sampling of the heap on, or changes its interval while it is on.
///
/// From then on allocations are sampled, each thread from its next allowance of fuel on, after some
/// KiB that it allocates. A sample lives until its block is freed. Samples of an interval that was
/// in force before go on standing for what they stood for. What was allocated before is in no
/// profile; if it grows later by `realloc`, it is estimated too low.
///
/// A sample takes the stack by unwind tables, which wants no frame pointers: some microseconds each.
/// Nothing is allocated, locked or logged for it on the path of an allocation: see
/// [`Sampling::table_bytes`] for what it takes. The table is allocated here, charged to the
/// calling thread's tag, and never freed.
///
/// In a forked child it goes on, with its own copy of the samples.
///
/// # Errors
///
/// As [`SamplingError`] says.
///
/// # Examples
///
/// See [`heap_samples`](crate::heap_samples).
pub fn start_sampling(sampling: Sampling) -> Result<(), SamplingError> {
    let Sampling { interval_bytes, table_bytes } = sampling;
    if !stack::IS_SUPPORTED {
        return Err(SamplingError::Unsupported);
    }
    if !is_installed() {
        return Err(SamplingError::NotInstalled);
    }
    if !(1..=MAX_INTERVAL_BYTES).contains(&interval_bytes) {
        return Err(SamplingError::Interval { given_bytes: interval_bytes });
    }
    if TABLE.get().is_none() {
        make_table(table_bytes)?;
    }
    // What the unwinder makes at its first use, it makes here.
    stack::capture(std::ptr::null(), &mut |_| true);
    set_interval_bytes(interval_bytes);
    Ok(())
}

/// Takes no more samples, each thread from its next allowance on. Those that there are stay until
/// their blocks are freed, and are read again when sampling is switched on again.
pub fn stop_sampling() {
    set_interval_bytes(0);
}

fn make_table(bytes: usize) -> Result<(), SamplingError> {
    let slots = slots_within(bytes);
    if slots < MIN_SLOTS {
        let min_bytes = words_of(MIN_SLOTS) * size_of::<AtomicU64>();
        return Err(SamplingError::TableTooSmall { given_bytes: bytes, min_bytes });
    }
    let out_of_memory = SamplingError::OutOfMemory { given_bytes: bytes };
    let layout = Layout::array::<AtomicU64>(words_of(slots));
    let Ok(layout) = layout else { return Err(out_of_memory) };
    // SAFETY: the layout's size is not zero.
    let start = unsafe { alloc_zeroed(layout) };
    if start.is_null() {
        return Err(out_of_memory);
    }
    // SAFETY: so many words were allocated, aligned as they are to be; zero bytes are valid
    // atomics; and they are freed only where nobody has heard of them.
    let words = unsafe { slice::from_raw_parts(start.cast::<AtomicU64>(), words_of(slots)) };
    let table = Box::into_raw(Box::new(Table::over(words, slots)));
    // SAFETY: nothing but what follows ever frees it.
    if !TABLE.set_first(unsafe { &*table }) {
        // Another thread was first.
        // SAFETY: it came from a box, and nobody has heard of it.
        drop(unsafe { Box::from_raw(table) });
        // SAFETY: it was allocated by this layout, and what referred to it is gone.
        unsafe { dealloc(start, layout) };
    }
    Ok(())
}
