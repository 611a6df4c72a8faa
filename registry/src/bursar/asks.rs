//! What is asked of a [`Bursar`] without waiting for it.

use super::{Bursar, Handle};
use crate::asks::PurgeDeferral;
use crate::error::Error;
use crate::pressure::PressureLevel;
use crate::service::Reservation;
use crate::source::footprint_bytes;

/// These never wait, and may be called from anywhere: async code, any thread, a purge callback.
impl Bursar {
    /// Has the monitor give the allocator's free pages back, as [`collect`](Self::collect) does,
    /// at its next step, for which it is woken; [without a thread](crate::Builder::threadless), at
    /// the next [`checkpoint`](Self::checkpoint). Costs no data.
    ///
    /// What is asked for several times before it is done is done once. It is reported as a
    /// cleanup, in [`Stats`](crate::Stats) and [`History`](crate::History), at
    /// [`PressureLevel::Normal`]; it waits for [`defer_purging`](Self::defer_purging), and for its
    /// share of a core. Once Bursar is stopped, and in a forked child, nothing is done.
    ///
    /// An atomic operation, and where nothing was asked for yet the wake of a thread: some
    /// microseconds.
    ///
    /// # Examples
    ///
    /// After each thousandth request:
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar, requests: u64) {
    /// if requests % 1000 == 0 {
    ///     bursar.request_collect();
    /// }
    /// # }
    /// ```
    pub fn request_collect(&self) {
        self.handle.request_collect();
    }

    /// Has the monitor run the ladder's stages of `level` at its next step, whatever usage is:
    /// [`reclaim`](Self::reclaim) by the monitor's thread, of which the rest is as for
    /// [`request_collect`](Self::request_collect). Of several levels the highest is done. At
    /// [`PressureLevel::Normal`] there is nothing to do.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn demo(bursar: &bursar::Bursar) {
    /// use bursar::PressureLevel;
    ///
    /// bursar.request_reclaim(PressureLevel::Warning);
    /// # }
    /// ```
    pub fn request_reclaim(&self, level: PressureLevel) {
        self.handle.request_reclaim(level);
    }

    /// Puts off what can wait while the returned value lives: cleanups at
    /// [`PressureLevel::Warning`], and what was asked for by
    /// [`request_collect`](Self::request_collect), and by
    /// [`request_reclaim`](Self::request_reclaim) at that level. It is done as soon as none of
    /// these values lives any more.
    ///
    /// It is done after [`max_purge_deferral`](crate::Config::max_purge_deferral) in any case, so
    /// that a service that is never idle is cleaned up too. Never put off are cleanups at the
    /// levels above, those for a tag that is over a budget of its own, what is asked for by
    /// [`reclaim`](Self::reclaim) and the other calls that wait, and in quiet times the return of
    /// pages that are due by the allocator's decay times.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn answer() {}
    /// # fn demo(bursar: &bursar::Bursar) {
    /// let deferral = bursar.defer_purging();
    /// answer();
    /// drop(deferral); // what came due meanwhile is done now
    /// # }
    /// ```
    pub fn defer_purging(&self) -> PurgeDeferral {
        self.handle.defer_purging()
    }

    /// Reserves `bytes` for work that knows how much it needs, until the returned value is
    /// dropped.
    ///
    /// It is admitted if what the budget is compared with, read now, with all that is reserved
    /// and `bytes`, stays below the emergency watermark. Reservations made at once never take the
    /// same room twice. What the container's other processes hold is not looked at.
    ///
    /// A sum over the threads' counters, some microseconds at most. Waits for nobody, but where it
    /// is refused for the status's lock, which is held for a moment at a time.
    ///
    /// # Errors
    ///
    /// [`Error::NoRoom`]: try again later, or answer 503.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn upload(
    /// #     bursar: &bursar::Bursar, content_length: u64,
    /// # ) -> Result<(), bursar::Error> {
    /// let reservation = bursar.try_reserve(content_length)?;
    /// let body = vec![0u8; content_length as usize];
    /// reservation.settle(body.len() as i64); // the allocator counts these by now
    /// // ... the work is done, and both are dropped ...
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_reserve(&self, bytes: u64) -> Result<Reservation, Error> {
        self.handle.try_reserve(bytes)
    }
}

/// As those of [`Bursar`].
impl Handle {
    pub(crate) fn request_collect(&self) {
        self.shared.asks().ask_collect();
    }

    pub(crate) fn request_reclaim(&self, level: PressureLevel) {
        self.shared.asks().ask_reclaim(level);
    }

    pub(crate) fn defer_purging(&self) -> PurgeDeferral {
        PurgeDeferral::begin(self.shared.asks())
    }

    pub(crate) fn try_reserve(&self, bytes: u64) -> Result<Reservation, Error> {
        let refuse = |free_bytes| Error::NoRoom {
            asked_bytes: bytes,
            free_bytes,
            soft_limit_bytes: self.budget().soft_limit_bytes(),
        };
        Reservation::try_new(&self.shared, bytes, footprint_bytes).map_err(refuse)
    }
}
