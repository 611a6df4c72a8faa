//! The heap profile: sampling switched on and off while Bursar runs, and what comes of it.

use super::Bursar;
use crate::doctor::Checkup;
use crate::error::Error;
use crate::heap_profile::HeapProfile;
use crate::live_history::SiteSeries;

impl Bursar {
    /// Samples the heap from now on, by so many bytes in the mean, or changes the interval while it
    /// is on: 512 KiB is cheap enough to be left on, the smaller the more exact and the dearer. What
    /// was allocated before is in no profile.
    ///
    /// Sampling is the process's: it ends by [`stop_sampling`](Self::stop_sampling) or when this
    /// is dropped. The samples have a table of fixed size, charged to the tag `bursar`, which is
    /// made the first time and then stays
    /// ([`Config::sampling_table_bytes`](crate::Config::sampling_table_bytes)). Samples past it are
    /// lost and counted ([`Stats::heap_sampling`](crate::Stats::heap_sampling)). A sample takes its
    /// stack by unwind tables, some microseconds; nothing is allocated or locked for it, and blocks
    /// that are not sampled cost what they cost before.
    ///
    /// # Errors
    ///
    /// [`Error::Sampling`]: an interval that is not 1 byte to 1 TiB, no memory for the table, or a
    /// platform where no stacks can be taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{AccountingAllocator, Bursar, System};
    ///
    /// #[global_allocator]
    /// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
    ///
    /// # #[cfg(unix)]
    /// fn main() -> Result<(), bursar::Error> {
    ///     let bursar = Bursar::builder().budget("64MiB").start()?;
    ///     bursar.start_sampling(512 << 10)?;
    ///     // ... the service runs ...
    ///     println!("{}", bursar.stats());
    ///     Ok(())
    /// }
    /// # #[cfg(not(unix))] fn main() {}
    /// ```
    pub fn start_sampling(&self, interval_bytes: u64) -> Result<(), Error> {
        let budget_bytes = self.budget().soft_limit_bytes();
        self.sampling.on(interval_bytes, self.handle.sampling_table_bytes, budget_bytes)
    }

    /// Takes no more samples. Those that there are stay until their blocks are freed, and are in
    /// the profile again when sampling is switched on again. Does nothing if this has not switched
    /// it on.
    pub fn stop_sampling(&self) {
        self.sampling.off();
    }

    /// Which code keeps which tag's bytes alive now, by the samples that the allocator has taken
    /// since sampling was switched on: what was allocated before is in none. Addresses only;
    /// [`HeapProfile::resolve_symbols`] looks names up.
    ///
    /// May be called from any thread, also while memory is short: it copies the live samples, some
    /// hundred bytes each, charged to the tag `bursar`, and reads which files' code the process
    /// has. A millisecond or so.
    ///
    /// # Errors
    ///
    /// [`Error::ProfileOff`] while the heap is not sampled.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bursar::Error> {
    /// # let bursar = bursar::Bursar::builder().start()?;
    /// let mut profile = bursar.heap_profile()?;
    /// profile.resolve_symbols()?;
    /// println!("{profile}");
    /// # Ok(())
    /// # }
    /// ```
    pub fn heap_profile(&self) -> Result<HeapProfile, Error> {
        self.handle.heap_profile()
    }

    /// The same with the names of what is kept at the places in its history, looked up now.
    pub(super) fn with_names(&self, checkup: Checkup) -> Result<Checkup, Error> {
        let keys: Vec<u64> = checkup.sites().map(SiteSeries::key).collect();
        let mut profile = self.heap_profile()?.of_sites(&keys);
        profile.resolve_symbols()?;
        Ok(checkup.with_heap_profile(&profile))
    }
}
