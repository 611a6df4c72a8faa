//! [`Parts`]: what all threads write to, in parts, so that threads that run at once do not take the
//! same lines of memory from each other.

use std::num::NonZero;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

use crossbeam_utils::CachePadded;

/// More than that cost memory, and gain little.
const MOST: usize = 16;

/// As many as threads run at once, rounded up to a power of two.
static PARTS: LazyLock<usize> = LazyLock::new(|| {
    let at_once = available_parallelism().map_or(MOST, NonZero::get);
    at_once.min(MOST).next_power_of_two()
});

/// Threads that have asked for their part.
static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// In the order in which they asked, so that a service's workers are spread evenly.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

/// Which part of each [`Parts`] is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part(usize);

impl Part {
    /// That of the calling thread: always the same one. It shares it with others if there are more
    /// threads than parts.
    pub(super) fn of_this_thread() -> Self {
        Self(THREAD.try_with(|thread| *thread).unwrap_or_default())
    }
}

/// One value for each part, each in cache lines of its own.
#[derive(Debug)]
pub(super) struct Parts<T>(Box<[CachePadded<T>]>);

impl<T> Parts<T> {
    /// How many there are: from 1 to 16, a power of two.
    pub(super) fn count() -> usize {
        *PARTS
    }

    pub(super) fn new(make: impl Fn() -> T) -> Self {
        Self::with_count(Self::count(), make)
    }

    fn with_count(count: usize, make: impl Fn() -> T) -> Self {
        Self((0..count).map(|_| CachePadded::new(make())).collect())
    }

    pub(super) fn at(&self, part: Part) -> &T {
        // Below their number, which is a power of two.
        &self.0[part.0 & (self.0.len() - 1)]
    }

    /// All of them, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|part| &**part)
    }

    /// All of them, `part` first.
    #[cfg(feature = "tower")]
    pub(super) fn iter_from(&self, part: Part) -> impl Iterator<Item = &T> {
        (0..self.0.len()).map(move |further| self.at(Part(part.0.wrapping_add(further))))
    }
}

impl<T: Default> Default for Parts<T> {
    fn default() -> Self {
        Self::new(T::default)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::thread;

    use super::*;

    #[test]
    fn their_number_is_a_power_of_two_within_bounds() {
        let count = Parts::<()>::count();
        assert!(count.is_power_of_two() && count <= MOST, "{count}");
        assert_eq!(Parts::<u8>::default().iter().count(), count);
    }

    #[test]
    fn a_thread_has_one_part_and_others_have_others() {
        let parts: Vec<_> = (0..8)
            .map(|_| thread::spawn(|| [Part::of_this_thread(), Part::of_this_thread()]).join())
            .collect();
        let parts: HashSet<_> = parts
            .into_iter()
            .map(|parts| {
                let [first, second] = parts.unwrap();
                assert_eq!(first, second);
                first.0
            })
            .collect();
        assert_eq!(parts.len(), 8);
    }

    #[test]
    fn parts_are_apart_in_memory_and_found_by_any_number() {
        let parts = Parts::with_count(4, || 0u8);
        let address = |part| std::ptr::from_ref(parts.at(Part(part))).addr();
        let first: Vec<_> = (0..4).map(address).collect();
        assert!(first.windows(2).all(|pair| pair[1] - pair[0] >= 64), "{first:?}");
        let second: Vec<_> = (4..8).map(address).collect();
        assert_eq!(first, second);
        assert_eq!(address(usize::MAX), first[3]);
    }

    #[cfg(feature = "tower")]
    #[test]
    fn all_are_gone_through_from_any_of_them() {
        let next = AtomicUsize::new(0);
        let parts = Parts::with_count(4, || next.fetch_add(1, Ordering::Relaxed));
        let from = |part| parts.iter_from(Part(part)).copied().collect::<Vec<_>>();
        assert_eq!(from(0), [0, 1, 2, 3]);
        assert_eq!(from(6), [2, 3, 0, 1]);
        assert_eq!(from(usize::MAX), [3, 0, 1, 2]);
    }
}
