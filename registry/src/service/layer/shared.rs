//! [`Shared`]: a value that requests on all threads hold.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use crossbeam_utils::CachePadded;

use crate::service::parts::{Part, Parts};

/// A value with a count of references for each part of the threads: one count alone would go from
/// one processor's cache to the other's with each request.
pub(super) struct Shared<T> {
    shares: Parts<Share<T>>,
}

/// A reference to the value, which keeps it. Cloned and dropped, it changes the count of its part.
pub(super) struct Share<T>(Arc<CachePadded<Arc<T>>>);

impl<T> Shared<T> {
    pub(super) fn new(value: T) -> Self {
        let value = Arc::new(value);
        Self { shares: Parts::new(|| Share(Arc::new(CachePadded::new(Arc::clone(&value))))) }
    }

    pub(super) fn share(&self, part: Part) -> Share<T> {
        Share(Arc::clone(&self.shares.at(part).0))
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.shares.at(Part::of_this_thread())
    }
}

impl<T> Deref for Share<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Share<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_lives_as_long_as_a_share_of_it() {
        let value = Arc::new(7);
        let shared = Shared::new(Arc::clone(&value));
        let share = shared.share(Part::of_this_thread());
        let shares = Arc::strong_count(&share.0);
        drop(shared);
        assert_eq!((**share, Arc::strong_count(&value)), (7, 2));
        assert_eq!((shares, Arc::strong_count(&share.0)), (2, 1));
        drop(share);
        assert_eq!(Arc::strong_count(&value), 1);
    }
}
