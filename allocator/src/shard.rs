//! One counter table a thread: claimed without a lock, written by its owner alone, released at
//! thread exit and never folded into another.

use crate::primitive::{AtomicU8, AtomicU64, Ordering};

/// What one thread allocated and freed under one tag, in requested bytes and in blocks.
///
/// All four only grow. Live figures are the differences of sums over all shards: a block may be
/// charged in one shard and uncharged in another, so one shard's difference may well be negative
/// and means nothing by itself.
///
/// A freed block is counted last and by a release, which pairs with the acquire in `read`: who
/// sees the free sees from then on all that was counted of the block, in whatever shard. So once
/// a tag's blocks have summed to zero, the next sum of its bytes is zero as well.
#[derive(Debug)]
pub(crate) struct TagCounters {
    allocated_bytes: AtomicU64,
    freed_bytes: AtomicU64,
    allocated_blocks: AtomicU64,
    freed_blocks: AtomicU64,
}

/// The four figures of [`TagCounters`], read or summed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TagSums {
    pub(crate) allocated_bytes: u64,
    pub(crate) freed_bytes: u64,
    pub(crate) allocated_blocks: u64,
    pub(crate) freed_blocks: u64,
}

impl TagSums {
    /// Bytes not yet freed. A sum taken while threads allocate can see a free whose allocation
    /// it missed: that is clamped at zero.
    pub(crate) fn live_bytes(&self) -> u64 {
        clamped_difference(self.allocated_bytes, self.freed_bytes)
    }

    /// Blocks not yet freed, clamped as [`TagSums::live_bytes`].
    pub(crate) fn live_blocks(&self) -> u64 {
        clamped_difference(self.allocated_blocks, self.freed_blocks)
    }

    /// Whether nothing is left of what was allocated.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.allocated_blocks == self.freed_blocks && self.allocated_bytes == self.freed_bytes
    }

    /// Whether this was read before `baseline` was: no figure ever goes back.
    pub(crate) fn is_behind(&self, baseline: &TagSums) -> bool {
        let since = self.since(baseline);
        [since.allocated_bytes, since.freed_bytes, since.allocated_blocks, since.freed_blocks]
            .into_iter()
            .any(|figure| (figure as i64) < 0)
    }

    /// What was counted after `baseline` was.
    pub(crate) fn since(&self, baseline: &TagSums) -> Self {
        Self {
            allocated_bytes: self.allocated_bytes.wrapping_sub(baseline.allocated_bytes),
            freed_bytes: self.freed_bytes.wrapping_sub(baseline.freed_bytes),
            allocated_blocks: self.allocated_blocks.wrapping_sub(baseline.allocated_blocks),
            freed_blocks: self.freed_blocks.wrapping_sub(baseline.freed_blocks),
        }
    }

    pub(crate) fn add(&mut self, other: &TagSums) {
        self.allocated_bytes = self.allocated_bytes.wrapping_add(other.allocated_bytes);
        self.freed_bytes = self.freed_bytes.wrapping_add(other.freed_bytes);
        self.allocated_blocks = self.allocated_blocks.wrapping_add(other.allocated_blocks);
        self.freed_blocks = self.freed_blocks.wrapping_add(other.freed_blocks);
    }
}

/// What a thread has allocated and freed over all tags. Both only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ByteSums {
    pub(crate) allocated_bytes: u64,
    pub(crate) freed_bytes: u64,
}

impl ByteSums {
    /// Allocated less freed. Of one thread it may well be negative, and only its changes mean
    /// anything.
    pub(crate) fn balance(&self) -> i64 {
        self.allocated_bytes.wrapping_sub(self.freed_bytes) as i64
    }

    /// What was counted after `baseline` was.
    pub(crate) fn since(&self, baseline: &Self) -> Self {
        Self {
            allocated_bytes: self.allocated_bytes.wrapping_sub(baseline.allocated_bytes),
            freed_bytes: self.freed_bytes.wrapping_sub(baseline.freed_bytes),
        }
    }

    #[inline(always)]
    fn add(&mut self, other: &Self) {
        self.allocated_bytes = self.allocated_bytes.wrapping_add(other.allocated_bytes);
        self.freed_bytes = self.freed_bytes.wrapping_add(other.freed_bytes);
    }
}

fn clamped_difference(grown: u64, shrunk: u64) -> u64 {
    // The sums wrap together after 2^64 bytes; their difference does not.
    u64::try_from(grown.wrapping_sub(shrunk) as i64).unwrap_or(0)
}

impl TagCounters {
    const fn new() -> Self {
        Self {
            allocated_bytes: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
            allocated_blocks: AtomicU64::new(0),
            freed_blocks: AtomicU64::new(0),
        }
    }

    /// Counts a change in the order that readers rely on, by `add` and, the freed blocks, by
    /// `add_last`.
    fn add(
        &self,
        change: &TagSums,
        add: impl Fn(&AtomicU64, u64),
        add_last: impl Fn(&AtomicU64, u64),
    ) {
        add(&self.allocated_bytes, change.allocated_bytes);
        add(&self.allocated_blocks, change.allocated_blocks);
        add(&self.freed_bytes, change.freed_bytes);
        add_last(&self.freed_blocks, change.freed_blocks);
    }

    /// Reads all four while their owner goes on writing.
    ///
    /// What was freed is read before what was allocated, so that the difference errs towards
    /// live. A reader that loses its core in between would count as live all that came and went
    /// meanwhile; so it looks whether frees moved on, and keeps the stillest of some readings.
    pub(crate) fn read(&self) -> TagSums {
        let mut stillest = self.read_once();
        for _ in 1..MAX_READINGS {
            if stillest.1 == 0 {
                break;
            }
            let reading = self.read_once();
            if reading.1 < stillest.1 {
                stillest = reading;
            }
        }
        stillest.0
    }

    /// The bytes, for their owner.
    #[inline(always)]
    fn read_owned(&self) -> ByteSums {
        ByteSums {
            allocated_bytes: self.allocated_bytes.load(Ordering::Relaxed),
            freed_bytes: self.freed_bytes.load(Ordering::Relaxed),
        }
    }

    /// A reading, and by how much the freed bytes moved on during it.
    fn read_once(&self) -> (TagSums, u64) {
        // Acquire: pairs with the release that counts a freed block, and keeps the loads that
        // follow behind it.
        let freed_blocks = self.freed_blocks.load(Ordering::Acquire);
        let freed_bytes = self.freed_bytes.load(Ordering::Acquire);
        let sums = TagSums {
            allocated_bytes: self.allocated_bytes.load(Ordering::Acquire),
            freed_bytes,
            allocated_blocks: self.allocated_blocks.load(Ordering::Acquire),
            freed_blocks,
        };
        let moved = self.freed_bytes.load(Ordering::Relaxed).wrapping_sub(freed_bytes);
        (sums, moved)
    }
}

/// A busy owner moves on at every look; one of so many looks is not interrupted.
const MAX_READINGS: usize = 4;

/// Adds with a plain load and store: right only where one thread writes the counter.
#[inline(always)]
fn add_owned(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
}

/// As [`add_owned`], in sight only after all that the thread has counted before.
#[inline(always)]
fn add_owned_last(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Release);
}

fn add_shared(counter: &AtomicU64, amount: u64, order: Ordering) {
    if amount != 0 {
        counter.fetch_add(amount, order);
    }
}

/// A counter table with one writer at a time, on cache lines of its own (pairs of them, as
/// x86-64 prefetches).
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shard<const TAGS: usize> {
    /// [`FREE`] or [`CLAIMED`].
    state: AtomicU8,
    counters: [TagCounters; TAGS],
}

const FREE: u8 = 0;
const CLAIMED: u8 = 1;

impl<const TAGS: usize> Shard<TAGS> {
    pub(crate) const fn new() -> Self {
        Self { state: AtomicU8::new(FREE), counters: [const { TagCounters::new() }; TAGS] }
    }

    /// Makes the calling thread the only writer, if there is none.
    pub(crate) fn try_claim(&self) -> bool {
        // Acquire: pairs with the release in `release`, so that the new owner's plain loads see
        // what the last owner stored.
        self.state.load(Ordering::Relaxed) == FREE
            && self
                .state
                .compare_exchange(FREE, CLAIMED, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
    }

    /// Gives the shard up. Its counters stay: they are part of every sum.
    pub(crate) fn release(&self) {
        // Release: pairs with the acquire in `try_claim`. A read-modify-write, so that a chain of
        // owners stays one release sequence.
        self.state.swap(FREE, Ordering::Release);
    }

    pub(crate) fn is_claimed(&self) -> bool {
        self.state.load(Ordering::Relaxed) == CLAIMED
    }

    #[inline(always)]
    pub(crate) fn tag(&self, tag: u8) -> &TagCounters {
        &self.counters[usize::from(tag)]
    }

    /// The counters of the first `count` tags.
    pub(crate) fn first_tags(&self, count: usize) -> &[TagCounters] {
        &self.counters[..count]
    }

    /// The bytes of the first `count` tags and of `last`, together. For the owner only: nobody
    /// writes meanwhile, so they are read as they lie.
    pub(crate) fn sum_owned(&self, count: usize, last: u8) -> ByteSums {
        let mut sum = self.tag(last).read_owned();
        for counters in self.first_tags(count) {
            sum.add(&counters.read_owned());
        }
        sum
    }

    /// Counts a new block. For the owner only.
    #[inline(always)]
    pub(crate) fn charge(&self, tag: u8, bytes: usize) {
        let counters = self.tag(tag);
        add_owned(&counters.allocated_bytes, bytes as u64);
        add_owned(&counters.allocated_blocks, 1);
    }

    /// Counts a freed block. For the owner only.
    #[inline(always)]
    pub(crate) fn uncharge(&self, tag: u8, bytes: usize) {
        let counters = self.tag(tag);
        add_owned(&counters.freed_bytes, bytes as u64);
        add_owned_last(&counters.freed_blocks, 1);
    }

    /// Counts what a block shrank by. For the owner only.
    #[inline(always)]
    pub(crate) fn shrink(&self, tag: u8, bytes: usize) {
        add_owned(&self.tag(tag).freed_bytes, bytes as u64);
    }

    /// Counts what a block grew by. For the owner only.
    #[inline(always)]
    pub(crate) fn grow(&self, tag: u8, bytes: usize) {
        add_owned(&self.tag(tag).allocated_bytes, bytes as u64);
    }

    /// Counts a change of any kind. For the owner only.
    pub(crate) fn add_owned(&self, tag: u8, change: &TagSums) {
        self.tag(tag).add(change, add_owned, add_owned_last);
    }

    /// Counts a change by any thread, with read-modify-writes.
    pub(crate) fn add_shared(&self, tag: u8, change: &TagSums) {
        self.tag(tag).add(
            change,
            |counter, amount| add_shared(counter, amount, Ordering::Relaxed),
            |counter, amount| add_shared(counter, amount, Ordering::Release),
        );
    }
}
