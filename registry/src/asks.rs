//! [`Asks`]: what a monitor is asked for by others, who do not wait for it; and
//! [`PurgeDeferral`], by which they have it wait for them.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;

use crate::pressure::PressureLevel;

/// What is asked for, until the monitor's next step takes it. Anyone may write, at any time, from
/// inside a callback too; nobody waits.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    /// [`Asked`], as bits.
    asked: AtomicU8,
    /// How many deferrals live.
    deferrals: AtomicUsize,
    /// Whether something was put off for them.
    has_put_off: AtomicBool,
    /// Whom to wake; there is nobody without a thread.
    waiter: OnceLock<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    thread: Thread,
    /// A forked child has the handle, and not the thread.
    process_id: u32,
}

/// What was asked for. What is asked for twice is done once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Asked(u8);

impl Asked {
    pub(crate) const COLLECT: Self = Self(1);
    /// To look whether what was put off may be done now.
    const LOOK: Self = Self(1 << 1);
    const RECLAIM: Self = Self(0b111 << 2);

    /// The ladder up to `level`. Nothing at normal.
    fn reclaim(level: PressureLevel) -> Self {
        match level {
            PressureLevel::Normal => Self::default(),
            PressureLevel::Warning => Self(1 << 2),
            PressureLevel::Critical => Self(1 << 3),
            PressureLevel::Emergency => Self(1 << 4),
        }
    }

    /// The highest level that a reclaim was asked for.
    pub(crate) fn reclaim_level(self) -> Option<PressureLevel> {
        PressureLevel::ABOVE_NORMAL
            .into_iter()
            .rev()
            .find(|&level| self.contains(Self::reclaim(level)))
    }

    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) fn remove_collect(&mut self) {
        self.0 &= !Self::COLLECT.0;
    }

    pub(crate) fn remove_reclaims(&mut self) {
        self.0 &= !Self::RECLAIM.0;
    }

    /// Whether something is to be done.
    pub(crate) fn is_something(self) -> bool {
        self.0 & !Self::LOOK.0 != 0
    }
}

impl Asks {
    /// Names the thread that takes what is asked for. The first one counts.
    pub(crate) fn wake(&self, thread: Thread) {
        let _ = self.waiter.set(Waiter { thread, process_id: std::process::id() });
    }

    pub(crate) fn ask_collect(&self) {
        self.ask(Asked::COLLECT);
    }

    pub(crate) fn ask_reclaim(&self, level: PressureLevel) {
        self.ask(Asked::reclaim(level));
    }

    fn ask(&self, what: Asked) {
        // Release: pairs with the acquire in `take`, so that what the asker did before is seen by
        // the callbacks that run for it.
        let before = Asked(self.asked.fetch_or(what.0, Ordering::Release));
        // Who has asked for the same before has woken it, or is about to.
        if !before.contains(what)
            && let Some(waiter) = self.waiter.get()
            && waiter.process_id == std::process::id()
        {
            waiter.thread.unpark();
        }
    }

    /// Whether there is something to take.
    pub(crate) fn is_asked(&self) -> bool {
        // Relaxed: `take` is what reads what comes with it.
        self.asked.load(Ordering::Relaxed) != 0
    }

    /// What was asked for since this was last called.
    pub(crate) fn take(&self) -> Asked {
        // Acquire: pairs with the release in `ask`.
        Asked(self.asked.swap(0, Ordering::Acquire))
    }

    /// Whether to wait for deferrals that live. Where it says so, the end of the last one is told.
    pub(crate) fn put_off(&self) -> bool {
        // SeqCst, here and in the drop of a deferral: each side writes its own and then reads the
        // other's, so that one of them at least sees what the other wrote. Either the last
        // deferral is seen to be gone here, or it sees there that it is waited for.
        self.has_put_off.store(true, Ordering::SeqCst);
        let is_put_off = self.deferrals.load(Ordering::SeqCst) > 0;
        if !is_put_off {
            self.has_put_off.store(false, Ordering::SeqCst);
        }
        is_put_off
    }

    fn begin_deferral(&self) {
        // SeqCst: as in `put_off`.
        self.deferrals.fetch_add(1, Ordering::SeqCst);
    }

    fn end_deferral(&self) {
        // SeqCst: as in `put_off`.
        let was_last = self.deferrals.fetch_sub(1, Ordering::SeqCst) == 1;
        if was_last && self.has_put_off.swap(false, Ordering::SeqCst) {
            self.ask(Asked::LOOK);
        }
    }
}

/// While one lives, cleanups that can wait are put off: hold one while a request runs, and they
/// are made between requests.
///
/// Made by [`Bursar::defer_purging`](crate::Bursar::defer_purging), which says what can wait.
/// `Send` and `Sync`. Two atomic additions to make one and two to drop it; the drop of the last
/// wakes the monitor if something was put off, some microseconds.
#[must_use = "nothing is put off once it is dropped"]
pub struct PurgeDeferral {
    asks: Arc<Asks>,
}

impl PurgeDeferral {
    pub(crate) fn begin(asks: &Arc<Asks>) -> Self {
        asks.begin_deferral();
        Self { asks: Arc::clone(asks) }
    }
}

impl Drop for PurgeDeferral {
    fn drop(&mut self) {
        self.asks.end_deferral();
    }
}

impl fmt::Debug for PurgeDeferral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PurgeDeferral").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_taken_once_and_of_reclaims_the_highest() {
        let asks = Asks::default();
        assert!(!asks.is_asked());
        asks.ask_reclaim(PressureLevel::Critical);
        asks.ask_reclaim(PressureLevel::Warning);
        asks.ask_collect();
        assert!(asks.is_asked());
        let asked = asks.take();
        assert_eq!(asked.reclaim_level(), Some(PressureLevel::Critical));
        assert!(asked.contains(Asked::COLLECT));
        assert_eq!(asks.take(), Asked::default());
    }

    #[test]
    fn at_normal_there_is_nothing_to_ask_for() {
        let asks = Asks::default();
        asks.ask_reclaim(PressureLevel::Normal);
        assert!(!asks.is_asked());
    }

    #[test]
    fn the_end_of_the_last_deferral_is_told_if_something_was_put_off_for_it() {
        let asks = Arc::new(Asks::default());
        let deferral = || PurgeDeferral::begin(&asks);
        drop(deferral());
        assert!(!asks.put_off());
        assert!(!asks.is_asked());

        let (first, second) = (deferral(), deferral());
        assert!(asks.put_off());
        drop(first);
        assert!(!asks.is_asked(), "one still lives");
        drop(second);
        assert!(asks.is_asked());
        assert!(!asks.take().is_something(), "nothing but a look");
    }
}
