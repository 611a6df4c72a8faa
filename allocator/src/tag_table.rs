//! The numbers that tags have, and how they are given out: for good to a static tag, and until
//! nothing names it and no block bears it to one made at run time.

use crate::account::Account;
use crate::primitive::{AtomicUsize, Ordering, SpinLock};
use crate::shard::TagSums;

/// How many tag numbers there are; a block stores its tag's number in one byte.
pub(crate) const TAG_NUMBERS: usize = 256;
/// Blocks allocated with no tag entered.
pub(crate) const UNTAGGED: u8 = 0;
/// Takes every static tag that came when all numbers were in use. 255 is kept for blocks whose
/// tag is in a side table.
pub(crate) const OVERFLOW: u8 = 254;
/// How many tags can be in use at once.
pub(crate) const MAX_TAGS: usize = 240;

/// A tag's number, and whether whoever has this reference is one of the account's holders: so it
/// is with a tag made at run time, while a static one's is held for ever.
///
/// One word of 32 bits, written and read as one. Entering and leaving a tag passes it from memory
/// to memory, and processors forward a store of this size sooner than a smaller one (1.6 ns for
/// both against 3.9 with 16 bits); one load of two stores would wait for both (13 ns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TagRef(u32);

impl TagRef {
    const COUNTED: u32 = 1 << 8;

    pub(crate) const fn uncounted(number: u8) -> Self {
        Self(number as u32)
    }

    pub(crate) const fn counted(number: u8) -> Self {
        Self(number as u32 | Self::COUNTED)
    }

    #[inline(always)]
    pub(crate) const fn number(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    pub(crate) const fn is_counted(self) -> bool {
        self.0 & Self::COUNTED != 0
    }
}

/// Every number's account. A value, so that a small one can be modelled.
#[derive(Debug)]
pub(crate) struct TagTable<const NUMBERS: usize> {
    lock: SpinLock,
    accounts: [Account; NUMBERS],
    /// Numbers from 1 to this have been given out at least once.
    used: AtomicUsize,
    overflowed: AtomicUsize,
    /// Accounts with a budget of their own, or more: none, and no scan looks for them.
    budgets: AtomicUsize,
}

impl<const NUMBERS: usize> TagTable<NUMBERS> {
    pub(crate) const fn new() -> Self {
        Self {
            lock: SpinLock::new(),
            accounts: [const { Account::new() }; NUMBERS],
            used: AtomicUsize::new(0),
            overflowed: AtomicUsize::new(0),
            budgets: AtomicUsize::new(0),
        }
    }

    #[inline(always)]
    pub(crate) fn account(&self, number: u8) -> &Account {
        &self.accounts[usize::from(number)]
    }

    /// The number of the tag of this name, held once more: the one that it has, or one that
    /// nobody needs any more, or a new one up to `most`. `None` if there is none of them.
    ///
    /// `parent` is held by its children; untagged and overflow are nobody's parent. `sums` are
    /// those of a number over all shards. A tag that is there already keeps the parent it has.
    pub(crate) fn acquire(
        &self,
        name: &str,
        parent: u8,
        most: usize,
        sums: impl Fn(u8) -> TagSums,
    ) -> Option<u8> {
        let parent = if parent == OVERFLOW { UNTAGGED } else { parent };
        self.locked(|| {
            let used = self.used.load(Ordering::Relaxed);
            let given_out = || (1..=used).map(|number| number as u8);
            let known = given_out().find(|&number| self.account(number).is_called(name));
            if let Some(number) = known {
                self.account(number).hold();
                return Some(number);
            }
            let recyclable =
                given_out().find_map(|number| Some((number, self.at_rest(number, &sums)?)));
            let (number, baseline) = match recyclable {
                Some(found) => found,
                None if used < most => (used as u8 + 1, TagSums::default()),
                None => return None,
            };
            self.hand_over(number, name, parent, &baseline);
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

    fn hand_over(&self, number: u8, name: &str, parent: u8, baseline: &TagSums) {
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
        account.hand_over(name, parent, baseline);
        account.hold();
        // Release: pairs with the acquire in `numbers`, so that each of them has its name.
        self.used.fetch_max(usize::from(number), Ordering::Release);
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

    fn nothing(_: u8) -> TagSums {
        TagSums::default()
    }

    fn one_block(_: u8) -> TagSums {
        TagSums { allocated_bytes: 10, allocated_blocks: 1, ..TagSums::default() }
    }

    #[test]
    fn a_name_has_one_number_and_another_name_another() {
        let table: TagTable<4> = TagTable::new();
        let first = table.acquire("first", 0, 2, nothing).unwrap();
        assert_eq!(table.acquire("first", 0, 2, nothing), Some(first));
        let second = table.acquire("second", 0, 2, nothing).unwrap();
        assert_ne!(first, second);
        assert_eq!(table.acquire("third", 0, 2, nothing), None, "both are held");
        assert_eq!(table.used(), 2);
    }

    #[test]
    fn a_number_is_given_to_another_name_only_when_unheld_and_borne_by_no_block() {
        let table: TagTable<4> = TagTable::new();
        let number = table.acquire("first", 0, 1, nothing).unwrap();
        assert_eq!(table.acquire("second", 0, 1, nothing), None, "held");
        table.account(number).release();
        assert_eq!(table.acquire("second", 0, 1, one_block), None, "a block bears it");
        assert_eq!(table.acquire("first", 0, 1, one_block), Some(number), "its own name finds it");
        table.account(number).release();
        assert_eq!(table.acquire("second", 0, 1, nothing), Some(number));
        assert_eq!(table.account(number).name(), "second");
    }

    #[test]
    fn blocks_are_looked_for_only_after_the_number_was_found_unheld() {
        let table: TagTable<4> = TagTable::new();
        let number = table.acquire("first", 0, 1, nothing).unwrap();
        let looked = Cell::new(false);
        let look = |number| {
            looked.set(true);
            nothing(number)
        };
        assert_eq!(table.acquire("second", 0, 1, look), None);
        assert!(!looked.get());
        table.account(number).release();
        assert_eq!(table.acquire("second", 0, 1, look), Some(number));
        assert!(looked.get());
    }

    #[test]
    fn a_parent_is_held_by_its_child_until_the_childs_number_goes_to_another() {
        let table: TagTable<4> = TagTable::new();
        let parent = table.acquire("parent", 0, 2, nothing).unwrap();
        let child = table.acquire("child", parent, 2, nothing).unwrap();
        table.account(parent).release();
        assert_eq!(table.acquire("other", 0, 2, nothing), None, "both are held");
        table.account(child).release();
        assert_eq!(table.acquire("other", 0, 2, nothing), Some(child));
        assert_eq!(table.acquire("another", 0, 2, nothing), Some(parent));
    }

    #[test]
    fn figures_roll_up_to_every_ancestor() {
        let table: TagTable<5> = TagTable::new();
        let top = table.acquire("top", 0, 4, nothing).unwrap();
        let middle = table.acquire("middle", top, 4, nothing).unwrap();
        table.acquire("leaf", middle, 4, nothing).unwrap();
        table.acquire("other", 0, 4, nothing).unwrap();
        let mut figures = [7, 1, 20, 300, 4000];
        table.roll_up(&mut figures, |sum, figure| *sum += figure);
        assert_eq!(figures, [7, 321, 320, 300, 4000]);
    }

    #[test]
    fn a_budget_ends_with_the_tag_that_has_it() {
        let table: TagTable<4> = TagTable::new();
        let number = table.acquire("first", 0, 1, nothing).unwrap();
        table.set_budget_bytes(number, Some(1000));
        table.set_budget_bytes(number, Some(2000));
        assert!(table.has_budgets());
        table.account(number).release();
        table.acquire("second", 0, 1, nothing).unwrap();
        assert!(!table.has_budgets());
        assert_eq!(table.account(number).budget_bytes(), None);
    }
}
