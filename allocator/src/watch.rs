//! [`Watch`]: being woken when the budget's headroom is used up.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Thread;

use crate::thread::LEDGER;
use crate::usage;

static WATCHED: AtomicBool = AtomicBool::new(false);

/// Watches the headroom for one thread, which is unparked when it is used up; one in a process
/// at a time. Dropped, nothing is watched any more.
///
/// Between two scans, live bytes grow by at most the room of the last one, plus what threads hold
/// as unused allowances (each at most a 1,024th of the budget, between 4 KiB and 256 KiB), plus
/// one block in flight a thread, before the flag is raised.
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
    _only_by_start: (),
}

impl Watch {
    /// Starts watching for `waiter`, with allowances scaled to `budget_bytes`. The headroom is
    /// without bound until the first [`scan`](Self::scan).
    ///
    /// `None` if there is a watch already. The thread's handle, a few bytes, is leaked: an
    /// allocating thread may be about to wake it at any time.
    #[must_use]
    pub fn start(waiter: Thread, budget_bytes: u64) -> Option<Self> {
        // Acquire: pairs with the release in `drop`, after which the fuel is as if unwatched.
        if WATCHED.swap(true, Ordering::Acquire) {
            return None;
        }
        LEDGER.fuel.set_waiter(Box::leak(Box::new(waiter)), budget_bytes);
        Some(Self { _only_by_start: () })
    }

    /// Whether the headroom was used up since this was last asked. Ask before a scan, so that
    /// what happens during the scan is not lost.
    #[must_use]
    pub fn take_pending(&self) -> bool {
        LEDGER.fuel.take_pending()
    }

    /// Sums the live bytes, and makes what `room_for` answers to them the new headroom, less what
    /// was drawn meanwhile. One thread at a time.
    pub fn scan(&self, room_for: impl FnOnce(u64) -> u64) -> u64 {
        let begun_at = LEDGER.fuel.begin_scan();
        let live_bytes = usage::live_bytes();
        LEDGER.fuel.finish_scan(begun_at, room_for(live_bytes));
        live_bytes
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        LEDGER.fuel.clear_waiter();
        // Release: pairs with the acquire in `start`.
        WATCHED.store(false, Ordering::Release);
    }
}
