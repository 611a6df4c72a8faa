//! [`Watch`]: being woken when the budget's headroom is used up.

use crate::fork;
use crate::primitive::{AtomicRef, AtomicU64, Ordering, Thread};
use crate::thread::LEDGER;
use crate::usage::{self, Room};

/// The [`generation`](fork::generation) of the process that is watched, or zero.
static WATCHED: AtomicU64 = AtomicU64::new(0);

/// A thread that is or was to be woken. Kept for ever, in sight of a leak checker.
struct Waiter {
    thread: Thread,
    _earlier: Option<&'static Self>,
}

static WAITERS: AtomicRef<Waiter> = AtomicRef::empty();

impl Waiter {
    /// For who has the only watch.
    fn keep(thread: Thread) -> &'static Thread {
        let waiter = &*Box::leak(Box::new(Self { thread, _earlier: WAITERS.get() }));
        WAITERS.set(Some(waiter));
        &waiter.thread
    }
}

/// Watches the headroom for one thread, which is unparked when it is used up; one in a process
/// at a time. Dropped, nothing is watched any more.
///
/// A forked child is not watched, since the thread to be woken is not there: the watch that it
/// inherits never has anything pending and sets no headroom. The child may start one of its own.
///
/// Between two scans, live bytes grow by at most the room of the last one, plus what threads hold
/// as unused allowances (each at most a 1,024th of the budget, between 4 KiB and 256 KiB), plus
/// one block in flight a thread, before the flag is raised.
///
/// A tag with a budget of its own ([`Tag::set_budget_bytes`](crate::Tag::set_budget_bytes)) has
/// the flag raised too, no later than when it is past its budget by a 64th of the whole budget
/// and by the allowances and blocks in flight as above.
///
/// # Examples
///
/// ```
/// use bursar_alloc::Watch;
///
/// let watch = Watch::start(std::thread::current(), 64 << 20).expect("nobody else watches");
/// watch.scan(|live_bytes| (64 << 20) - live_bytes);
/// // ... later, after `std::thread::park_timeout`:
/// if watch.take_pending() {
///     println!("the headroom is used up");
/// }
/// ```
#[derive(Debug)]
pub struct Watch {
    budget_bytes: u64,
    /// Of the process that started it. A forked child may have a watch of its own beside it.
    generation: u64,
}

impl Watch {
    /// Starts watching for `waiter`, with allowances scaled to `budget_bytes`. The headroom is
    /// without bound until the first [`scan`](Self::scan). Without a waiter nobody is woken, and
    /// [`take_pending`](Self::take_pending) is there to be asked.
    ///
    /// `None` if there is a watch already. The thread's handle, a few bytes, is kept for ever: an
    /// allocating thread may be about to wake it at any time.
    #[must_use]
    pub fn start(waiter: impl Into<Option<Thread>>, budget_bytes: u64) -> Option<Self> {
        let generation = fork::generation();
        // Acquire: pairs with the release in `drop`, after which the fuel is as if unwatched.
        if WATCHED.swap(generation, Ordering::Acquire) == generation {
            return None;
        }
        LEDGER.fuel.set_waiter(waiter.into().map(Waiter::keep), budget_bytes);
        Some(Self { budget_bytes, generation })
    }

    /// Whether it was started in this process, and not in one that this was forked from.
    fn is_of_this_process(&self) -> bool {
        self.generation == fork::generation()
    }

    /// Whether the headroom was used up since this was last asked. Ask before a scan, so that
    /// what happens during the scan is not lost.
    #[must_use]
    pub fn take_pending(&self) -> bool {
        self.is_of_this_process() && LEDGER.fuel.take_pending()
    }

    /// Sums the live bytes, and makes what `room_for` answers to them the new headroom, less what
    /// was drawn meanwhile. One thread at a time.
    ///
    /// While threads allocate, what one of them allocates and another frees during the summing
    /// may be summed as live. A sum during which much was drawn is taken again, a few times.
    pub fn scan(&self, room_for: impl FnOnce(u64) -> u64) -> u64 {
        let (begun_at, room) = stillest_sum();
        let mut room_bytes = room_for(room.live_bytes);
        if let Some(tag_bytes) = room.tag_bytes {
            room_bytes = room_bytes.min(tag_bytes.max(self.budget_bytes / LEAST_PART_FOR_A_TAG));
        }
        if self.is_of_this_process() {
            LEDGER.fuel.finish_scan(begun_at, room_bytes);
        }
        room.live_bytes
    }
}

/// A tag near its own budget lowers the headroom to this part of the whole budget and no
/// further: a tag of a MiB must not have a whole service looked at for every few bytes.
const LEAST_PART_FOR_A_TAG: u64 = 64;
/// A sum is still if no more than this was drawn meanwhile: a few threads' largest allowances.
const STILL_BELOW_BYTES: i64 = 1 << 20;
const MAX_SUMS: usize = 4;

/// Of up to so many sums the one during which the least was drawn, and the headroom before it.
fn stillest_sum() -> (i64, Room) {
    let sum = || {
        let begun_at = LEDGER.fuel.begin_scan();
        let room = usage::room();
        (begun_at.saturating_sub(LEDGER.fuel.begin_scan()), begun_at, room)
    };
    let mut stillest = sum();
    for _ in 1..MAX_SUMS {
        if stillest.0 < STILL_BELOW_BYTES {
            break;
        }
        let next = sum();
        if next.0 < stillest.0 {
            stillest = next;
        }
    }
    (stillest.1, stillest.2)
}

impl Drop for Watch {
    fn drop(&mut self) {
        if self.is_of_this_process() {
            LEDGER.fuel.clear_waiter();
            // Release: pairs with the acquire in `start`.
            WATCHED.store(0, Ordering::Release);
        }
    }
}
