//! jemalloc under `tracking-allocator`, with what its user has to write to have live bytes per
//! tag: a counter a group, added to and subtracted from by every thread.

use std::process::ExitCode;
use std::sync::atomic::{AtomicI64, Ordering};

use tikv_jemallocator::Jemalloc;
use tracking_allocator::{
    AllocationGroupId, AllocationGroupToken, AllocationRegistry, AllocationTracker, Allocator,
};

#[global_allocator]
static ALLOCATOR: Allocator<Jemalloc> = Allocator::from_allocator(Jemalloc);

static LIVE_BYTES: [AtomicI64; 256] = [const { AtomicI64::new(0) }; 256];

struct LiveBytes;

impl LiveBytes {
    fn of(group: &AllocationGroupId) -> &'static AtomicI64 {
        &LIVE_BYTES[group.as_usize().get() % LIVE_BYTES.len()]
    }
}

impl AllocationTracker for LiveBytes {
    fn allocated(&self, _: usize, size: usize, _: usize, group: AllocationGroupId) {
        Self::of(&group).fetch_add(size as i64, Ordering::Relaxed);
    }

    fn deallocated(
        &self,
        _: usize,
        size: usize,
        _: usize,
        source: AllocationGroupId,
        _: AllocationGroupId,
    ) {
        Self::of(&source).fetch_sub(size as i64, Ordering::Relaxed);
    }
}

fn main() -> ExitCode {
    AllocationRegistry::set_global_tracker(LiveBytes).expect("no tracker was set before");
    AllocationRegistry::enable_tracking();
    let mut group = AllocationGroupToken::register().expect("groups are left");
    let _guard = group.enter();
    bursar_benches::run::<bursar_alloc::Jemalloc>("tracking_jemalloc", None)
}
