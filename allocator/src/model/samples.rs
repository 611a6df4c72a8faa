//! The table of the heap profile's samples: what is read is whole, whoever writes meanwhile; a
//! sample is found by its block; and no two have one slot.

use std::cell::Cell;

use super::explore;
use crate::primitive::{AtomicBool, AtomicU64, Ordering};
use crate::profile::table::{Block, Table, words_of};

const SLOTS: usize = 2;

#[derive(Debug)]
struct World {
    table: Table<'static>,
    is_handed_over: AtomicBool,
    /// How many samples there are, whoever knows them.
    live: Cell<usize>,
}

impl World {
    fn new() -> Self {
        let words: Vec<_> = (0..words_of(SLOTS)).map(|_| AtomicU64::new(0)).collect();
        let table = Table::over(words.leak(), SLOTS);
        Self { table, is_handed_over: AtomicBool::new(false), live: Cell::new(0) }
    }

    /// Adds a sample whose every figure is its address.
    fn add(&self, address: usize) {
        let block =
            Block { address, size: address, tag: address as u8, interval_bytes: address as u64 };
        let slot = self.table.claim(block, |keep| {
            let _ = keep(address) && keep(address);
        });
        let slot = slot.expect("there are as many slots as samples");
        self.table.publish(slot).expect("there are more entries than samples");
        self.live.set(self.live.get() + 1);
    }

    fn remove(&self, address: usize) {
        let slot = self.table.take(address).expect("a block that was sampled is found");
        assert_eq!(self.table.block(&slot).size, address);
        self.table.release(slot);
        self.live.set(self.live.get() - 1);
    }

    /// Reads all samples, each of which has to be one.
    fn read(&self) -> usize {
        let mut samples = 0;
        self.table.for_each(|block, stack, is_too_deep| {
            let Block { address, size, tag, interval_bytes } = block;
            assert_eq!((size, tag, interval_bytes), (address, address as u8, address as u64));
            assert_eq!((stack, is_too_deep), (&[address; 2][..], false));
            samples += 1;
        });
        samples
    }

    fn assert_at_rest(&self) {
        assert_eq!(self.read(), self.live.get());
    }
}

#[test]
fn a_slot_that_is_written_anew_is_never_read_as_a_mixture() {
    fn with_one() -> World {
        let world = World::new();
        world.add(1);
        world
    }
    fn rewrite(world: &World) {
        world.remove(1);
        world.add(2);
    }
    fn read(world: &World) {
        assert!(world.read() <= 1);
    }
    explore(with_one, [rewrite, read], World::assert_at_rest);
}

#[test]
fn threads_that_sample_at_once_have_a_slot_and_an_entry_each() {
    fn first(world: &World) {
        world.add(1);
        world.remove(1);
    }
    fn second(world: &World) {
        world.add(2);
    }
    explore(World::new, [first, second], World::assert_at_rest);
}

#[test]
fn a_block_is_freed_by_another_thread_while_a_third_is_sampled() {
    fn hand_over(world: &World) {
        world.add(1);
        // Release: pairs with the acquire below, as whatever hands a block to another thread does.
        world.is_handed_over.store(true, Ordering::Release);
    }
    fn free(world: &World) {
        if world.is_handed_over.load(Ordering::Acquire) {
            world.remove(1);
        }
    }
    fn sample(world: &World) {
        world.add(2);
    }
    explore(World::new, [hand_over, free, sample], World::assert_at_rest);
}
