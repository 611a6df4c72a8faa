//! The heap profile switched on and off while Bursar runs.

use super::Bursar;
use crate::error::Error;

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
}
