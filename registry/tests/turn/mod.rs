//! Turns for the tests of one program: one Bursar runs in a process at a time.

use tokio::sync::{Mutex, MutexGuard};

/// Locked by whoever has the turn; a task waits for it by `TURN.lock().await`.
pub(crate) static TURN: Mutex<()> = Mutex::const_new(());

/// Waits for the turn on a thread of its own, as a test has one.
pub(crate) fn take_turn() -> MutexGuard<'static, ()> {
    TURN.blocking_lock()
}
