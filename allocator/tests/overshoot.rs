//! How far a budget can be passed before the flag is up, with all threads allocating as fast as
//! they can while scans run. A process of its own: nobody else draws.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};

use bursar_alloc::{AccountingAllocator, System, Tag, Watch, live_bytes, tag_usage};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

const THREADS: usize = 4;
const BUDGET_BYTES: u64 = 64 << 20;
const MAX_BLOCK_BYTES: usize = 8 << 10;
/// The largest allowance under this budget.
const ALLOWANCE_BYTES: u64 = BUDGET_BYTES / 1024;
/// What the documentation of `Watch` says on top of the room.
const BOUND_BYTES: u64 = THREADS as u64 * (ALLOWANCE_BYTES + MAX_BLOCK_BYTES as u64);

/// One watch in a process at a time; these tests take turns.
#[expect(clippy::disallowed_methods, reason = "a test, not the path of an allocation")]
fn take_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Allocates blocks of many sizes, some `bytes` in all, and keeps three of four.
fn allocate(bytes: usize, mut random: u64) -> Vec<Vec<u8>> {
    let (mut kept, mut allocated) = (Vec::new(), 0);
    while allocated < bytes {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let size = 1 + random as usize % MAX_BLOCK_BYTES;
        let block = Vec::with_capacity(size);
        if !random.is_multiple_of(4) {
            kept.push(block);
        }
        allocated += size;
    }
    kept
}

/// Has all threads allocate `before` bytes each, then `after`, and `check` when all is live and
/// at rest. `scan` runs meanwhile, and is given what waits until all are done with `before`.
fn round(
    before: usize,
    after: usize,
    seed: u64,
    scan: impl FnOnce(&dyn Fn()),
    check: impl FnOnce(),
) {
    let (halfway, scanned) = (AtomicUsize::new(0), Barrier::new(THREADS + 1));
    let (arrived, checked) = (Barrier::new(THREADS + 1), Barrier::new(THREADS + 1));
    std::thread::scope(|scope| {
        for thread in 0..THREADS as u64 {
            let seed = seed * 31 + thread + 1;
            let (halfway, scanned, arrived, checked) = (&halfway, &scanned, &arrived, &checked);
            scope.spawn(move || {
                let first = allocate(before, seed);
                halfway.fetch_add(1, Ordering::Release);
                scanned.wait();
                let second = allocate(after, seed + 17);
                arrived.wait();
                checked.wait();
                drop((first, second));
            });
        }
        scan(&|| {
            while halfway.load(Ordering::Acquire) < THREADS {
                std::thread::yield_now();
            }
        });
        scanned.wait();
        arrived.wait();
        check();
        checked.wait();
    });
}

/// A scan as long as can be, which begins when hardly anything is allocated: all that is drawn
/// while it sums has to be kept.
#[test]
fn no_more_than_the_bound_is_live_past_the_budget_without_the_flag_being_up() {
    let _turn = take_turn();
    let watch = Watch::start(std::thread::current(), BUDGET_BYTES).unwrap();
    let room = |live| BUDGET_BYTES.saturating_sub(live);
    let mut raised_rounds = 0;
    for seed in 1..=60 {
        // The first part alone never uses the headroom up: it is what would be lost.
        let share = BUDGET_BYTES as usize / 16 / THREADS;
        let (before, after) = ((seed as usize % 8 + 7) * share, (seed as usize % 11 + 1) * share);
        watch.scan(room);
        let _ = watch.take_pending();
        let scan = |wait: &dyn Fn()| {
            watch.scan(|live| {
                wait();
                room(live)
            });
        };
        let mut live = 0;
        round(before, after, seed, scan, || live = live_bytes());
        let raised = watch.take_pending();
        assert!(raised || live <= BUDGET_BYTES + BOUND_BYTES, "{live} live bytes and no flag");
        raised_rounds += usize::from(raised);
    }
    assert!((10..60).contains(&raised_rounds), "{raised_rounds} rounds tell nothing");
}

#[test]
fn scans_without_a_pause_lose_nothing_that_is_drawn_between_them() {
    let _turn = take_turn();
    let watch = Watch::start(std::thread::current(), BUDGET_BYTES).unwrap();
    let room = |live| BUDGET_BYTES.saturating_sub(live);
    for seed in 1..=20 {
        let bytes = (seed as usize % 12 + 4) * (BUDGET_BYTES as usize / 8 / THREADS);
        let (done, mut live, mut raised) = (AtomicBool::new(false), 0, false);
        watch.scan(room);
        let _ = watch.take_pending();
        std::thread::scope(|scope| {
            let watch = &watch;
            let scanner = scope.spawn(|| {
                let mut raised = false;
                while !done.load(Ordering::Acquire) {
                    raised |= watch.take_pending();
                    watch.scan(room);
                }
                raised
            });
            round(bytes, 1 << 20, seed, |wait| wait(), || live = live_bytes());
            done.store(true, Ordering::Release);
            raised = scanner.join().unwrap() || watch.take_pending();
        });
        assert!(raised || live <= BUDGET_BYTES + BOUND_BYTES, "{live} live bytes and no flag");
    }
}

#[test]
fn a_tags_own_budget_is_passed_by_no_more_than_its_bound_without_the_flag_being_up() {
    static TENANT: Tag = Tag::new("tenant");
    const TENANT_BUDGET_BYTES: u64 = 4 << 20;
    let _turn = take_turn();
    TENANT.set_budget_bytes(Some(TENANT_BUDGET_BYTES));
    let watch = Watch::start(std::thread::current(), BUDGET_BYTES).unwrap();
    let mut raised_rounds = 0;
    for seed in 1..=30 {
        watch.scan(|_| 1 << 40);
        let _ = watch.take_pending();
        let bytes = seed as usize * (512 << 10);
        let mut held = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| held = TENANT.scope(|| allocate(bytes, seed)));
        });
        let (live, raised) = (tag_usage(&TENANT).live_bytes, watch.take_pending());
        let bound = TENANT_BUDGET_BYTES + BUDGET_BYTES / 64 + BOUND_BYTES;
        assert!(raised || live <= bound, "{live} live bytes of a tag and no flag");
        raised_rounds += usize::from(raised);
    }
    assert!((5..30).contains(&raised_rounds), "{raised_rounds} rounds tell nothing");
    TENANT.set_budget_bytes(None);
}
