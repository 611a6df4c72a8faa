//! [`WeakCacheStats`]: what a weak cache holds and has seen.

/// What a weak cache holds and has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct WeakCacheStats {
    /// Entries held, those whose values are gone included.
    pub entries: usize,
    /// Look-ups that found a value.
    pub hits_total: u64,
    /// Look-ups that found none, or one that was gone.
    pub misses_total: u64,
    /// Entries put in under a key that had none.
    pub inserted_total: u64,
    /// Entries taken out by hand.
    pub removed_total: u64,
    /// Entries dropped by the look-up that found their values gone.
    pub dead_total: u64,
    /// Entries dropped by a sweep that found their values gone, or to make room.
    pub swept_total: u64,
    /// Entries of live values dropped for want of room.
    pub evicted_total: u64,
}

impl WeakCacheStats {
    /// The share of look-ups that found a value; 0 before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> f64 {
        let lookups = self.hits_total + self.misses_total;
        if lookups == 0 { 0.0 } else { self.hits_total as f64 / lookups as f64 }
    }

    /// Adds another shard's.
    pub(super) fn add(&mut self, other: &Self) {
        self.entries += other.entries;
        self.hits_total += other.hits_total;
        self.misses_total += other.misses_total;
        self.inserted_total += other.inserted_total;
        self.removed_total += other.removed_total;
        self.dead_total += other.dead_total;
        self.swept_total += other.swept_total;
        self.evicted_total += other.evicted_total;
    }
}
