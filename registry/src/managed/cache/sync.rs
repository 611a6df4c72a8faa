//! The lock and the condition of `flight`, so that a model checker can take their place.
//!
//! By a `cfg` of its own: under the allocator's, `bursar_loom`, this crate does not build.

#[cfg(not(bursar_cache_loom))]
pub(super) use std::sync::{Condvar, Mutex, MutexGuard};

#[cfg(bursar_cache_loom)]
pub(super) use loom::sync::{Condvar, Mutex, MutexGuard};
