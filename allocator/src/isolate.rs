//! Tags with memory of their own: [`Tag::isolated`].
//!
//! An isolated tag has a slot, and each slot a partition of the backend (jemalloc: an arena), made
//! when the slot is first given to a tag and kept for the next one when that tag ends. A reference
//! to a tag bears its slot, so that an allocation learns it from the word that has the tag's
//! number; a free looks it up by the number that it has read from the block.
//!
//! A block may bear an isolated tag and lie among the others (allocated while the partition was
//! being made, or retagged where no copy could be had), or the other way round (where its address
//! has no map). It is freed all the same; only that its place may then serve somebody else.

mod caches;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

use crate::backend::{self, BackendStats, Collect, Collected, Home, Partitions};
use crate::block::Place;
use crate::installed::is_installed;
use crate::primitive::{AtomicBool, AtomicUsize, Ordering};
use crate::tag::Tag;
use crate::tag_handle::TagHandle;
use crate::thread::TAGS;

pub(crate) use caches::{caches_in_use, forget_other_threads, unmake_own_caches};

/// How many tags can have memory of their own at once.
pub(crate) const MAX_ISOLATED_TAGS: usize = 32;
/// In the place of a slot; they begin with 1.
pub(crate) const NOT_ISOLATED: u8 = 0;
/// In the place of a slot, for an isolated tag that came when all were taken.
pub(crate) const NO_SLOT_LEFT: u8 = u8::MAX;

/// In the place of a slot, for the blocks of whatever tag that the heap profile has sampled.
pub(crate) const SAMPLED_SLOT: u8 = u8::MAX - 1;

/// The partition of each slot and one more, or zero while it has none.
static PARTITIONS: [AtomicUsize; MAX_ISOLATED_TAGS] =
    [const { AtomicUsize::new(0) }; MAX_ISOLATED_TAGS];

/// Whether there is any, for whoever reads figures.
static ANY_PARTITION: AtomicBool = AtomicBool::new(false);

/// Whether a tag has memory of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Isolation {
    /// Not asked for.
    #[default]
    Off,
    /// Its blocks lie in an arena of their own.
    Arena,
    /// Asked for, and the backend in use cannot: its blocks lie among the others.
    Unsupported,
    /// Asked for, but 32 tags have arenas already, or none could be made: its blocks lie among the
    /// others.
    Exhausted,
}

/// Sees to it that the slot has a partition, where that can be had, and returns it.
///
/// Takes locks of the backend's: called where a user first enters a tag, never on the path of an
/// allocation.
pub(crate) fn prepare(slot: u8) -> u8 {
    // The partitions are those of the backend that serves this program.
    if let Some(partition) = partition_word(slot)
        && partition.load(Ordering::Relaxed) == 0
        && let Some(backend) = serving()
        && let Some(made) = (backend.make)()
    {
        let word = made as usize + 1;
        // Release: pairs with the acquire in `partition_of`.
        if partition.compare_exchange(0, word, Ordering::Release, Ordering::Relaxed).is_err() {
            (backend.unmake)(made);
        }
        ANY_PARTITION.store(true, Ordering::Relaxed);
    }
    slot
}

/// How the backend that serves this program keeps blocks apart, if it can.
fn serving() -> Option<&'static Partitions> {
    // Its first allocation at the latest has the backend known.
    let _ = is_installed();
    backend::partitions()
}

fn partition_word(slot: u8) -> Option<&'static AtomicUsize> {
    PARTITIONS.get(usize::from(slot).wrapping_sub(1))
}

/// The partition of a slot, if it has one: from then on for good.
pub(crate) fn partition_of(slot: u8) -> Option<u32> {
    // Acquire: pairs with the release in `prepare`, so that the partition is seen made.
    let word = partition_word(slot)?.load(Ordering::Acquire);
    word.checked_sub(1).map(|partition| partition as u32)
}

/// Where a block of this slot came from, to be freed or resized; `None` where such blocks lie among
/// the others. Small ones go by way of the thread's cache, if it has one.
#[inline]
pub(crate) fn home_of(slot: u8, place: Place, backend: &Partitions) -> Option<Home> {
    let cached = (place == Place::Trailer).then(|| caches::own_home(slot)).flatten();
    cached.or_else(|| home_without_cache(slot, backend))
}

/// As [`home_of`], for a new block: the thread may get a cache for it.
#[inline]
pub(crate) fn new_home_of(slot: u8, place: Place, backend: &Partitions) -> Option<Home> {
    if place == Place::Map {
        return home_without_cache(slot, backend);
    }
    caches::own_home(slot).or_else(|| new_home_of_small(slot, backend))
}

#[cold]
fn new_home_of_small(slot: u8, backend: &Partitions) -> Option<Home> {
    let partition = partition_of(slot)?;
    let cached = caches::make_if_due(slot, partition, backend);
    Some(cached.unwrap_or_else(|| (backend.home)(partition, None)))
}

fn home_without_cache(slot: u8, backend: &Partitions) -> Option<Home> {
    Some((backend.home)(partition_of(slot)?, None))
}

/// Whether the tag of this number has memory of its own.
pub(crate) fn isolation_of(number: u8) -> Isolation {
    match TAGS.slot(number) {
        NOT_ISOLATED => Isolation::Off,
        _ if backend::partitions().is_none() => Isolation::Unsupported,
        slot if partition_of(slot).is_some() => Isolation::Arena,
        _ => Isolation::Exhausted,
    }
}

/// What the backend knows of the memory of this number's tag, as of the last [`refresh_stats`];
/// all `None` if it has none of its own.
pub(crate) fn stats_of(number: u8) -> BackendStats {
    let own = partition_of(TAGS.slot(number)).zip(backend::partitions());
    own.map_or_else(BackendStats::default, |(partition, backend)| (backend.stats)(partition))
}

/// Has [`stats_of`] speak of now. Costs nothing to speak of while no tag is isolated.
pub(crate) fn refresh_stats() {
    if ANY_PARTITION.load(Ordering::Relaxed)
        && let Some(backend) = backend::partitions()
    {
        (backend.refresh_stats)();
    }
}

/// As [`refresh_stats`], for one tag: costs nothing if it has no memory of its own.
pub(crate) fn refresh_stats_of(number: u8) {
    if partition_of(TAGS.slot(number)).is_some() {
        refresh_stats();
    }
}

/// Collects the memory of a tag and of its parts, as far as they have some of their own.
fn collect(number: u8, how: Collect) -> Collected {
    let mut answer = collect_own(number, how);
    for part in 1..=TAGS.used() as u8 {
        TAGS.for_each_ancestor(part, |ancestor| {
            if ancestor == number && collect_own(part, how) == Collected::Done {
                answer = Collected::Done;
            }
        });
    }
    answer
}

fn collect_own(number: u8, how: Collect) -> Collected {
    let slot = TAGS.slot(number);
    let Some((partition, backend)) = partition_of(slot).zip(backend::partitions()) else {
        return Collected::Unsupported;
    };
    caches::unmake_own_cache(slot, backend);
    (backend.collect)(partition, how)
}

impl Tag {
    /// Gives the free pages of the tag's own memory back to the system, and of its parts', and
    /// leaves all others' alone; [`Collected::Unsupported`] if none of them has memory of its own
    /// ([`Tag::isolated`]).
    ///
    /// The calling thread's cache for the tag goes first, with what it holds; the thread gets
    /// another when it has allocated some more. What other threads cache for the tag stays, and
    /// keeps the pages that it lies in: up to two thirds of a MiB a thread.
    ///
    /// Costs what it takes to give the pages back: some 20 ms for 100 MB, well under a
    /// microsecond when there are none and the thread has no cache. Takes locks of the backend's:
    /// not for a signal handler. From any thread, at any time.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::{Collect, Collected, Tag};
    ///
    /// static PLAIN: Tag = Tag::new("plain");
    ///
    /// assert_eq!(PLAIN.collect(Collect::Purge), Collected::Unsupported);
    /// ```
    pub fn collect(&'static self, how: Collect) -> Collected {
        collect(self.number(), how)
    }
}

impl TagHandle {
    /// As [`Tag::collect`].
    pub fn collect(&self, how: Collect) -> Collected {
        collect(self.number(), how)
    }
}
