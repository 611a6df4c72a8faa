//! [`Books`]: what all shards of a cache hold together, and what they may hold.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use bursar_alloc::TagHandle;
use crossbeam_utils::CachePadded;

/// A cache's sums and bounds. Written when entries come and go; a look-up that hits leaves it
/// alone.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) tag: TagHandle,
    held: CachePadded<Holding>,
    // `MAX` for no bound.
    max_entries: AtomicUsize,
    max_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct Holding {
    entries: AtomicUsize,
    bytes: AtomicU64,
}

// Relaxed throughout: sums and bounds, which no other memory hangs on.
impl Books {
    pub(super) fn new(tag: TagHandle, max_entries: Option<usize>, max_bytes: Option<u64>) -> Self {
        Self {
            tag,
            held: CachePadded::default(),
            max_entries: AtomicUsize::new(max_entries.unwrap_or(usize::MAX)),
            max_bytes: AtomicU64::new(max_bytes.unwrap_or(u64::MAX)),
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.held.entries.load(Ordering::Relaxed)
    }

    /// What the entries weigh and their tables take up.
    pub(super) fn bytes(&self) -> u64 {
        self.held.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn max_entries(&self) -> usize {
        self.max_entries.load(Ordering::Relaxed)
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn set_max_entries(&self, max_entries: Option<usize>) {
        self.max_entries.store(max_entries.unwrap_or(usize::MAX), Ordering::Relaxed);
    }

    pub(super) fn set_max_bytes(&self, max_bytes: Option<u64>) {
        self.max_bytes.store(max_bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Whether more is held than may be.
    pub(super) fn is_over(&self) -> bool {
        self.entries() > self.max_entries() || self.bytes() > self.max_bytes()
    }

    /// Whether more is held than may be, once what one shard holds more or less is taken over.
    pub(super) fn is_over_with(&self, before: Held, now: Held) -> bool {
        self.entries().wrapping_add(now.entries.wrapping_sub(before.entries)) > self.max_entries()
            || self.bytes().wrapping_add(now.bytes.wrapping_sub(before.bytes)) > self.max_bytes()
    }

    /// Takes over what one shard holds more or less than it did (`before`, `now`).
    pub(super) fn note(&self, before: Held, now: Held) {
        let held = &self.held;
        if before.entries != now.entries {
            held.entries.fetch_add(now.entries.wrapping_sub(before.entries), Ordering::Relaxed);
        }
        if before.bytes != now.bytes {
            held.bytes.fetch_add(now.bytes.wrapping_sub(before.bytes), Ordering::Relaxed);
        }
    }
}

/// What one shard holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) entries: usize,
    pub(super) bytes: u64,
}
