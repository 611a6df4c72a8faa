//! What a cache does when memory is asked for.

use std::hash::Hash;
use std::sync::Arc;

use super::Cache;
use super::inner::Inner;
use super::table::Removed;
use crate::contain::drop_each_then_panic;
use crate::purge::{Bounds, PurgeOutcome, PurgeRequest, Purgeable, PurgeableFigures};
use crate::registry::Entry;

/// Entries that a shard gives up under one lock, at most: some tens of microseconds.
const BATCH: usize = 1024;

/// A purge that is under way.
struct Progress<'a> {
    request: &'a PurgeRequest,
    freed_bytes: u64,
    is_busy: bool,
}

impl Progress<'_> {
    fn is_late(&self) -> bool {
        self.request.is_late()
    }
}

impl<K: Hash + Eq, V> Inner<K, V> {
    /// Takes what has expired, if anything can have.
    fn purge_expired(&self, progress: &mut Progress<'_>) {
        let now = self.now();
        for shard in self.shards() {
            if progress.is_late() {
                return;
            }
            let mut out = Removed::new();
            match shard.try_lock(&self.books) {
                Some(mut locked) => {
                    progress.freed_bytes += locked.remove_expired(now, &mut out);
                }
                None => progress.is_busy = true,
            }
            drop_each_then_panic(out);
        }
    }

    /// Takes the oldest of each shard in turn, a batch at a time, so that the shards stay
    /// equally old. Past the deadline it takes no more.
    fn purge_oldest(&self, target_bytes: u64, progress: &mut Progress<'_>) {
        let now = self.now();
        while progress.freed_bytes < target_bytes && !progress.is_late() {
            let freed_before = progress.freed_bytes;
            let batch_bytes = (target_bytes - freed_before).div_ceil(self.parts.len() as u64);
            for _ in 0..self.parts.len() {
                if progress.freed_bytes >= target_bytes || progress.is_late() {
                    break;
                }
                let shard = &self.parts[self.next_turn()].shard;
                let mut out = Removed::new();
                match shard.try_lock(&self.books) {
                    Some(mut locked) => {
                        progress.freed_bytes += locked.evict(batch_bytes, BATCH, now, &mut out);
                    }
                    None => progress.is_busy = true,
                }
                drop_each_then_panic(out);
            }
            if progress.freed_bytes == freed_before {
                break;
            }
        }
    }

    /// Takes everything, tables included.
    fn purge_all(&self, progress: &mut Progress<'_>) {
        for shard in self.shards() {
            if progress.is_late() {
                return;
            }
            let Some(mut locked) = shard.try_lock(&self.books) else {
                progress.is_busy = true;
                continue;
            };
            progress.freed_bytes += locked.bytes();
            locked.counts.purged += locked.table.len() as u64;
            let table = locked.take_table();
            drop(locked);
            drop_each_then_panic(table.into_entries());
        }
    }
}

impl<K: Hash + Eq + Send, V: Send> Purgeable for Inner<K, V> {
    fn purgeable_bytes(&self) -> u64 {
        self.books.bytes()
    }

    fn purge(&self, request: &PurgeRequest) -> PurgeOutcome {
        let _tag = self.books.tag.enter();
        let mut progress = Progress { request, freed_bytes: 0, is_busy: false };
        if request.target_bytes == u64::MAX {
            self.purge_all(&mut progress);
        } else {
            self.purge_expired(&mut progress);
            self.purge_oldest(request.target_bytes, &mut progress);
        }
        PurgeOutcome::of(progress.freed_bytes, progress.is_busy || progress.is_late())
    }

    /// Look-ups are not known while someone holds a shard's lock for long.
    fn figures(&self) -> PurgeableFigures {
        let lookups = self.shards().try_fold((0u64, 0u64), |(hits, misses), shard| {
            let (more_hits, more_misses) = shard.try_lookups()?;
            Some((hits + more_hits, misses + more_misses))
        });
        let (hits_total, misses_total) = lookups.unzip();
        PurgeableFigures { entries: Some(self.books.entries() as u64), hits_total, misses_total }
    }

    fn set_bounds(&self, bounds: &Bounds) -> bool {
        if let Some(max_entries) = bounds.max_entries {
            self.books.set_max_entries(Some(max_entries.max(1)));
        }
        if let Some(max_bytes) = bounds.max_bytes {
            self.books.set_max_bytes(Some(max_bytes.max(1)));
        }
        self.make_room(None);
        true
    }
}

/// Registers the cache under its name, and asks it for as long as a clone of it lives.
impl<K, V> From<&Cache<K, V>> for Entry
where
    K: Hash + Eq + Send + 'static,
    V: Send + 'static,
{
    fn from(cache: &Cache<K, V>) -> Self {
        let weak = Arc::downgrade(&cache.inner);
        Entry::new(cache.name().to_owned(), Arc::new(weak)).tag(cache.tag())
    }
}
