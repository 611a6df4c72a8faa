//! What the tests of adapters share: the allocator, and a purge that is measured by the tag.

use std::sync::Arc;
use std::time::Instant;

use bursar::{
    AccountingAllocator, Entry, PressureLevel, PurgeOutcome, PurgeRequest, System, Tag, tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// What the caches hold.
pub(crate) type Bytes = Arc<[u8]>;

pub(crate) const ENTRIES: u64 = 4000;

/// A value of a kilobyte.
pub(crate) fn value(key: u64) -> Bytes {
    vec![key as u8; 1024].into()
}

/// What a purge claimed, and what the tag lost by it.
#[derive(Debug)]
pub(crate) struct Purged {
    pub(crate) claimed: u64,
    pub(crate) lost: u64,
    pub(crate) held_before: u64,
}

impl Purged {
    /// The part of the tag's bytes that went.
    pub(crate) fn share(&self) -> f64 {
        self.lost as f64 / self.held_before as f64
    }

    /// The claim is at most what went, and at least nine tenths of it.
    pub(crate) fn assert_is_honest(&self) {
        assert!(self.claimed <= self.lost && self.claimed >= self.lost * 9 / 10, "{self:?}");
    }
}

pub(crate) fn held(tag: &'static Tag) -> u64 {
    tag_usage(tag).live_bytes
}

/// Asks as the monitor does.
pub(crate) fn ask(entry: &Entry, target_bytes: u64) -> PurgeOutcome {
    entry.purgeable().purge(&PurgeRequest::new(target_bytes, PressureLevel::Warning))
}

/// Asks with no time to do anything.
pub(crate) fn ask_too_late(entry: &Entry) -> PurgeOutcome {
    let mut request = PurgeRequest::new(1 << 20, PressureLevel::Warning);
    request.deadline = Some(Instant::now());
    entry.purgeable().purge(&request)
}

/// Asks for what is there to be given up, and measures it.
pub(crate) fn purge(entry: &Entry, tag: &'static Tag, target_bytes: u64) -> Purged {
    let held_before = held(tag);
    let PurgeOutcome::Freed(claimed) = ask(entry, target_bytes) else {
        panic!("there was something to free")
    };
    Purged { claimed, lost: held_before - held(tag), held_before }
}
