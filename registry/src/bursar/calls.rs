//! What is asked of a [`Bursar`] directly, beside what it does by itself.

use super::Bursar;
use crate::error::Error;
use crate::monitor::Monitor;
use crate::pressure::PressureLevel;
use crate::report::{CleanupReport, CollectReport, Compliance, EmergencyReport};
use crate::source::footprint_bytes;

/// What a [`Bursar::checkpoint`] found and did.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Checkpoint {
    /// The level in force.
    pub level: PressureLevel,
    /// The cleanup that was due, if one was; of several the last.
    pub cleanup: Option<CleanupReport>,
}

/// Each of these takes turns with the monitor, and runs callbacks on the calling thread.
///
/// # Errors
///
/// [`Error::InsideCallback`] from inside a purge callback, [`Error::NotRunning`] once Bursar is
/// stopped, and in a forked child.
impl Bursar {
    /// Reads usage and does what is due: what the monitor's thread does by itself. For functions
    /// that are frozen between their invocations, at the end of each. A clock that has jumped
    /// meanwhile is harmless: what was waited for is over.
    ///
    /// # Errors
    ///
    /// As above.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{AccountingAllocator, Bursar, Profile, System};
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
    ///
    /// fn main() -> Result<(), bursar::Error> {
    ///     let builder = Bursar::builder().budget("100MiB").profile(Profile::function());
    ///     let bursar = builder.threadless(true).start()?;
    ///     for _invocation in 0..3 {
    ///         // ... handle it ...
    ///         bursar.checkpoint()?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn checkpoint(&self) -> Result<Checkpoint, Error> {
        self.handle.turn.take(|monitor| {
            let before = self.handle.shared.lock().cleanups_total;
            monitor.step();
            let status = self.handle.shared.lock();
            let is_new = status.cleanups_total > before;
            let cleanup = if is_new { status.history.last_cleanup().cloned() } else { None };
            Checkpoint { level: status.pressure.level, cleanup }
        })
    }

    /// Gives the allocator's free pages back to the system. Costs no data; some 20 ms for 100 MB
    /// of them with jemalloc.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn collect(&self) -> Result<CollectReport, Error> {
        self.handle.turn.take(Monitor::collect)
    }

    /// Runs the ladder's stages of `level`, whatever usage is: a cleanup before something large,
    /// or in a quiet moment. At [`PressureLevel::Normal`] there are none.
    ///
    /// # Errors
    ///
    /// As above.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar) -> Result<(), bursar::Error> {
    /// use bursar::PressureLevel;
    ///
    /// let report = bursar.reclaim(PressureLevel::Critical)?;
    /// println!("{report}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn reclaim(&self, level: PressureLevel) -> Result<CleanupReport, Error> {
        self.handle.turn.take(|monitor| monitor.reclaim(level))
    }

    /// Asks every purgeable for everything and purges all free pages, if the footprint is past
    /// the budget; else does nothing.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn emergency(&self) -> Result<EmergencyReport, Error> {
        self.handle.turn.take(Monitor::emergency)
    }

    /// How usage stands to the budget, read now: some microseconds, at any time, also from inside
    /// a callback.
    #[must_use]
    pub fn compliance(&self) -> Compliance {
        Compliance::of(footprint_bytes(), self.budget().soft_limit_bytes())
    }
}
