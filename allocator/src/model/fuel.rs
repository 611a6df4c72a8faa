//! The budget: whatever the threads do while a scan sums, live bytes pass the limit by no more
//! than the allowances before the headroom is gone.

use std::cell::Cell;

use super::explore;
use crate::fuel::{MIN_ALLOWANCE_BYTES, Tank};
use crate::ledger::Ledger;
use crate::shard::Shard;

const TAG: u8 = 1;
/// So near to the limit that every allowance is the smallest.
const LIMIT_BYTES: u64 = 110_000;
/// Far more than an allowance.
const LARGE: usize = 50_000;
const SMALL: usize = 3_000;

type Books = Ledger<2, 2>;

/// As `thread` has it: a thread with a shard and a tank.
struct Allocator<'a> {
    ledger: &'a Books,
    shard: &'a Shard<2>,
    tank: Tank,
}

impl<'a> Allocator<'a> {
    fn start(ledger: &'a Books) -> Self {
        Self { ledger, shard: ledger.claim().unwrap(), tank: Tank::empty() }
    }

    fn allocate(&self, bytes: usize) {
        if self.tank.burn(bytes) {
            self.shard.charge(TAG, bytes);
        } else {
            self.shard.charge(TAG, bytes);
            self.tank.refill(&self.ledger.fuel, Some(i64::MAX));
        }
    }

    fn free(&self, bytes: usize) {
        self.shard.uncharge(TAG, bytes);
    }

    fn end(self) {
        self.tank.drain(&self.ledger.fuel);
        self.shard.release();
    }
}

fn books() -> Books {
    let ledger = Ledger::new();
    ledger.fuel.finish_scan(ledger.fuel.begin_scan(), LIMIT_BYTES);
    ledger
}

fn scan(ledger: &Books) {
    let begun_at = ledger.fuel.begin_scan();
    let live_bytes = ledger.sum(TAG).live_bytes();
    ledger.fuel.finish_scan(begun_at, LIMIT_BYTES.saturating_sub(live_bytes));
}

/// With no block in flight, live bytes and headroom come to no more than the limit and so many
/// allowances, each as it was drawn.
fn assert_within(ledger: &Books, allowances: i64) {
    let live_bytes = ledger.sum(TAG).live_bytes() as i64;
    let headroom = ledger.fuel.begin_scan();
    let most = LIMIT_BYTES as i64 + allowances * MIN_ALLOWANCE_BYTES;
    assert!(live_bytes + headroom <= most, "{live_bytes} live, {headroom} left");
}

#[test]
fn a_scan_loses_no_block_that_is_allocated_meanwhile() {
    fn allocate(ledger: &Books) {
        let thread = Allocator::start(ledger);
        thread.allocate(LARGE);
        thread.allocate(SMALL);
        thread.allocate(SMALL);
    }
    explore(books, [allocate, scan], |ledger| assert_within(ledger, 1));
}

#[test]
fn a_scan_loses_no_block_of_two_threads() {
    fn allocate(ledger: &Books) {
        Allocator::start(ledger).allocate(LARGE);
    }
    explore(books, [allocate, allocate, scan], |ledger| assert_within(ledger, 2));
}

#[test]
fn scans_after_one_another_lose_no_block() {
    fn allocate(ledger: &Books) {
        let thread = Allocator::start(ledger);
        thread.allocate(LARGE);
        thread.allocate(SMALL);
        thread.allocate(LARGE);
    }
    fn scan_twice(ledger: &Books) {
        scan(ledger);
        scan(ledger);
    }
    explore(books, [allocate, scan_twice], |ledger| assert_within(ledger, 1));
}

#[test]
fn frees_during_a_scan_give_no_room_that_is_not_there() {
    fn churn(ledger: &Books) {
        let thread = Allocator::start(ledger);
        thread.allocate(LARGE);
        thread.free(LARGE);
        thread.allocate(LARGE);
    }
    explore(books, [churn, scan], |ledger| assert_within(ledger, 1));
}

#[test]
fn a_scan_that_sees_fuel_given_back_sees_all_that_was_burnt() {
    fn allocate_and_end(ledger: &Books) {
        let thread = Allocator::start(ledger);
        thread.allocate(LARGE);
        thread.allocate(SMALL);
        thread.end();
    }
    fn read(ledger: &Books) {
        let drawn = LIMIT_BYTES as i64 - ledger.fuel.begin_scan();
        let live_bytes = ledger.sum(TAG).live_bytes() as i64;
        if drawn == (LARGE + SMALL) as i64 {
            assert_eq!(live_bytes, drawn);
        }
    }
    explore(books, [allocate_and_end, read], |ledger| assert_within(ledger, 0));
}

/// A ledger, and the headroom that its scan began with.
#[derive(Debug)]
struct Scanned {
    ledger: Books,
    begun_at: Cell<i64>,
}

#[test]
fn a_scan_keeps_every_draw_that_is_made_meanwhile() {
    fn draw(world: &Scanned) {
        world.ledger.fuel.draw(1);
        world.ledger.fuel.draw(2);
    }
    fn scan(world: &Scanned) {
        world.begun_at.set(world.ledger.fuel.begin_scan());
        world.ledger.fuel.finish_scan(world.begun_at.get(), 1000);
    }
    explore(
        || Scanned { ledger: books(), begun_at: Cell::new(0) },
        [draw, draw, scan],
        |world| {
            let drawn_before = LIMIT_BYTES as i64 - world.begun_at.get();
            assert_eq!(world.ledger.fuel.begin_scan(), 1000 - (6 - drawn_before));
        },
    );
}
