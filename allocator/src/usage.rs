//! What is read: [`Usage`] and [`TagUsage`].
//!
//! Reading sums counters that threads go on writing. A figure misses at most what happened while
//! it was summed, some microseconds; at rest it is exact.

use std::borrow::Cow;
use std::hint::black_box;

use crate::block;
use crate::primitive::{AtomicU64, Ordering};
use crate::shard::TagSums;
use crate::tag::{self, TAG_NUMBERS, Tag};
use crate::thread::{self, LEDGER};

/// What one tag holds, in the bytes that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TagUsage {
    /// The tag's name; `untagged` for what was allocated with no tag entered, `overflow` for the
    /// tags that came after all numbers were given out.
    pub name: Cow<'static, str>,
    /// Bytes allocated and not yet freed.
    pub live_bytes: u64,
    /// Blocks allocated and not yet freed.
    pub live_blocks: u64,
    /// The highest `live_bytes` that any reading saw. A peak between two readings is missed; a
    /// running monitor reads whenever the budget's headroom is used up.
    pub peak_bytes: u64,
    /// Bytes allocated since the process began, growth by `realloc` included.
    pub allocated_bytes_total: u64,
}

/// What the whole process holds by the allocator's books.
///
/// Leaves out what does not come from the global allocator: stacks, mapped files, C libraries
/// with allocators of their own, the backend's rounding and its free pages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Usage {
    /// Bytes allocated and not yet freed, over all tags.
    pub live_bytes: u64,
    /// Blocks allocated and not yet freed, over all tags.
    pub live_blocks: u64,
    /// The highest `live_bytes` that any reading saw.
    pub peak_bytes: u64,
    /// Bytes allocated since the process began.
    pub allocated_bytes_total: u64,
    /// Each tag in use, `untagged` first.
    pub tags: Vec<TagUsage>,
    /// Threads that have counters of their own now.
    pub thread_slots_in_use: usize,
    /// How often a thread found no counters of its own free and had to share.
    pub thread_slots_refused_total: u64,
    /// Blocks of a KiB and more that were counted as untagged, since the map of their part of
    /// address space could not be had (as under a tight `ulimit -v`).
    pub unattributed_blocks_total: u64,
    /// Tags counted under `overflow` since no number was left for them.
    pub overflowed_tags: usize,
}

/// What the calling thread has allocated and freed under one tag: of two readings on one thread,
/// the differences are what the code between them did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadUsage {
    /// Bytes allocated by this thread, growth by `realloc` included.
    pub allocated_bytes: u64,
    /// Bytes freed by this thread, whatever thread allocated them.
    pub freed_bytes: u64,
}

/// The highest figures read so far: one a tag, and the total behind them.
static PEAKS: [AtomicU64; TAG_NUMBERS + 1] = [const { AtomicU64::new(0) }; TAG_NUMBERS + 1];

fn raise_peak(index: usize, live_bytes: u64) -> u64 {
    PEAKS[index].fetch_max(live_bytes, Ordering::Relaxed).max(live_bytes)
}

fn usage_of(number: u8, sums: &TagSums) -> TagUsage {
    let live_bytes = sums.live_bytes();
    TagUsage {
        name: Cow::Borrowed(tag::name_of(number).unwrap_or("unknown")),
        live_bytes,
        live_blocks: sums.live_blocks(),
        peak_bytes: raise_peak(usize::from(number), live_bytes),
        allocated_bytes_total: sums.allocated_bytes,
    }
}

/// Reads every tag: some nanoseconds for each pair of a tag and a thread, and one allocation.
///
/// # Examples
///
/// ```
/// let usage = bursar_alloc::usage();
/// assert_eq!(usage.tags[0].name, "untagged");
/// ```
#[must_use]
pub fn usage() -> Usage {
    let mut total = TagSums::default();
    let mut tags: Vec<TagUsage> = Vec::with_capacity(tag::numbers_in_use().count());
    for number in tag::numbers_in_use() {
        let sums = LEDGER.sum(number);
        total.add(&sums);
        if number != tag::OVERFLOW || sums != TagSums::default() {
            tags.push(usage_of(number, &sums));
        }
    }
    let live_bytes = total.live_bytes();
    Usage {
        live_bytes,
        live_blocks: total.live_blocks(),
        peak_bytes: raise_peak(TAG_NUMBERS, live_bytes),
        allocated_bytes_total: total.allocated_bytes,
        tags,
        thread_slots_in_use: LEDGER.slots_in_use(),
        thread_slots_refused_total: LEDGER.refused_claims(),
        unattributed_blocks_total: block::unattributed_blocks(),
        overflowed_tags: tag::overflowed_tags(),
    }
}

/// Reads one tag, without allocating.
///
/// # Examples
///
/// ```
/// use bursar_alloc::Tag;
///
/// static DRAFTS: Tag = Tag::new("drafts");
///
/// assert_eq!(bursar_alloc::tag_usage(&DRAFTS).live_bytes, 0);
/// ```
#[must_use]
pub fn tag_usage(tag: &'static Tag) -> TagUsage {
    let number = tag.number();
    usage_of(number, &LEDGER.sum(number))
}

/// Live bytes over all tags, without allocating; raises the peaks as [`usage`] does.
#[must_use]
pub fn live_bytes() -> u64 {
    let mut total = TagSums::default();
    for number in tag::numbers_in_use() {
        let sums = LEDGER.sum(number);
        raise_peak(usize::from(number), sums.live_bytes());
        total.add(&sums);
    }
    raise_peak(TAG_NUMBERS, total.live_bytes());
    total.live_bytes()
}

/// What the calling thread has counted under `tag`: a few loads of the thread's own memory.
///
/// `None` while the thread has no counters of its own: more threads than slots, or at thread
/// exit.
///
/// # Examples
///
/// ```
/// use bursar_alloc::Tag;
///
/// static PARSING: Tag = Tag::new("parsing");
///
/// let before = bursar_alloc::thread_usage(&PARSING);
/// let tree = PARSING.scope(|| "1 2 3".split(' ').collect::<Vec<_>>());
/// let after = bursar_alloc::thread_usage(&PARSING);
/// if let (Some(before), Some(after)) = (before, after) {
///     println!("parsing took {} bytes", after.allocated_bytes - before.allocated_bytes);
/// }
/// # drop(tree);
/// ```
#[must_use]
pub fn thread_usage(tag: &'static Tag) -> Option<ThreadUsage> {
    thread::thread_sums(tag.number()).map(ThreadUsage::from_sums)
}

/// As [`thread_usage`], over all tags.
#[must_use]
pub fn thread_usage_total() -> Option<ThreadUsage> {
    thread::thread_total(tag::numbers_in_use()).map(ThreadUsage::from_sums)
}

impl ThreadUsage {
    fn from_sums(sums: TagSums) -> Self {
        Self { allocated_bytes: sums.allocated_bytes, freed_bytes: sums.freed_bytes }
    }
}

/// Whether this program's global allocator is an
/// [`AccountingAllocator`](crate::AccountingAllocator) of this very copy of the crate: allocates
/// a block and looks whether it was counted.
#[must_use]
pub fn is_installed() -> bool {
    static PROBE: Tag = Tag::new("bursar");
    let count = || LEDGER.sum(PROBE.number()).allocated_blocks;
    let before = count();
    PROBE.scope(|| drop(black_box(Box::new(0u64))));
    count() != before
}
