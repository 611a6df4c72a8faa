//! The doctor: plain-language findings from what was read, each with its figures and what to do.
//!
//! Pure: no thread, lock, clock or I/O. `advice` is what is said, `found` how it is put, `checkup`
//! what it is said of; the other files each know one part of the process. Every threshold is a
//! constant with its reason; what is below all of them is healthy.

mod advice;
mod budget;
mod checkup;
mod container;
mod found;
mod heap;
mod isolation;
mod leaks;
mod monitor;
mod purgeables;
mod requests;
mod stack;
mod tags;

use std::cmp::Reverse;

pub use self::advice::{Advice, AdviceCode, Figure, Severity};
pub use self::checkup::Checkup;

use self::found::{Found, Kinds, largest};

/// Says what is wrong with a process or worth knowing of it, the gravest first, and of those of
/// one severity the largest. Nothing is found in a healthy one.
///
/// Of one kind, five findings at most are told. No figures make it panic, whoever made them up.
/// Costs a pass over tags, purgeables, routes and history: a microsecond or two for each series of
/// live bytes in it, and some ten to a hundred for one that grows.
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, Checkup, Severity, System, examine};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let checkup = Checkup::new(bursar.stats()).with_history(bursar.history());
///     for advice in examine(&checkup) {
///         println!("{advice}");
///         assert!(advice.severity < Severity::Critical);
///     }
///     Ok(())
/// }
/// ```
#[must_use]
pub fn examine(checkup: &Checkup) -> Vec<Advice> {
    let parts: [fn(&Checkup) -> Kinds; 9] = [
        budget::examine,
        container::examine,
        monitor::examine,
        heap::examine,
        isolation::examine,
        leaks::examine,
        tags::examine,
        purgeables::examine,
        requests::examine,
    ];
    let mut found: Vec<Found> =
        parts.iter().flat_map(|part| part(checkup)).flat_map(largest).collect();
    // Stable: of equals, the order is that of the parts.
    found.sort_by_key(|found| Reverse((found.advice.severity, found.bytes)));
    found.into_iter().map(|found| found.advice).collect()
}

#[cfg(test)]
mod tests;
