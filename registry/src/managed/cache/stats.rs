//! [`CacheStats`]: what a cache holds and has seen.

/// What a cache holds and has seen. Bytes are exact at rest; each shard is read at its own moment.
///
/// Every entry that was put in is held or was counted once as it left: `inserted_total` is
/// `entries` and the five totals from `evicted_total` to `removed_total` together.
///
/// # Examples
///
/// ```
/// use bursar::{Cache, Tag};
///
/// static ICONS: Tag = Tag::new("icons");
///
/// let icons: Cache<u32, String> = Cache::builder(&ICONS).max_entries(1).build()?;
/// icons.get_or_insert_with(1, || "house".to_owned());
/// icons.get_or_insert_with(2, || "tree".to_owned());
/// let stats = icons.stats();
/// assert_eq!((stats.entries, stats.loads_total, stats.evicted_total), (1, 2, 1));
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CacheStats {
    /// Entries held, expired ones that nobody looked up included.
    pub entries: usize,
    /// What the entries weigh: what their loaders left allocated under the tag, or what the
    /// weigher said.
    pub weight_bytes: u64,
    /// What the cache's own nodes and hash tables take up.
    pub table_bytes: u64,
    /// What the cache weighs, its fixed parts included, less the live bytes of its tag. Positive
    /// where values live under other tags or were weighed as heavier than they are; negative
    /// where the tag holds what this cache does not know: values without a weight, or what other
    /// code allocates under the tag.
    pub unattributed_bytes: i64,
    /// Look-ups that found a value.
    pub hits_total: u64,
    /// Look-ups that found none.
    pub misses_total: u64,
    /// Loaders that made a value.
    pub loads_total: u64,
    /// Loaders that failed, panicked, or were dropped before they were done.
    pub load_failures_total: u64,
    /// Entries put in, those that replaced another included.
    pub inserted_total: u64,
    /// Entries dropped for want of room.
    pub evicted_total: u64,
    /// Entries dropped when asked for memory.
    pub purged_total: u64,
    /// Entries dropped since their time was up.
    pub expired_total: u64,
    /// Entries whose value gave way to another for the same key.
    pub replaced_total: u64,
    /// Entries taken out by `remove` and `clear`.
    pub removed_total: u64,
    /// Values that were not kept, since each alone is over the bound.
    pub rejected_total: u64,
}

impl CacheStats {
    /// The share of look-ups that found a value; 0 before the first.
    #[must_use]
    pub fn hit_ratio(&self) -> f64 {
        let lookups = self.hits_total + self.misses_total;
        if lookups == 0 { 0.0 } else { self.hits_total as f64 / lookups as f64 }
    }

    pub(super) fn add(&mut self, counts: &Counts) {
        self.hits_total += counts.hits;
        self.misses_total += counts.misses;
        self.loads_total += counts.loads;
        self.load_failures_total += counts.load_failures;
        self.inserted_total += counts.inserted;
        self.evicted_total += counts.evicted;
        self.purged_total += counts.purged;
        self.expired_total += counts.expired;
        self.replaced_total += counts.replaced;
        self.removed_total += counts.removed;
        self.rejected_total += counts.rejected;
    }
}

/// One shard's counts, under its lock.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) hits: u64,
    pub(super) misses: u64,
    pub(super) loads: u64,
    pub(super) load_failures: u64,
    pub(super) inserted: u64,
    pub(super) evicted: u64,
    pub(super) purged: u64,
    pub(super) expired: u64,
    pub(super) replaced: u64,
    pub(super) removed: u64,
    pub(super) rejected: u64,
}
