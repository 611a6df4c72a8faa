//! The sampling of the heap, for as long as a [`Bursar`](crate::Bursar) has it on.

use std::sync::atomic::{AtomicBool, Ordering};

use bursar_alloc::Sampling;

use crate::bursar::BURSAR;
use crate::error::Error;

/// What a sample takes of the table, with its part of the index.
const SAMPLE_BYTES: u64 = 1_088;
/// Room for so many times the samples of a heap as large as the budget: which allocations are hit
/// is a matter of chance.
const ROOM: u64 = 2;
/// The smallest table that is made unasked, for some 240 samples.
const MIN_TABLE_BYTES: u64 = 256 << 10;
/// And the largest: this part of the budget.
const BUDGET_PART: u64 = 64;

/// The table's size for a budget, where none was given.
fn table_bytes(interval_bytes: u64, budget_bytes: u64) -> u64 {
    let samples = budget_bytes / interval_bytes.max(1);
    let most = (budget_bytes / BUDGET_PART).max(MIN_TABLE_BYTES);
    samples.saturating_mul(ROOM * SAMPLE_BYTES).clamp(MIN_TABLE_BYTES, most)
}

/// Switched on and off, and off when it is dropped, if it was switched on by this one.
#[derive(Debug, Default)]
pub(crate) struct Switch {
    is_on: AtomicBool,
}

impl Switch {
    /// Switches sampling on, or changes its interval. What it takes is charged to the tag `bursar`.
    pub(crate) fn on(
        &self,
        interval_bytes: u64,
        given_table_bytes: Option<u64>,
        budget_bytes: u64,
    ) -> Result<(), Error> {
        let _tag = BURSAR.enter();
        let bytes = given_table_bytes.unwrap_or_else(|| table_bytes(interval_bytes, budget_bytes));
        let table_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        bursar_alloc::start_sampling(Sampling { interval_bytes, table_bytes })?;
        self.is_on.store(true, Ordering::Relaxed);
        Ok(())
    }

    pub(crate) fn off(&self) {
        if self.is_on.swap(false, Ordering::Relaxed) {
            bursar_alloc::stop_sampling();
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.off();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_room_for_twice_the_samples_of_a_full_budget_and_costs_little_of_it() {
        for (budget, interval, expected) in [
            (16 << 20, 512 << 10, 256 << 10),
            (128 << 20, 512 << 10, 544 << 10),
            (4 << 30, 512 << 10, 17 << 20),
            (128 << 20, 1 << 10, 2 << 20),
            (1 << 20, 0, 256 << 10),
        ] {
            assert_eq!(table_bytes(interval, budget), expected, "{budget} {interval}");
        }
    }
}
