//! Slots and sums.

use super::{allocated, explore, freed};
use crate::ledger::Ledger;
use crate::primitive::{AtomicBool, Ordering};
use crate::shard::TagSums;

const TAG: u8 = 1;

/// Counts on a shard of its own, or on the shared one if there is none left.
fn count<const SLOTS: usize>(ledger: &Ledger<SLOTS, 2>, changes: &[TagSums]) {
    let Some(shard) = ledger.claim() else {
        return changes.iter().for_each(|change| ledger.shared.add_shared(TAG, change));
    };
    changes.iter().for_each(|change| shard.add_owned(TAG, change));
    shard.release();
}

#[test]
fn the_next_owner_of_a_slot_goes_on_from_the_counts_of_the_last() {
    fn part(ledger: &Ledger<1, 2>) {
        count(ledger, &[allocated(10)]);
        count(ledger, &[freed(3)]);
    }
    explore(Ledger::<1, 2>::new, [part, part], |ledger| {
        let sums =
            TagSums { allocated_bytes: 20, freed_bytes: 6, allocated_blocks: 2, freed_blocks: 2 };
        assert_eq!(ledger.sum(TAG), sums);
        assert_eq!(ledger.slots_in_use(), 0);
    });
}

#[test]
fn three_threads_for_two_slots_lose_no_count() {
    fn part(ledger: &Ledger<2, 2>) {
        count(ledger, &[allocated(10)]);
    }
    explore(Ledger::<2, 2>::new, [part, part, part], |ledger| {
        assert_eq!(ledger.sum(TAG).allocated_bytes, 30);
        assert_eq!(ledger.sum(TAG).allocated_blocks, 3);
    });
}

#[test]
fn threads_that_share_a_shard_lose_no_count() {
    fn part(ledger: &Ledger<0, 2>) {
        count(ledger, &[allocated(10), freed(10)]);
    }
    explore(Ledger::<0, 2>::new, [part, part], |ledger| {
        assert_eq!(ledger.sum(TAG).live_bytes(), 0);
        assert_eq!(ledger.sum(TAG).freed_blocks, 2);
        assert_eq!(ledger.refused_claims(), 2);
    });
}

/// A ledger, and a block that goes from one thread to another.
#[derive(Debug)]
struct Handover {
    ledger: Ledger<2, 2>,
    is_handed_over: AtomicBool,
}

impl Handover {
    fn new() -> Self {
        Self { ledger: Ledger::new(), is_handed_over: AtomicBool::new(false) }
    }

    fn allocate(&self) {
        count(&self.ledger, &[allocated(10)]);
        self.is_handed_over.store(true, Ordering::Release);
    }

    fn free(&self) {
        if self.is_handed_over.load(Ordering::Acquire) {
            count(&self.ledger, &[freed(10)]);
        }
    }
}

#[test]
fn who_has_heard_of_a_block_sees_it_counted_in_a_slot_never_used_before() {
    fn read(world: &Handover) {
        if world.is_handed_over.load(Ordering::Acquire) {
            assert_eq!(world.ledger.sum(TAG).live_bytes(), 10);
        }
    }
    fn claim_first(world: &Handover) {
        count(&world.ledger, &[]);
    }
    explore(Handover::new, [Handover::allocate, claim_first, read], |_| {});
}

#[test]
fn who_sees_a_block_freed_sees_all_that_was_counted_of_it_wherever_that_was() {
    fn read(world: &Handover) {
        if world.ledger.sum(TAG).freed_blocks == 1 {
            let sums = world.ledger.sum(TAG);
            assert!(sums.is_at_rest(), "{sums:?}");
            assert_eq!(sums.allocated_bytes, 10);
        }
    }
    explore(Handover::new, [Handover::allocate, Handover::free, read], |world| {
        let sums = world.ledger.sum(TAG);
        assert_eq!(sums.live_bytes(), 10 - sums.freed_bytes);
    });
}
