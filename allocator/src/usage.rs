//! What is read: [`Usage`] and [`TagUsage`].
//!
//! Reading sums counters that threads go on writing. What was allocated is taken in after what
//! was freed, so a figure is off by no more than was allocated or freed while it was summed, some
//! microseconds; at rest it is exact.

use std::borrow::Cow;

use crate::account::{Account, Generation, Peak};
use crate::block;
use crate::isolate::{self, Isolation};
use crate::name::{OVERFLOW_NAME, UNTAGGED_NAME};
use crate::primitive::Ordering;
use crate::shard::TagSums;
use crate::tag_handle::TagHandle;
use crate::tag_table::{OVERFLOW, TAG_NUMBERS, UNTAGGED};
use crate::thread::{LEDGER, TAGS};

/// What one tag holds, in the bytes that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct TagUsage {
    /// The tag's name; `untagged` for what was allocated with no tag entered, `overflow` for the
    /// static tags that came when all numbers were in use.
    pub name: Cow<'static, str>,
    /// The name of the tag that this one is a part of.
    pub parent: Option<Cow<'static, str>>,
    /// Bytes allocated and not yet freed.
    pub live_bytes: u64,
    /// Blocks allocated and not yet freed.
    #[cfg_attr(feature = "serde", serde(default))]
    pub live_blocks: u64,
    /// Bytes outside the heap, by [`Charge`](crate::Charge). Not part of any other figure here.
    #[cfg_attr(feature = "serde", serde(default))]
    pub charged_bytes: u64,
    /// `live_bytes` of this tag and of all that are parts of it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub subtree_live_bytes: u64,
    /// `charged_bytes` of this tag and of all that are parts of it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub subtree_charged_bytes: u64,
    /// The highest `live_bytes` that any reading saw. A running monitor reads whenever the
    /// budget's headroom is used up.
    #[cfg_attr(feature = "serde", serde(default))]
    pub peak_bytes: u64,
    /// What `live_bytes` can have come to between two readings, at most: `peak_bytes` and the
    /// error bound on top of it. The more is allocated between two readings, the looser.
    #[cfg_attr(feature = "serde", serde(default))]
    pub peak_at_most_bytes: u64,
    /// Bytes allocated since the process began, or since the tag was made at run time; growth by
    /// `realloc` and what a retag brought included.
    pub allocated_bytes_total: u64,
    /// What the tag and its parts may hold, if it was given a budget of its own.
    pub budget_bytes: Option<u64>,
    /// Whether the tag has memory of its own ([`Tag::isolated`](crate::Tag::isolated)).
    #[cfg_attr(feature = "serde", serde(default))]
    pub isolation: Isolation,
    /// Bytes in pages that hold blocks of this tag and of no other, if it has memory of its own;
    /// blocks that threads cache for the tag are among them. What they are beyond `live_bytes` is
    /// fragmentation, and that. Below `live_bytes` it is where blocks lie among the others: boxes
    /// of unsized types that were retagged to it, say. Not of the tag's parts, as `live_bytes`.
    pub active_bytes: Option<u64>,
    /// Bytes in freed pages of the tag's own memory that are still held: what
    /// [`Tag::collect`](crate::Tag::collect) gives back.
    pub dirty_bytes: Option<u64>,
    /// Bytes of memory behind the tag's own pages at most. jemalloc counts them with the feature
    /// `jemalloc-stats`.
    pub resident_bytes: Option<u64>,
}

impl TagUsage {
    /// What the tag and its parts hold, heap and charged: what its budget is compared with.
    #[must_use]
    pub fn subtree_bytes(&self) -> u64 {
        self.subtree_live_bytes.saturating_add(self.subtree_charged_bytes)
    }

    /// Whether the tag and its parts hold more than its own budget allows.
    #[must_use]
    pub fn is_over_budget(&self) -> bool {
        self.budget_bytes.is_some_and(|budget| self.subtree_bytes() > budget)
    }
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
    /// Bytes outside the heap, by [`Charge`](crate::Charge). Not part of any other figure here.
    pub charged_bytes: u64,
    /// The highest `live_bytes` that any reading saw.
    pub peak_bytes: u64,
    /// What `live_bytes` can have come to between two readings, at most.
    pub peak_at_most_bytes: u64,
    /// Bytes allocated since the process began, tags that are gone included.
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
    /// Static tags counted under `overflow` since no number was left for them.
    pub overflowed_tags: usize,
    /// Caches that threads have for isolated tags: at most 512.
    #[cfg_attr(feature = "serde", serde(default))]
    pub isolation_caches_in_use: usize,
}

/// The process's peak; each tag's is in its account.
static PEAK: Peak = Peak::new();

/// The name that blocks of this number are listed under.
pub(crate) fn name_of(number: u8) -> Cow<'static, str> {
    match number {
        UNTAGGED => Cow::Borrowed(UNTAGGED_NAME),
        OVERFLOW => Cow::Borrowed(OVERFLOW_NAME),
        number => TAGS.account(number).name(),
    }
}

/// All tags' figures, read shard by shard. Kept apart from [`Usage`], which allocates.
struct Reading {
    /// How many numbers are in use, untagged included and overflow not.
    numbers: usize,
    sums: [TagSums; TAG_NUMBERS],
}

impl Reading {
    fn take() -> Self {
        let numbers = 1 + TAGS.used();
        Self { numbers, sums: LEDGER.sum_all(numbers, OVERFLOW) }
    }

    fn numbers(&self) -> impl Iterator<Item = u8> + use<> {
        (0..self.numbers as u8).chain(std::iter::once(OVERFLOW))
    }

    fn total(&self) -> TagSums {
        let mut total = TagSums::default();
        for number in self.numbers() {
            total.add(&self.sums[usize::from(number)]);
        }
        total
    }

    /// Has all peaks know of this reading.
    fn note_peaks(&self, total: &TagSums) {
        for number in self.numbers() {
            TAGS.account(number).read(|account, generation| {
                let sums = sums_of_now(account, number, &self.sums[usize::from(number)]);
                account.peak.note(generation, &sums)
            });
        }
        PEAK.note(Generation::ONLY, total);
    }

    /// Each number's live and charged bytes with those of its parts.
    fn subtrees(&self) -> [Holding; TAG_NUMBERS] {
        let mut holdings = [Holding::default(); TAG_NUMBERS];
        for number in self.numbers() {
            holdings[usize::from(number)] = Holding {
                live_bytes: self.sums[usize::from(number)].live_bytes(),
                charged_bytes: TAGS.account(number).charged_bytes.load(Ordering::Relaxed),
            };
        }
        TAGS.roll_up(&mut holdings, Holding::add);
        holdings
    }
}

#[derive(Clone, Copy, Default)]
struct Holding {
    live_bytes: u64,
    charged_bytes: u64,
}

impl Holding {
    fn add(&mut self, other: Self) {
        self.live_bytes = self.live_bytes.saturating_add(other.live_bytes);
        self.charged_bytes = self.charged_bytes.saturating_add(other.charged_bytes);
    }

    fn bytes(self) -> u64 {
        self.live_bytes.saturating_add(self.charged_bytes)
    }
}

/// All that was ever counted under a number; read anew if `sums` were read before the number came
/// to the tag that has it now.
fn sums_of_now(account: &Account, number: u8, sums: &TagSums) -> TagSums {
    if sums.is_behind(&account.baseline()) { LEDGER.sum(number) } else { *sums }
}

/// One tag's usage; `sums` are all that was ever counted under its number.
fn usage_of(number: u8, sums: &TagSums, subtree: Holding) -> TagUsage {
    TAGS.account(number).read(|account, generation| {
        let sums = sums_of_now(account, number, sums);
        let peak = account.peak.note(generation, &sums);
        let sums = sums.since(&account.baseline());
        let own_memory = isolate::stats_of(number);
        TagUsage {
            name: name_of(number),
            parent: account.parent().map(name_of),
            live_bytes: sums.live_bytes(),
            live_blocks: sums.live_blocks(),
            charged_bytes: account.charged_bytes.load(Ordering::Relaxed),
            subtree_live_bytes: subtree.live_bytes,
            subtree_charged_bytes: subtree.charged_bytes,
            peak_bytes: peak.highest,
            peak_at_most_bytes: peak.at_most,
            allocated_bytes_total: sums.allocated_bytes,
            budget_bytes: account.budget_bytes(),
            isolation: isolate::isolation_of(number),
            active_bytes: own_memory.active_bytes,
            dirty_bytes: own_memory.dirty_bytes,
            resident_bytes: own_memory.resident_bytes,
        }
    })
}

/// Whether a tag is listed: static ones always, one made at run time while it is in use, and
/// `overflow` once it was needed.
fn is_listed(number: u8, sums: &TagSums) -> bool {
    match number {
        UNTAGGED => true,
        OVERFLOW => *sums != TagSums::default(),
        number => TAGS.account(number).is_held() || !sums.is_at_rest(),
    }
}

/// Reads every tag: some nanoseconds for each pair of a tag and a thread, and some allocations;
/// and 20 to 30 us if a tag has memory of its own, for which jemalloc sums its figures.
///
/// # Examples
///
/// ```
/// let usage = bursar_alloc::usage();
/// assert_eq!(usage.tags[0].name, "untagged");
/// ```
#[must_use]
pub fn usage() -> Usage {
    let reading = Reading::take();
    let total = reading.total();
    let peak = PEAK.note(Generation::ONLY, &total);
    let subtrees = reading.subtrees();
    isolate::refresh_stats();
    let mut tags = Vec::with_capacity(reading.numbers + 1);
    for number in reading.numbers() {
        let sums = &reading.sums[usize::from(number)];
        if is_listed(number, sums) {
            tags.push(usage_of(number, sums, subtrees[usize::from(number)]));
        }
    }
    Usage {
        live_bytes: total.live_bytes(),
        live_blocks: total.live_blocks(),
        charged_bytes: charged_bytes(),
        peak_bytes: peak.highest,
        peak_at_most_bytes: peak.at_most,
        allocated_bytes_total: total.allocated_bytes,
        tags,
        thread_slots_in_use: LEDGER.slots_in_use(),
        thread_slots_refused_total: LEDGER.refused_claims(),
        unattributed_blocks_total: block::unattributed_blocks(),
        overflowed_tags: TAGS.overflowed(),
        isolation_caches_in_use: isolate::caches_in_use(),
    }
}

/// Reads one tag. Allocates only for the names of tags made at run time; one with memory of its own
/// costs 20 to 30 us more, for which jemalloc sums its figures.
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
pub fn tag_usage(tag: impl Into<TagHandle>) -> TagUsage {
    // Held while it is read, so that its account does not pass to another tag.
    let tag = tag.into();
    let number = tag.number();
    let sums = LEDGER.sum(number);
    let mut subtree = holding_of(number, &sums);
    for part in 1..=TAGS.used() as u8 {
        TAGS.for_each_ancestor(part, |ancestor| {
            if ancestor == number {
                subtree.add(holding_of(part, &LEDGER.sum(part)));
            }
        });
    }
    isolate::refresh_stats_of(number);
    usage_of(number, &sums, subtree)
}

/// Each tag that, with its parts, holds more than a budget of its own allows. One load while no
/// tag has a budget; otherwise what [`usage`] costs.
///
/// # Examples
///
/// ```
/// assert!(bursar_alloc::tags_over_budget().is_empty()); // none has a budget
/// ```
#[must_use]
pub fn tags_over_budget() -> Vec<TagUsage> {
    if !TAGS.has_budgets() {
        return Vec::new();
    }
    let mut tags = usage().tags;
    tags.retain(TagUsage::is_over_budget);
    tags
}

fn holding_of(number: u8, sums: &TagSums) -> Holding {
    let charged_bytes = TAGS.account(number).charged_bytes.load(Ordering::Relaxed);
    Holding { live_bytes: sums.live_bytes(), charged_bytes }
}

/// Live bytes over all tags, without allocating; raises the peaks as [`usage`] does.
#[must_use]
pub fn live_bytes() -> u64 {
    let reading = Reading::take();
    let total = reading.total();
    reading.note_peaks(&total);
    total.live_bytes()
}

/// Bytes outside the heap over all tags, by [`Charge`](crate::Charge): one load a tag.
#[must_use]
pub fn charged_bytes() -> u64 {
    let charged = |number| TAGS.account(number).charged_bytes.load(Ordering::Relaxed);
    (0..=TAGS.used() as u8).chain([OVERFLOW]).map(charged).fold(0, u64::saturating_add)
}

/// What is to be known for the budget's next headroom.
pub(crate) struct Room {
    pub(crate) live_bytes: u64,
    /// The least that any tag with a budget of its own may still grow by.
    pub(crate) tag_bytes: Option<u64>,
}

/// [`live_bytes`], and how near tags are to their own budgets.
pub(crate) fn room() -> Room {
    let reading = Reading::take();
    let total = reading.total();
    reading.note_peaks(&total);
    let mut tag_bytes = None;
    if TAGS.has_budgets() {
        let subtrees = reading.subtrees();
        let room = |number: u8| {
            let budget = TAGS.account(number).budget_bytes()?;
            Some(budget.saturating_sub(subtrees[usize::from(number)].bytes()))
        };
        tag_bytes = reading.numbers().filter_map(room).min();
    }
    Room { live_bytes: total.live_bytes(), tag_bytes }
}
