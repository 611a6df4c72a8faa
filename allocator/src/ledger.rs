//! All shards, their sums, and the fuel: the books of one process.

use std::ptr;

use crate::fuel::Fuel;
use crate::primitive::{AtomicU64, AtomicUsize, Ordering};
use crate::shard::{Shard, TagSums};

/// A table of shards and the budget's headroom. A value, so that a small one can be modelled.
#[derive(Debug)]
pub(crate) struct Ledger<const SLOTS: usize, const TAGS: usize> {
    pub(crate) fuel: Fuel,
    slots: [Shard<TAGS>; SLOTS],
    /// For threads that have no slot: more threads than slots, or past their exit hook.
    pub(crate) shared: Shard<TAGS>,
    /// Slots below this index have been claimed at least once; no sum looks beyond.
    slots_ever_used: AtomicUsize,
    /// Claims that found every slot taken.
    refused_claims: AtomicU64,
}

impl<const SLOTS: usize, const TAGS: usize> Ledger<SLOTS, TAGS> {
    pub(crate) const fn new() -> Self {
        Self {
            fuel: Fuel::new(),
            slots: [const { Shard::new() }; SLOTS],
            shared: Shard::new(),
            slots_ever_used: AtomicUsize::new(0),
            refused_claims: AtomicU64::new(0),
        }
    }

    /// A shard of the calling thread's own, or `None` where all are taken. The lowest free slot
    /// is taken, so that sums stay short.
    pub(crate) fn claim(&self) -> Option<&Shard<TAGS>> {
        let Some(index) = self.slots.iter().position(|slot| slot.try_claim()) else {
            self.refused_claims.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        // Release: pairs with the acquire in `shards`, which must not miss a slot whose charges
        // its reader has heard of.
        self.slots_ever_used.fetch_max(index + 1, Ordering::Release);
        Some(&self.slots[index])
    }

    /// Releases every shard but the calling thread's `own`, where the threads that held them are
    /// gone without having run their exit hooks. Only for a process of one thread.
    pub(crate) fn release_all_but(&self, own: Option<&Shard<TAGS>>) {
        let used = self.slots_ever_used.load(Ordering::Relaxed);
        for (index, slot) in self.slots.iter().enumerate() {
            if !slot.is_claimed() {
                // A thread may have vanished between claiming its shard and saying so. Since the
                // lowest free slot is claimed, there is none such behind one that is free.
                if index >= used {
                    break;
                }
            } else if !own.is_some_and(|own| ptr::eq(own, slot)) {
                slot.release();
            }
        }
    }

    /// One tag's figures over all shards.
    pub(crate) fn sum(&self, tag: u8) -> TagSums {
        let mut sum = TagSums::default();
        for shard in self.shards() {
            sum.add(&shard.tag(tag).read());
        }
        sum
    }

    /// The figures of the first `tags` tags and of `last`, over all shards. Shard by shard, as
    /// they lie in memory.
    pub(crate) fn sum_all(&self, tags: usize, last: u8) -> [TagSums; TAGS] {
        let mut sums = [TagSums::default(); TAGS];
        for shard in self.shards() {
            for (sum, counters) in sums.iter_mut().zip(shard.first_tags(tags)) {
                sum.add(&counters.read());
            }
            sums[usize::from(last)].add(&shard.tag(last).read());
        }
        sums
    }

    /// Slots held by a thread now.
    pub(crate) fn slots_in_use(&self) -> usize {
        self.shards().filter(|shard| shard.is_claimed()).count()
    }

    /// How often a thread found no slot, and was counted in the shared shard instead.
    pub(crate) fn refused_claims(&self) -> u64 {
        self.refused_claims.load(Ordering::Relaxed)
    }

    fn shards(&self) -> impl Iterator<Item = &Shard<TAGS>> {
        // Acquire: pairs with the release in `claim`.
        let used = self.slots_ever_used.load(Ordering::Acquire);
        self.slots[..used].iter().chain(std::iter::once(&self.shared))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_on_another_shard_is_credited_to_the_tag_of_the_block() {
        let ledger: Ledger<2, 4> = Ledger::new();
        let (here, there) = (ledger.claim().unwrap(), ledger.claim().unwrap());
        here.charge(3, 100);
        here.charge(3, 50);
        there.uncharge(3, 100);
        assert_eq!(ledger.sum(3).live_bytes(), 50);
        assert_eq!(ledger.sum(3).live_blocks(), 1);
        assert_eq!(ledger.sum(2), TagSums::default());
    }

    #[test]
    fn a_released_shard_keeps_its_counts_and_the_next_owner_goes_on_from_them() {
        let ledger: Ledger<1, 2> = Ledger::new();
        for round in 1..=1000 {
            let shard = ledger.claim().unwrap();
            shard.charge(1, 10);
            shard.release();
            assert_eq!(ledger.sum(1).live_bytes(), 10 * round);
        }
        assert_eq!(ledger.slots_in_use(), 0);
    }

    #[test]
    fn a_thread_alone_in_its_process_keeps_its_shard_and_has_the_others_back_with_their_counts() {
        let ledger: Ledger<4, 2> = Ledger::new();
        let [first, own, last] = [(); 3].map(|()| ledger.claim().unwrap());
        for shard in [first, own, last] {
            shard.charge(1, 10);
        }
        first.release();
        // The last thread vanished before it had said that its slot is in use.
        ledger.slots_ever_used.store(2, Ordering::Relaxed);

        ledger.release_all_but(Some(own));
        assert!(own.is_claimed());
        assert!(![first, last].iter().any(|shard| shard.is_claimed()));
        ledger.slots_ever_used.store(3, Ordering::Relaxed);
        assert_eq!(ledger.sum(1).live_bytes(), 30);

        ledger.release_all_but(None);
        assert_eq!(ledger.slots_in_use(), 0);
    }

    #[test]
    fn a_thread_past_the_slots_is_counted_in_the_shared_shard() {
        let ledger: Ledger<1, 2> = Ledger::new();
        let _taken = ledger.claim().unwrap();
        assert!(ledger.claim().is_none());
        assert_eq!(ledger.refused_claims(), 1);
        let block = TagSums { allocated_bytes: 64, allocated_blocks: 1, ..TagSums::default() };
        ledger.shared.add_shared(1, &block);
        assert_eq!(ledger.sum(1), block);
    }

    #[test]
    fn a_reader_never_sees_a_negative_figure() {
        let ledger: Ledger<1, 2> = Ledger::new();
        ledger.claim().unwrap().uncharge(1, 1);
        assert_eq!(ledger.sum(1).live_bytes(), 0);
        assert_eq!(ledger.sum(1).live_blocks(), 0);
    }
}
