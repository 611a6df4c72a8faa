//! Tags made at run time: a number goes to another name only when nothing names it and no block
//! bears it, and takes nothing of the first along.

use std::cell::Cell;

use super::{explore, freed};
use crate::account::Account;
use crate::ledger::Ledger;
use crate::primitive::{AtomicBool, Ordering};
use crate::shard::{Shard, TagSums};
use crate::tag_table::{Description, TagTable};

/// The one number that there is.
const NUMBER: u8 = 1;

/// A number held under the name `first`, and a block that goes from thread to thread.
#[derive(Debug)]
struct World {
    ledger: Ledger<2, 2>,
    tags: TagTable<2>,
    is_handed_over: AtomicBool,
    /// What is true of the block, whoever knows it.
    is_freed: Cell<bool>,
    /// Who has the number by their name in the end.
    holder: Cell<Option<&'static str>>,
}

impl World {
    fn new() -> Self {
        let world = Self {
            ledger: Ledger::new(),
            tags: TagTable::new(),
            is_handed_over: AtomicBool::new(false),
            is_freed: Cell::new(false),
            holder: Cell::new(None),
        };
        assert_eq!(world.acquire("first"), Some(NUMBER));
        world.holder.set(None);
        world
    }

    fn acquire(&self, name: &'static str) -> Option<u8> {
        let number = self.tags.acquire(Description::of(name), 1, |number| self.ledger.sum(number));
        if number.is_some() {
            assert_eq!(self.holder.replace(Some(name)).unwrap_or(name), name);
        }
        number
    }

    /// What the tag that has the number now has counted.
    fn sums(&self) -> TagSums {
        self.ledger.sum(NUMBER).since(&self.tags.account(NUMBER).baseline())
    }

    fn acquire_second(&self) {
        if self.acquire("second").is_some() {
            assert!(self.is_freed.get());
            assert_eq!(self.sums(), TagSums::default());
        }
    }

    fn assert_nothing_left(&self) {
        if self.holder.get() == Some("second") {
            assert_eq!(self.sums(), TagSums::default());
        }
    }
}

/// Allocates a block, hands it on, and lets go of the tag.
fn allocate_and_let_go(world: &World) {
    world.ledger.claim().unwrap().charge(NUMBER, 10);
    world.is_handed_over.store(true, Ordering::Release);
    world.tags.account(NUMBER).release();
}

#[test]
fn a_number_is_recycled_only_when_its_last_block_is_freed() {
    fn grow_and_free(world: &World) {
        if world.is_handed_over.load(Ordering::Acquire) {
            let shard = world.ledger.claim().unwrap();
            shard.grow(NUMBER, 5);
            world.is_freed.set(true);
            shard.uncharge(NUMBER, 15);
        }
    }
    explore(
        World::new,
        [allocate_and_let_go, grow_and_free, World::acquire_second],
        World::assert_nothing_left,
    );
}

#[test]
fn a_number_is_recycled_only_when_its_last_holder_has_let_go() {
    fn world() -> World {
        let world = World::new();
        world.tags.account(NUMBER).hold();
        world
    }
    fn allocate_and_free(world: &World) {
        let shard = world.ledger.claim().unwrap();
        shard.charge(NUMBER, 10);
        shard.uncharge(NUMBER, 10);
        world.tags.account(NUMBER).release();
    }
    explore(world, [allocate_and_let_go, allocate_and_free, World::acquire_second], |world| {
        assert_eq!(world.holder.get(), None, "the first block is never freed")
    });
}

/// Allocates a block, lets go of the tag, reallocates the block and frees it by `free`, on
/// another shard. (All on one thread: handing the block over would order as much.)
fn grow_shrink_and_free(world: &World, shard: &Shard<2>, free: impl FnOnce()) {
    shard.charge(NUMBER, 10);
    world.tags.account(NUMBER).release();
    shard.grow(NUMBER, 5);
    shard.shrink(NUMBER, 5);
    world.is_freed.set(true);
    free();
}

#[test]
fn what_a_block_grew_and_shrank_by_is_not_counted_for_the_next_tag() {
    fn part(world: &World) {
        let (shard, next) = (world.ledger.claim().unwrap(), world.ledger.claim().unwrap());
        grow_shrink_and_free(world, shard, || next.uncharge(NUMBER, 10));
    }
    explore(World::new, [part, World::acquire_second], World::assert_nothing_left);
}

#[test]
fn nor_is_it_where_the_block_was_freed_on_the_shared_shard() {
    fn part(world: &World) {
        let (shard, shared) = (world.ledger.claim().unwrap(), &world.ledger.shared);
        grow_shrink_and_free(world, shard, || shared.add_shared(NUMBER, &freed(10)));
    }
    explore(World::new, [part, World::acquire_second], World::assert_nothing_left);
}

#[test]
fn a_name_that_is_taken_again_and_another_never_share_the_number() {
    fn clone_and_let_go(world: &World) {
        world.is_freed.set(true);
        let account = world.tags.account(NUMBER);
        account.hold();
        account.release();
        account.release();
    }
    fn acquire_first(world: &World) {
        world.is_freed.set(true);
        if world.acquire("first").is_some() {
            assert!(world.tags.account(NUMBER).is_called("first"));
        }
    }
    explore(World::new, [clone_and_let_go, acquire_first, World::acquire_second], |world| {
        assert!(world.tags.account(NUMBER).is_called(world.holder.get().unwrap()))
    });
}

#[test]
fn two_threads_that_make_a_tag_of_one_name_have_one_number() {
    fn make(tags: &TagTable<4>) {
        assert_eq!(tags.acquire(Description::of("made"), 3, |_| TagSums::default()), Some(1));
    }
    explore(TagTable::<4>::new, [make, make], |tags| assert_eq!(tags.used(), 1));
}

#[test]
fn whoever_sees_a_number_in_use_sees_its_name() {
    fn make(tags: &TagTable<4>) {
        tags.acquire(Description::of("made"), 3, |_| TagSums::default());
    }
    fn read(tags: &TagTable<4>) {
        if tags.used() == 1 {
            assert_eq!(tags.account(1).read(|account, _| account.name()), "made");
        }
    }
    explore(TagTable::<4>::new, [make, read], |_| {});
}

#[test]
fn a_reading_of_an_account_is_of_one_tag() {
    const FIRST: (u8, TagSums) = (6, sums(0));
    const SECOND: (u8, TagSums) = (7, sums(5));
    const fn sums(bytes: u64) -> TagSums {
        let blocks = bytes / 5;
        TagSums {
            allocated_bytes: bytes,
            freed_bytes: bytes,
            allocated_blocks: blocks,
            freed_blocks: blocks,
        }
    }
    fn account() -> Account {
        let account = Account::new();
        account.hand_over("first", FIRST.0, &FIRST.1);
        account
    }
    fn hand_over(account: &Account) {
        account.hand_over("second", SECOND.0, &SECOND.1);
    }
    fn read(account: &Account) {
        let reading = account.read(|account, _| (account.parent().unwrap(), account.baseline()));
        assert!(reading == FIRST || reading == SECOND, "{reading:?}");
    }
    explore(account, [hand_over, read], |_| {});
}
