//! [`purge`]: taking a share of a cache that is not ours, and claiming what came back.

use bursar_alloc::{TagHandle, ThreadUsage, tag_usage, thread_usage};

use crate::purge::{PurgeOutcome, PurgeRequest};

/// A cache whose entries can be thrown out. It counts them in units: bytes where its weigher says
/// bytes, entries or whatever else it weighs by where not.
pub(super) trait Evict {
    /// The units it holds.
    fn units(&self) -> u64;

    /// Throws out about `units`, and has their memory freed before it returns.
    fn evict(&mut self, units: u64, due: &Due) -> Evicted;

    /// Throws out everything, `held` units, with what its tables give back.
    fn evict_all(&mut self, held: u64, due: &Due) -> Evicted;
}

/// What went.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Evicted {
    pub(super) units: u64,
    /// Something could not be had at this moment.
    pub(super) is_busy: bool,
}

/// How much a purge has to free, and by when.
#[derive(Debug)]
pub(super) struct Due<'a> {
    tag: &'a TagHandle,
    request: &'a PurgeRequest,
    live_before: u64,
    thread_before: Option<ThreadUsage>,
}

impl<'a> Due<'a> {
    fn begin(tag: &'a TagHandle, request: &'a PurgeRequest) -> Self {
        Self {
            tag,
            request,
            live_before: tag_usage(tag).live_bytes,
            thread_before: thread_usage(tag),
        }
    }

    pub(super) fn is_late(&self) -> bool {
        self.request.is_late()
    }

    /// What this thread has freed of the tag so far, more than it allocated.
    pub(super) fn freed_here_bytes(&self) -> u64 {
        let kept = thread_usage(self.tag)
            .zip(self.thread_before)
            .map_or(0, |(now, before)| now.since(&before).kept_bytes());
        u64::try_from(kept.saturating_neg()).unwrap_or(0)
    }

    /// What the tag has lost by this purge so far: what this thread has freed, whatever others put
    /// in meanwhile, or the fall of the tag's bytes, if others freed a part of it.
    pub(super) fn lost_bytes(&self) -> u64 {
        let fall = self.live_before.saturating_sub(tag_usage(self.tag).live_bytes);
        fall.max(self.freed_here_bytes())
    }
}

/// Rounds of estimating, evicting and measuring: the first is for most of it, the others for what
/// the estimate was wrong by.
const MAX_ROUNDS: u32 = 4;

/// Entries whose memory someone else holds, too, free nothing when they go: a cache is not
/// emptied for that, but gives up no more than this many times its share.
const MOST_OF_SHARE: f64 = 1.25;

/// Purges `cache` under `tag`. A unit counts for one byte if `is_in_bytes`, and otherwise for an
/// equal part of the tag's live bytes. Nothing is claimed that the tag has not lost.
pub(super) fn purge(
    tag: &TagHandle,
    request: &PurgeRequest,
    is_in_bytes: bool,
    cache: &mut impl Evict,
) -> PurgeOutcome {
    let _tag = tag.enter();
    let due = Due::begin(tag, request);
    let held = cache.units();
    let bytes_per_unit = bytes_per_unit(held, due.live_before, is_in_bytes);
    let mut evicted = Evicted::default();
    if due.is_late() {
        evicted.is_busy = held > 0;
    } else if request.target_bytes == u64::MAX {
        evicted = cache.evict_all(held, &due);
    } else {
        evict_share(request.target_bytes, bytes_per_unit, &due, cache, &mut evicted);
    }
    let claimed = due.lost_bytes().min((evicted.units as f64 * bytes_per_unit) as u64);
    match (evicted, claimed) {
        (Evicted { is_busy: true, .. }, 0) => PurgeOutcome::Busy,
        (Evicted { units: 0, .. }, _) => PurgeOutcome::Empty,
        _ => PurgeOutcome::Freed(claimed),
    }
}

fn evict_share(
    target_bytes: u64,
    bytes_per_unit: f64,
    due: &Due<'_>,
    cache: &mut impl Evict,
    evicted: &mut Evicted,
) {
    for _ in 0..MAX_ROUNDS {
        let missing_bytes = target_bytes.saturating_sub(due.lost_bytes()) as f64;
        let allowed_bytes =
            target_bytes as f64 * MOST_OF_SHARE - evicted.units as f64 * bytes_per_unit;
        let units = (missing_bytes.min(allowed_bytes) / bytes_per_unit).ceil();
        if units < 1.0 || due.is_late() {
            return;
        }
        let round = cache.evict(units as u64, due);
        evicted.units += round.units;
        evicted.is_busy |= round.is_busy;
        if round.units == 0 {
            return;
        }
    }
}

/// At least one: where nothing is known (no accounting allocator), too little is evicted rather
/// than too much.
fn bytes_per_unit(units: u64, live_bytes: u64, is_in_bytes: bool) -> f64 {
    if is_in_bytes { 1.0 } else { (live_bytes as f64 / units.max(1) as f64).max(1.0) }
}
