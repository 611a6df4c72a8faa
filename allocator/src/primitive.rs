//! Atomics and padding behind one shim, so that a model checker can take their place.

pub(crate) use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering,
};

pub(crate) use crossbeam_utils::CachePadded;
pub(crate) use crossbeam_utils::atomic::AtomicCell;
