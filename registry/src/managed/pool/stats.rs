//! [`PoolStats`]: what a pool holds and has done.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a pool holds and has done. Read while others use it, the figures are of slightly
/// different moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PoolStats {
    /// Objects that wait to be used again.
    pub idle: usize,
    /// Objects handed out, neither returned nor detached.
    pub in_use: u64,
    /// What the idle objects weigh, the pool's own queue left out.
    pub weight_bytes: u64,
    /// Objects that the factory built.
    pub created_total: u64,
    /// Objects handed out again.
    pub reused_total: u64,
    /// Objects that came back, those discarded then included.
    pub returned_total: u64,
    /// Objects that were taken out of the pool for good by [`Pooled::detach`].
    ///
    /// [`Pooled::detach`]: crate::Pooled::detach
    pub detached_total: u64,
    /// Objects dropped for want of room: as many, or as many bytes, were idle as may be.
    pub discarded_full_total: u64,
    /// Objects dropped when they came back: they weighed more than an object may.
    pub discarded_oversized_total: u64,
    /// Objects dropped when they came back: the reset or the weigher panicked.
    pub discarded_panicked_total: u64,
    /// Idle objects dropped since memory was asked for, or by [`Pool::clear`].
    ///
    /// [`Pool::clear`]: crate::Pool::clear
    pub purged_total: u64,
    /// Panics of the factory, the reset, the weigher and of destructors.
    pub panics_total: u64,
}

impl PoolStats {
    /// Objects that were not kept when they came back, for whatever cause.
    #[must_use]
    pub fn discarded_total(&self) -> u64 {
        self.discarded_full_total + self.discarded_oversized_total + self.discarded_panicked_total
    }

    /// The share of objects handed out that had been used before; 0 before the first.
    #[must_use]
    pub fn reuse_ratio(&self) -> f64 {
        let acquired = self.created_total + self.reused_total;
        if acquired == 0 { 0.0 } else { self.reused_total as f64 / acquired as f64 }
    }
}

/// The counts behind [`PoolStats`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) created: Counter,
    pub(super) reused: Counter,
    pub(super) returned: Counter,
    pub(super) detached: Counter,
    pub(super) discarded_full: Counter,
    pub(super) discarded_oversized: Counter,
    pub(super) discarded_panicked: Counter,
    pub(super) purged: Counter,
    pub(super) panics: Counter,
}

impl Counters {
    pub(super) fn stats(&self, idle: usize, weight_bytes: u64) -> PoolStats {
        // Those that ended are read before those that began: a hand-out in between is one more
        // in use, not one less.
        let (returned_total, detached_total) = (self.returned.get(), self.detached.get());
        let (created_total, reused_total) = (self.created.get(), self.reused.get());
        let in_use = (created_total + reused_total).saturating_sub(returned_total + detached_total);
        PoolStats {
            idle,
            in_use,
            weight_bytes,
            created_total,
            reused_total,
            returned_total,
            detached_total,
            discarded_full_total: self.discarded_full.get(),
            discarded_oversized_total: self.discarded_oversized.get(),
            discarded_panicked_total: self.discarded_panicked.get(),
            purged_total: self.purged.get(),
            panics_total: self.panics.get(),
        }
    }
}

/// A number that grows.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
