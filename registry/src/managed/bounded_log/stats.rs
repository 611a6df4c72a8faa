//! [`BoundedLogStats`]: what a log holds and has dropped.

/// What a log holds and has dropped: what was pushed is held, or counted by what became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct BoundedLogStats {
    /// Entries held.
    pub entries: usize,
    /// What the entries weigh, the ring's own memory left out.
    pub weight_bytes: u64,
    /// What the ring itself takes, its free places included.
    pub table_bytes: u64,
    /// Entries that were pushed.
    pub pushed_total: u64,
    /// Entries dropped for want of room.
    pub evicted_total: u64,
    /// Entries dropped since memory was asked for.
    pub purged_total: u64,
    /// Entries not taken in: by themselves they weigh more than all may.
    pub rejected_total: u64,
    /// Entries dropped by [`BoundedLog::clear`].
    ///
    /// [`BoundedLog::clear`]: crate::BoundedLog::clear
    pub removed_total: u64,
    /// Destructors of entries that panicked as the entries were dropped.
    pub panics_total: u64,
}

impl BoundedLogStats {
    /// Entries lost that nobody asked to be cleared: evicted, purged and rejected.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.evicted_total + self.purged_total + self.rejected_total
    }
}
