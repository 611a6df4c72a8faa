//! The numbers that tags have, and how they are given out: for good to a static tag, and until
//! nothing names it and no block bears it to one made at run time.

use crate::account::Account;
use crate::isolate::{MAX_ISOLATED_TAGS, NO_SLOT_LEFT, NOT_ISOLATED, SAMPLED_SLOT};
use crate::primitive::{AtomicU8, AtomicUsize, Ordering, SpinLock};
use crate::shard::TagSums;

/// How many tag numbers there are; a block stores its tag's number in one byte.
pub(crate) const TAG_NUMBERS: usize = 256;
/// Blocks allocated with no tag entered.
pub(crate) const UNTAGGED: u8 = 0;
/// Takes every static tag that came when all numbers were in use.
pub(crate) const OVERFLOW: u8 = 254;
/// Stands in a block that the heap profile has sampled: its tag is in the table of the samples.
pub(crate) const SAMPLED: u8 = 255;
/// How many tags can be in use at once.
pub(crate) const MAX_TAGS: usize = 240;

/// A tag's number, the slot of its memory if it is isolated, and whether whoever has this
/// reference is one of the account's holders: so it is with a tag made at run time, while a static
/// one's is held for ever.
///
/// One word of 32 bits, written and read as one. Entering and leaving a tag passes it from memory
/// to memory, and processors forward a store of this size sooner than a smaller one (1.6 ns for
/// both against 3.9 with 16 bits); one load of two stores would wait for both (13 ns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TagRef(u32);

impl TagRef {
    const COUNTED: u32 = 1 << 8;
    const SLOT_SHIFT: u32 = 16;

    pub(crate) const UNTAGGED: Self = Self::uncounted(UNTAGGED, NOT_ISOLATED);

    pub(crate) const fn uncounted(number: u8, slot: u8) -> Self {
        Self(number as u32 | (slot as u32) << Self::SLOT_SHIFT)
    }

    pub(crate) const fn counted(number: u8, slot: u8) -> Self {
        Self(Self::uncounted(number, slot).0 | Self::COUNTED)
    }

    /// One word of it all, for an atomic; zero is [`Self::UNTAGGED`].
    pub(crate) const fn to_bits(self) -> usize {
        self.0 as usize
    }

    pub(crate) const fn from_bits(bits: usize) -> Self {
        Self(bits as u32)
    }

    #[inline(always)]
    pub(crate) const fn number(self) -> u8 {
        self.0 as u8
    }

    /// The slot of [`isolate`](crate::isolate) that the tag has.
    #[inline(always)]
    pub(crate) const fn slot(self) -> u8 {
        (self.0 >> Self::SLOT_SHIFT) as u8
    }

    #[inline(always)]
    pub(crate) const fn is_counted(self) -> bool {
        self.0 & Self::COUNTED != 0
    }
}

/// What a tag is to be, should it have to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Description<'name> {
    pub(crate) name: &'name str,
    /// The number of the tag that it is a part of; untagged and overflow are nobody's parent.
    pub(crate) parent: u8,
    pub(crate) is_isolated: bool,
}

impl<'name> Description<'name> {
    /// A tag of this name, and no more than that.
    pub(crate) const fn of(name: &'name str) -> Self {
        Self { name, parent: UNTAGGED, is_isolated: false }
    }
}

/// Every number's account. A value, so that a small one can be modelled.
#[derive(Debug)]
pub(crate) struct TagTable<const NUMBERS: usize> {
    lock: SpinLock,
    accounts: [Account; NUMBERS],
    /// The slot of each number's own memory. Apart from the accounts: the path of a free looks at
    /// it. It changes only with the tag that has the number, when no block bears that.
    slots: [AtomicU8; NUMBERS],
    /// Numbers from 1 to this have been given out at least once.
    used: AtomicUsize,
    overflowed: AtomicUsize,
    /// Accounts with a budget of their own, or more: none, and no scan looks for them.
    budgets: AtomicUsize,
}

impl<const NUMBERS: usize> TagTable<NUMBERS> {
    pub(crate) const fn new() -> Self {
        let mut slots = [const { AtomicU8::new(NOT_ISOLATED) }; NUMBERS];
        if NUMBERS > SAMPLED as usize {
            // So that a free finds out of a sampled block where it does of an isolated tag's.
            slots[SAMPLED as usize] = AtomicU8::new(SAMPLED_SLOT);
        }
        Self {
            lock: SpinLock::new(),
            accounts: [const { Account::new() }; NUMBERS],
            slots,
            used: AtomicUsize::new(0),
            overflowed: AtomicUsize::new(0),
            budgets: AtomicUsize::new(0),
        }
    }

    #[inline(always)]
    pub(crate) fn account(&self, number: u8) -> &Account {
        &self.accounts[usize::from(number)]
    }

    /// The slot of the memory that the number's tag has to itself, [`NOT_ISOLATED`] or
    /// [`NO_SLOT_LEFT`].
    #[inline(always)]
    pub(crate) fn slot(&self, number: u8) -> u8 {
        // Relaxed: whoever names the tag, or has a block of it, heard of it after it was stored.
        self.slots[usize::from(number)].load(Ordering::Relaxed)
    }

    /// The number of the tag of this name, held once more: the one that it has, or one that
    /// nobody needs any more, or a new one up to `most`. `None` if there is none of them.
    ///
    /// A parent is held by its children. `sums` are those of a number over all shards. A tag that
    /// is there already keeps the parent it has, and is isolated or not as it was.
    pub(crate) fn acquire(
        &self,
        wanted: Description<'_>,
        most: usize,
        sums: impl Fn(u8) -> TagSums,
    ) -> Option<u8> {
        self.locked(|| {
            let used = self.used.load(Ordering::Relaxed);
            let given_out = || (1..=used).map(|number| number as u8);
            let known = given_out().find(|&number| self.account(number).is_called(wanted.name));
            if let Some(number) = known {
                self.account(number).hold();
                return Some(number);
            }
            let at_rest = |number| Some((number, self.at_rest(number, &sums)?));
            // The slot that is wanted may be with a number that nobody needs any more.
            let wants_its_slot = wanted.is_isolated && self.free_slot() == NO_SLOT_LEFT;
            let with_slot = given_out().filter(|&number| wants_its_slot && self.has_slot(number));
            let recyclable = with_slot.chain(given_out()).find_map(at_rest);
            let (number, baseline) = match recyclable {
                Some(found) => found,
                None if used < most => (used as u8 + 1, TagSums::default()),
                None => return None,
            };
            self.hand_over(number, wanted, &baseline);
            Some(number)
        })
    }

    /// The sums of a number that nothing names and no block bears.
    ///
    /// In this order: once nobody holds the number, nothing more is allocated under it, and all
    /// that was is in sight; so blocks that sum to zero are none, and stay none. The sums are
    /// taken again then: the first may lack what a block grew and shrank by in a shard that was
    /// read before the block was freed in another.
    fn at_rest(&self, number: u8, sums: impl Fn(u8) -> TagSums) -> Option<TagSums> {
        if self.account(number).is_held() {
            return None;
        }
        sums(number).is_at_rest().then(|| sums(number))
    }

    fn hand_over(&self, number: u8, wanted: Description<'_>, baseline: &TagSums) {
        let parent = if wanted.parent == OVERFLOW { UNTAGGED } else { wanted.parent };
        let account = self.account(number);
        if let Some(parent) = account.parent() {
            self.account(parent).release();
        }
        if account.budget_bytes().is_some() {
            self.budgets.fetch_sub(1, Ordering::Relaxed);
        }
        if parent != UNTAGGED {
            self.account(parent).hold();
        }
        let slot = &self.slots[usize::from(number)];
        slot.store(NOT_ISOLATED, Ordering::Relaxed);
        if wanted.is_isolated {
            slot.store(self.free_slot(), Ordering::Relaxed);
        }
        account.hand_over(wanted.name, parent, baseline);
        account.hold();
        // Release: pairs with the acquire in `numbers`, so that each of them has its name.
        self.used.fetch_max(usize::from(number), Ordering::Release);
    }

    fn has_slot(&self, number: u8) -> bool {
        !matches!(self.slot(number), NOT_ISOLATED | NO_SLOT_LEFT)
    }

    /// A slot that no number has.
    fn free_slot(&self) -> u8 {
        let taken = |slot: u8| self.slots.iter().any(|own| own.load(Ordering::Relaxed) == slot);
        (1..=MAX_ISOLATED_TAGS as u8).find(|&slot| !taken(slot)).unwrap_or(NO_SLOT_LEFT)
    }

    /// Counts a static tag that has to make do with [`OVERFLOW`].
    pub(crate) fn note_overflow(&self) {
        self.overflowed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many static tags came when all numbers were in use.
    pub(crate) fn overflowed(&self) -> usize {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// How many numbers have been given out at least once; they begin with 1.
    pub(crate) fn used(&self) -> usize {
        // Acquire: pairs with the release in `hand_over`.
        self.used.load(Ordering::Acquire)
    }

    /// Gives a tag a budget of its own, or none. For a holder of the number.
    pub(crate) fn set_budget_bytes(&self, number: u8, bytes: Option<u64>) {
        self.locked(|| {
            let account = self.account(number);
            match (account.budget_bytes().is_some(), bytes.is_some()) {
                (false, true) => {
                    self.budgets.fetch_add(1, Ordering::Relaxed);
                }
                (true, false) => {
                    self.budgets.fetch_sub(1, Ordering::Relaxed);
                }
                _ => {}
            }
            account.set_budget_bytes(bytes);
        });
    }

    /// Whether any tag has a budget of its own.
    pub(crate) fn has_budgets(&self) -> bool {
        self.budgets.load(Ordering::Relaxed) != 0
    }

    /// Adds each number's figure to those of all its ancestors.
    pub(crate) fn roll_up<T: Copy>(&self, figures: &mut [T; NUMBERS], add: impl Fn(&mut T, T)) {
        let own = *figures;
        for (number, figure) in own.into_iter().enumerate().take(1 + self.used()).skip(1) {
            self.for_each_ancestor(number as u8, |ancestor| {
                add(&mut figures[usize::from(ancestor)], figure);
            });
        }
    }

    /// Calls `f` with the number of the parent, of its parent, and so on.
    pub(crate) fn for_each_ancestor(&self, number: u8, mut f: impl FnMut(u8)) {
        let mut parent = self.account(number).parent();
        // A parent is always numbered before its child, so there is no circle; but a reader may
        // follow a chain of which one is being handed over. As many steps as there are numbers.
        for _ in 0..NUMBERS {
            let Some(number) = parent else { return };
            f(number);
            parent = self.account(number).parent();
        }
    }

    fn locked<T>(&self, f: impl FnOnce() -> T) -> T {
        self.lock.lock();
        // Neither of the closures that come here calls a user's code or can panic.
        let answer = f();
        self.lock.unlock();
        answer
    }

    /// Keeps the lock while the process forks, so that the child does not inherit it held by a
    /// thread that it does not have.
    pub(crate) fn lock_for_fork(&self) {
        self.lock.lock();
    }

    /// Lets go of the lock, in the parent and in the child.
    pub(crate) fn unlock_after_fork(&self) {
        self.lock.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn isolated(name: &str) -> Description<'_> {
        Description { is_isolated: true, ..Description::of(name) }
    }

    fn nothing(_: u8) -> TagSums {
        TagSums::default()
    }

    fn one_block(_: u8) -> TagSums {
        TagSums { allocated_bytes: 10, allocated_blocks: 1, ..TagSums::default() }
    }

    #[test]
    fn a_name_has_one_number_and_another_name_another() {
        let table: TagTable<4> = TagTable::new();
        let first = table.acquire(Description::of("first"), 2, nothing).unwrap();
        assert_eq!(table.acquire(Description::of("first"), 2, nothing), Some(first));
        let second = table.acquire(Description::of("second"), 2, nothing).unwrap();
        assert_ne!(first, second);
        assert_eq!(table.acquire(Description::of("third"), 2, nothing), None, "both are held");
        assert_eq!(table.used(), 2);
    }

    #[test]
    fn a_number_is_given_to_another_name_only_when_unheld_and_borne_by_no_block() {
        let table: TagTable<4> = TagTable::new();
        let number = table.acquire(Description::of("first"), 1, nothing).unwrap();
        assert_eq!(table.acquire(Description::of("second"), 1, nothing), None, "held");
        table.account(number).release();
        assert_eq!(
            table.acquire(Description::of("second"), 1, one_block),
            None,
            "a block bears it"
        );
        assert_eq!(
            table.acquire(Description::of("first"), 1, one_block),
            Some(number),
            "its own name finds it"
        );
        table.account(number).release();
        assert_eq!(table.acquire(Description::of("second"), 1, nothing), Some(number));
        assert_eq!(table.account(number).name(), "second");
    }

    #[test]
    fn blocks_are_looked_for_only_after_the_number_was_found_unheld() {
        let table: TagTable<4> = TagTable::new();
        let number = table.acquire(Description::of("first"), 1, nothing).unwrap();
        let looked = Cell::new(false);
        let look = |number| {
            looked.set(true);
            nothing(number)
        };
        assert_eq!(table.acquire(Description::of("second"), 1, look), None);
        assert!(!looked.get());
        table.account(number).release();
        assert_eq!(table.acquire(Description::of("second"), 1, look), Some(number));
        assert!(looked.get());
    }

    #[test]
    fn a_parent_is_held_by_its_child_until_the_childs_number_goes_to_another() {
        let table: TagTable<4> = TagTable::new();
        let parent = table.acquire(Description::of("parent"), 2, nothing).unwrap();
        let child =
            table.acquire(Description { parent, ..Description::of("child") }, 2, nothing).unwrap();
        table.account(parent).release();
        assert_eq!(table.acquire(Description::of("other"), 2, nothing), None, "both are held");
        table.account(child).release();
        assert_eq!(table.acquire(Description::of("other"), 2, nothing), Some(child));
        assert_eq!(table.acquire(Description::of("another"), 2, nothing), Some(parent));
    }

    #[test]
    fn figures_roll_up_to_every_ancestor() {
        let table: TagTable<5> = TagTable::new();
        let top = table.acquire(Description::of("top"), 4, nothing).unwrap();
        let middle = table
            .acquire(Description { parent: top, ..Description::of("middle") }, 4, nothing)
            .unwrap();
        table
            .acquire(Description { parent: middle, ..Description::of("leaf") }, 4, nothing)
            .unwrap();
        table.acquire(Description::of("other"), 4, nothing).unwrap();
        let mut figures = [7, 1, 20, 300, 4000];
        table.roll_up(&mut figures, |sum, figure| *sum += figure);
        assert_eq!(figures, [7, 321, 320, 300, 4000]);
    }

    #[test]
    fn a_budget_ends_with_the_tag_that_has_it() {
        let table: TagTable<4> = TagTable::new();
        let number = table.acquire(Description::of("first"), 1, nothing).unwrap();
        table.set_budget_bytes(number, Some(1000));
        table.set_budget_bytes(number, Some(2000));
        assert!(table.has_budgets());
        table.account(number).release();
        table.acquire(Description::of("second"), 1, nothing).unwrap();
        assert!(!table.has_budgets());
        assert_eq!(table.account(number).budget_bytes(), None);
    }

    #[test]
    fn isolated_tags_have_a_slot_each_which_goes_back_with_the_number() {
        let table: TagTable<8> = TagTable::new();
        let first = table.acquire(isolated("first"), 3, nothing).unwrap();
        let second = table.acquire(isolated("second"), 3, nothing).unwrap();
        let third = table.acquire(Description::of("third"), 3, nothing).unwrap();
        assert_eq!([first, second, third].map(|number| table.slot(number)), [1, 2, NOT_ISOLATED]);
        assert_eq!(table.acquire(Description::of("first"), 3, nothing), Some(first));
        assert_eq!(table.slot(first), 1, "a tag that is there stays as it is");

        table.account(second).release();
        assert_eq!(table.acquire(Description::of("fourth"), 3, nothing), Some(second));
        assert_eq!(table.slot(second), NOT_ISOLATED);
        table.account(third).release();
        assert_eq!(table.acquire(isolated("fifth"), 3, nothing), Some(third));
        assert_eq!(table.slot(third), 2);
    }

    #[test]
    fn an_isolated_tag_takes_the_slot_of_one_that_ended_rather_than_do_without() {
        let table: TagTable<64> = TagTable::new();
        let most = MAX_ISOLATED_TAGS + 2;
        let ordinary = table.acquire(Description::of("ordinary"), most, nothing).unwrap();
        let mut last = NO_SLOT_LEFT;
        for tag in 0..MAX_ISOLATED_TAGS {
            last = table.acquire(isolated(&format!("tag-{tag}")), most, nothing).unwrap();
        }
        table.account(ordinary).release();
        table.account(last).release();
        assert_eq!(table.acquire(isolated("next"), most, nothing), Some(last));
        assert_eq!(usize::from(table.slot(last)), MAX_ISOLATED_TAGS);
        assert_eq!(table.acquire(isolated("none-left"), most, nothing), Some(ordinary));
        assert_eq!(table.slot(ordinary), NO_SLOT_LEFT);
    }

    #[test]
    fn an_isolated_tag_past_the_slots_has_none() {
        let table: TagTable<64> = TagTable::new();
        let most = MAX_ISOLATED_TAGS + 1;
        let numbers: Vec<u8> = (0..most)
            .map(|tag| table.acquire(isolated(&format!("tag-{tag}")), most, nothing).unwrap())
            .collect();
        let (last, others) = numbers.split_last().unwrap();
        assert!(others.iter().all(|&number| table.slot(number) != NO_SLOT_LEFT));
        assert_eq!(table.slot(*last), NO_SLOT_LEFT);
    }
}
