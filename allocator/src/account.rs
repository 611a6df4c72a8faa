//! What is kept of one tag number beside the counters of the shards: its name, its parent, who
//! holds it, what is charged to it from outside the heap.

use std::borrow::Cow;

use crate::name::MAX_TAG_NAME_LEN;
use crate::primitive::{AtomicRef, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
use crate::shard::TagSums;

/// No budget of its own.
const NO_BUDGET: u64 = u64::MAX;

/// One tag number's account. Written under the table's lock, but for the figures that anyone
/// adds to; read by anyone at any time.
#[derive(Debug)]
pub(crate) struct Account {
    /// Odd while the account passes from one tag to the next.
    version: AtomicUsize,
    /// Handles, guards and futures that name it, and one for ever for a static tag. Only under
    /// the table's lock does it leave zero.
    holders: AtomicUsize,
    parent: AtomicU8,
    name: Name,
    /// The sums when the tag was given this number.
    baseline: [AtomicU64; 4],
    pub(crate) charged_bytes: AtomicU64,
    budget_bytes: AtomicU64,
    pub(crate) peak: Peak,
}

impl Account {
    pub(crate) const fn new() -> Self {
        Self {
            version: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
            parent: AtomicU8::new(0),
            name: Name::new(),
            baseline: [const { AtomicU64::new(0) }; 4],
            charged_bytes: AtomicU64::new(0),
            budget_bytes: AtomicU64::new(NO_BUDGET),
            peak: Peak::new(),
        }
    }

    /// Passes the account to a tag of this name, from which the sums so far are not its own.
    /// Under the table's lock, with no holder.
    pub(crate) fn hand_over(&self, name: &str, parent: u8, baseline: &TagSums) {
        self.version.fetch_add(1, Ordering::Relaxed);
        // Release: pairs with the acquire fence in `read`. Who sees any of what follows sees the
        // odd version, too.
        fence(Ordering::Release);
        self.name.set(name);
        self.parent.store(parent, Ordering::Relaxed);
        let figures = [
            baseline.allocated_bytes,
            baseline.freed_bytes,
            baseline.allocated_blocks,
            baseline.freed_blocks,
        ];
        for (stored, figure) in self.baseline.iter().zip(figures) {
            stored.store(figure, Ordering::Relaxed);
        }
        self.budget_bytes.store(NO_BUDGET, Ordering::Relaxed);
        let next = self.version.load(Ordering::Relaxed).wrapping_add(1);
        self.peak.begin(Generation::of(next), baseline);
        // Release: pairs with the acquire in `read`, which then sees all of it.
        self.version.store(next, Ordering::Release);
    }

    /// What `f` reads of the account while it belongs to one tag, whose generation it is told.
    pub(crate) fn read<T>(&self, f: impl Fn(&Self, Generation) -> T) -> T {
        loop {
            // Acquire: pairs with the release at the end of `hand_over`.
            let before = self.version.load(Ordering::Acquire);
            if before.is_multiple_of(2) {
                let answer = f(self, Generation::of(before));
                // Acquire: pairs with the release fence in `hand_over`.
                fence(Ordering::Acquire);
                if self.version.load(Ordering::Relaxed) == before {
                    return answer;
                }
            }
            crate::primitive::pause();
        }
    }

    pub(crate) fn hold(&self) {
        // Relaxed: whoever holds one more holds one already, or has the table's lock.
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn release(&self) {
        // Release: pairs with the acquire in `is_held`, so that who finds it unheld sees all that
        // was ever allocated under it.
        self.holders.fetch_sub(1, Ordering::Release);
    }

    pub(crate) fn is_held(&self) -> bool {
        // Acquire: pairs with the release in `release`.
        self.holders.load(Ordering::Acquire) != 0
    }

    /// The number of the parent, if there is one.
    pub(crate) fn parent(&self) -> Option<u8> {
        match self.parent.load(Ordering::Relaxed) {
            0 => None,
            parent => Some(parent),
        }
    }

    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.get(|own| own == name.as_bytes())
    }

    pub(crate) fn name(&self) -> Cow<'static, str> {
        match self.name.of_static.get() {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(self.name.get(|name| String::from_utf8_lossy(name).into_owned())),
        }
    }

    /// Notes that the name is a static tag's, which need not be copied to be read.
    pub(crate) fn name_is_static(&self, name: &'static &'static str) {
        self.name.of_static.set(Some(name));
    }

    pub(crate) fn baseline(&self) -> TagSums {
        let [allocated_bytes, freed_bytes, allocated_blocks, freed_blocks] =
            self.baseline.each_ref().map(|figure| figure.load(Ordering::Relaxed));
        TagSums { allocated_bytes, freed_bytes, allocated_blocks, freed_blocks }
    }

    pub(crate) fn budget_bytes(&self) -> Option<u64> {
        Some(self.budget_bytes.load(Ordering::Relaxed)).filter(|&bytes| bytes != NO_BUDGET)
    }

    pub(crate) fn set_budget_bytes(&self, bytes: Option<u64>) {
        self.budget_bytes.store(bytes.unwrap_or(NO_BUDGET), Ordering::Relaxed);
    }
}

/// A name in words that are read and written whole, so that reading one that is being replaced is
/// harmless: the version then says so.
#[derive(Debug)]
struct Name {
    len: AtomicU8,
    words: [AtomicU64; MAX_TAG_NAME_LEN / 8],
    of_static: AtomicRef<&'static str>,
}

impl Name {
    const fn new() -> Self {
        Self {
            len: AtomicU8::new(0),
            words: [const { AtomicU64::new(0) }; MAX_TAG_NAME_LEN / 8],
            of_static: AtomicRef::empty(),
        }
    }

    fn set(&self, name: &str) {
        let mut bytes = [0; MAX_TAG_NAME_LEN];
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        self.of_static.set(None);
        self.len.store(name.len() as u8, Ordering::Relaxed);
        for (word, bytes) in self.words.iter().zip(bytes.as_chunks().0) {
            word.store(u64::from_ne_bytes(*bytes), Ordering::Relaxed);
        }
    }

    fn get<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        let mut bytes = [0; MAX_TAG_NAME_LEN];
        for (word, bytes) in self.words.iter().zip(bytes.as_chunks_mut().0) {
            *bytes = word.load(Ordering::Relaxed).to_ne_bytes();
        }
        f(&bytes[..usize::from(self.len.load(Ordering::Relaxed))])
    }
}

/// Which of the tags that had a number one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Generation(u16);

impl Generation {
    /// What is never handed over has but one.
    pub(crate) const ONLY: Self = Self(0);

    fn of(version: usize) -> Self {
        Self((version / 2) as u16)
    }
}

/// The highest figure that any reading saw, and how high it can have been in between.
///
/// A reading may be noted late, when the number has passed to the next tag. So each figure has
/// its generation in its high bits, and one of an older generation never raises it (but for one
/// that comes 65,535 tags too late).
#[derive(Debug)]
pub(crate) struct Peak {
    highest_bytes: AtomicU64,
    at_most_bytes: AtomicU64,
    /// What was freed by the last reading, over all generations.
    freed_bytes: AtomicU64,
}

/// A [`Peak`], read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeakBytes {
    pub(crate) highest: u64,
    pub(crate) at_most: u64,
}

impl Peak {
    pub(crate) const fn new() -> Self {
        Self {
            highest_bytes: AtomicU64::new(0),
            at_most_bytes: AtomicU64::new(0),
            freed_bytes: AtomicU64::new(0),
        }
    }

    /// Takes a reading into account: all that was ever counted under the number, which for the
    /// tags before this one has come to nothing.
    ///
    /// At no time since the last one was less freed than by then, nor more allocated than by
    /// now. Readings that run side by side may find an older `freed_bytes`, which makes the
    /// bound looser and no less a bound.
    pub(crate) fn note(&self, generation: Generation, sums: &TagSums) -> PeakBytes {
        let last_freed = raise(&self.freed_bytes, sums.freed_bytes);
        let since = TagSums { freed_bytes: last_freed.min(sums.freed_bytes), ..*sums };
        let highest = raise_in(&self.highest_bytes, generation, sums.live_bytes());
        let at_most = raise_in(&self.at_most_bytes, generation, since.live_bytes());
        PeakBytes { highest, at_most: at_most.max(highest) }
    }

    /// Begins anew for the tag of the next generation.
    fn begin(&self, generation: Generation, baseline: &TagSums) {
        raise(&self.freed_bytes, baseline.freed_bytes);
        self.highest_bytes.store(in_generation(generation, 0), Ordering::Relaxed);
        self.at_most_bytes.store(in_generation(generation, 0), Ordering::Relaxed);
    }
}

/// What of a figure is its bytes: up to 256 TiB.
const BYTES_MASK: u64 = (1 << 48) - 1;

fn in_generation(Generation(generation): Generation, bytes: u64) -> u64 {
    u64::from(generation) << 48 | bytes.min(BYTES_MASK)
}

/// Raises a figure to `bytes` if it is of this generation and lower, and returns what it is then;
/// of a later one, it stays as it is and the answer means nothing.
fn raise_in(figure: &AtomicU64, generation: Generation, bytes: u64) -> u64 {
    let new = in_generation(generation, bytes);
    raise(figure, new).max(new) & BYTES_MASK
}

/// Raises a figure if it is lower, and returns what it was. Mostly it is not: then this is a load.
fn raise(figure: &AtomicU64, new: u64) -> u64 {
    let before = figure.load(Ordering::Relaxed);
    if before >= new { before } else { figure.fetch_max(new, Ordering::Relaxed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_passes_from_one_tag_to_the_next_with_nothing_of_the_first() {
        static FIRST: &str = "first";
        let account = Account::new();
        account.hand_over(FIRST, 7, &TagSums::default());
        account.name_is_static(&FIRST);
        account.set_budget_bytes(Some(1 << 20));
        let sums = TagSums { allocated_bytes: 500, freed_bytes: 500, ..TagSums::default() };
        let first = Generation::of(2);
        account.peak.note(first, &sums);

        let longer = "the-second-of-them/with-a-name-of-just-sixty-four-characters-yes";
        account.hand_over(longer, 0, &sums);
        assert_eq!(account.read(|account, _| account.name()), longer);
        assert!(account.is_called(longer) && !account.is_called(FIRST));
        assert_eq!((account.parent(), account.budget_bytes()), (None, None));
        assert_eq!(sums.since(&account.baseline()), TagSums::default());
        let nothing = PeakBytes { highest: 0, at_most: 0 };
        let second = account.read(|_, generation| generation);
        assert_eq!(account.peak.note(second, &sums), nothing);
    }

    #[test]
    fn a_reading_of_the_tag_before_that_is_noted_late_does_not_raise_the_peak() {
        let account = Account::new();
        account.hand_over("first", 0, &TagSums::default());
        let first = account.read(|_, generation| generation);
        let while_it_lived = TagSums { allocated_bytes: 500, ..TagSums::default() };
        let sums = TagSums { allocated_bytes: 500, freed_bytes: 500, ..TagSums::default() };
        account.hand_over("second", 0, &sums);
        account.peak.note(first, &while_it_lived);

        let second = account.read(|_, generation| generation);
        let grown = TagSums { allocated_bytes: 530, ..sums };
        assert_eq!(account.peak.note(second, &grown), PeakBytes { highest: 30, at_most: 30 });
    }

    #[test]
    fn a_peak_between_two_readings_is_within_its_bound() {
        let peak = Peak::new();
        let sums = |allocated_bytes, freed_bytes| TagSums {
            allocated_bytes,
            freed_bytes,
            ..TagSums::default()
        };
        assert_eq!(
            peak.note(Generation::ONLY, &sums(100, 0)),
            PeakBytes { highest: 100, at_most: 100 }
        );
        // It went up to at most 150 live bytes, and down to 30.
        assert_eq!(
            peak.note(Generation::ONLY, &sums(150, 120)),
            PeakBytes { highest: 100, at_most: 150 }
        );
        // Then to at most 80: no news.
        assert_eq!(
            peak.note(Generation::ONLY, &sums(200, 200)),
            PeakBytes { highest: 100, at_most: 150 }
        );
    }
}
