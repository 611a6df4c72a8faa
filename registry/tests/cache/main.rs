//! The cache over the real allocator.

mod bounds;
mod expiry;
mod futures;
mod hostile;
mod loads;
mod lookups;
mod model;
mod purge;
mod weights;

use std::sync::Arc;

use bursar::{
    AccountingAllocator, Cache, Entry, PressureLevel, PurgeOutcome, PurgeRequest, Purgeable, System,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

type Bytes = Arc<[u8]>;
/// What an `Arc` takes beside its value.
const COUNTERS: u64 = 2 * size_of::<usize>() as u64;

/// Has the cache load values of `len` bytes.
fn fill(cache: &Cache<u64, Bytes>, keys: std::ops::Range<u64>, len: usize) {
    for key in keys {
        cache.get_or_insert_with(key, || vec![key as u8; len].into());
    }
}

/// What the monitor's thread calls.
fn as_purgeable<K, V>(cache: &Cache<K, V>) -> Arc<dyn Purgeable>
where
    K: std::hash::Hash + Eq + Send + 'static,
    V: Send + 'static,
{
    Arc::clone(Entry::from(cache).purgeable())
}

fn purge(purgeable: &dyn Purgeable, target_bytes: u64) -> PurgeOutcome {
    purgeable.purge(&PurgeRequest::new(target_bytes, PressureLevel::Warning))
}

/// The same numbers each time, well mixed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
