//! The process's samples: taking one, and what becomes of it as its block lives.

use std::cell::Cell;

use super::stack;
use super::table::{Block, Claimed, Table};
use crate::primitive::{AtomicRef, AtomicU64, Ordering};
use crate::tag_table::UNTAGGED;

/// Made by the first who switches sampling on, and kept: blocks that were sampled have their tag
/// there.
pub(super) static TABLE: AtomicRef<Table<'static>> = AtomicRef::empty();

/// Samples that were kept, and those that could not be.
pub(super) static TAKEN: AtomicU64 = AtomicU64::new(0);
pub(super) static LOST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether the thread is taking a sample: what that allocates, should an unwinder do so, and
    /// what a signal handler does meanwhile, is not sampled.
    static IS_SAMPLING: Cell<bool> = const { Cell::new(false) };
}

/// A block that was hit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    pub(crate) address: usize,
    pub(crate) size: usize,
    pub(crate) tag: u8,
    pub(crate) interval_bytes: u64,
    /// On the stack: frames that lie here or further in are those of who samples.
    pub(crate) below: *const u8,
}

/// Takes a sample of a block, with the stack of whoever calls: whether it was kept. Nobody frees
/// the block meanwhile.
#[inline(never)]
pub(crate) fn sample(hit: Hit) -> bool {
    let is_kept = !IS_SAMPLING.replace(true) && {
        let is_kept = TABLE.get().is_some_and(|table| keep(table, hit));
        IS_SAMPLING.set(false);
        is_kept
    };
    (if is_kept { &TAKEN } else { &LOST }).fetch_add(1, Ordering::Relaxed);
    is_kept
}

fn keep(table: &Table<'_>, hit: Hit) -> bool {
    let Hit { address, size, tag, interval_bytes, below } = hit;
    let block = Block { address, size, tag, interval_bytes };
    let claimed = table.claim(block, |keep| stack::capture(below, keep));
    claimed.is_some_and(|slot| publish(table, slot))
}

fn publish(table: &Table<'_>, slot: Claimed) -> bool {
    table.publish(slot).map_err(|slot| table.release(slot)).is_ok()
}

/// A sampled block that is being resized: out of the table's index, in the hands of its thread.
#[derive(Debug)]
#[must_use = "it is to be put back, or forgotten"]
pub(crate) struct Held {
    table: &'static Table<'static>,
    slot: Claimed,
    block: Block,
}

/// Takes the sample of the block at this address in hand.
pub(crate) fn hold(address: usize) -> Option<Held> {
    let table = TABLE.get()?;
    let slot = table.take(address)?;
    let block = table.block(&slot);
    Some(Held { table, slot, block })
}

/// The tag of the sampled block at this address, whose sample ends.
pub(crate) fn forget(address: usize) -> u8 {
    // There always is one: the block bears `SAMPLED`.
    hold(address).map_or(UNTAGGED, Held::forget)
}

/// The tag of the sampled block at this address.
pub(crate) fn tag_of(address: usize) -> u8 {
    let block = TABLE.get().and_then(|table| table.block_at(address));
    block.map_or(UNTAGGED, |block| block.tag)
}

/// Charges the sampled block at this address to another tag.
pub(crate) fn retag(address: usize, tag: u8) {
    if let Some(table) = TABLE.get() {
        table.retag(address, tag);
    }
}

/// Ends the sample of the block at this address, which cannot be marked as sampled.
#[cold]
pub(crate) fn lose(address: usize) {
    forget(address);
    TAKEN.fetch_sub(1, Ordering::Relaxed);
    LOST.fetch_add(1, Ordering::Relaxed);
}

impl Held {
    /// The block's tag.
    pub(crate) fn tag(&self) -> u8 {
        self.block.tag
    }

    /// Puts it back as it was: false if there is no more place for it, and it is lost.
    pub(crate) fn put_back(self) -> bool {
        let is_kept = publish(self.table, self.slot);
        if !is_kept {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        is_kept
    }

    /// Puts it back for the block as it is now, with what `draw_lots` says if it has shrunk: false
    /// if its sample has ended.
    pub(crate) fn resized(
        self,
        address: usize,
        size: usize,
        draw_lots: impl FnOnce(f64) -> bool,
    ) -> bool {
        let Block { size: old, interval_bytes, .. } = self.block;
        let chance = probability(size, interval_bytes) / probability(old, interval_bytes);
        if size < old && !draw_lots(chance) {
            self.forget();
            return false;
        }
        self.table.change(&self.slot, Block { address, size, ..self.block });
        self.put_back()
    }

    /// Ends the sample; its block's tag.
    pub(crate) fn forget(self) -> u8 {
        self.table.release(self.slot);
        self.block.tag
    }
}

/// How probable it is that a block of this size was hit.
pub(super) fn probability(size: usize, interval_bytes: u64) -> f64 {
    -(-(size as f64) / interval_bytes as f64).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_much_smaller_than_the_interval_is_hit_in_proportion_and_a_large_one_surely() {
        let proportion = probability(100, 512 << 10) * f64::from(512 << 10);
        assert!((proportion - 100.0).abs() < 0.01, "{proportion}");
        assert!((probability(1000, 1000) - 0.632_12).abs() < 1e-5);
        assert!((probability(100 << 20, 512 << 10) - 1.0).abs() < 1e-9);
    }
}
