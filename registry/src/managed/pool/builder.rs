//! [`PoolBuilder`]: settings of a pool to be.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bursar_alloc::TagHandle;

use super::idle::Idle;
use super::stats::Counters;
use super::{Inner, Pool};
use crate::error::Error;
use crate::purge::is_valid_name;

/// The most idle objects that a pool may be set to keep: its queue is made whole at once.
pub(super) const MOST_ENTRIES: usize = 1 << 20;

/// Kept idle unless told otherwise.
const DEFAULT_MAX_ENTRIES: usize = 64;

pub(super) type Factory<T> = Box<dyn Fn() -> T + Send + Sync>;
pub(super) type Reset<T> = Box<dyn Fn(&mut T) + Send + Sync>;
pub(super) type Weigher<T> = Box<dyn Fn(&T) -> u64 + Send + Sync>;

/// Settings of a [`Pool`] to be.
///
/// # Examples
///
/// ```
/// use bursar::{Pool, Tag};
///
/// static BUFFERS: Tag = Tag::new("buffers");
///
/// let buffers = Pool::builder(&BUFFERS, || Vec::<u8>::with_capacity(4096))
///     .reset(|buffer| buffer.clear())
///     .weigher(|buffer| buffer.capacity() as u64)
///     .max_object_bytes(1 << 20)
///     .max_entries(16)
///     .build()?;
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "no pool is made before `build`"]
pub struct PoolBuilder<T> {
    tag: TagHandle,
    name: Option<Cow<'static, str>>,
    factory: Factory<T>,
    reset: Option<Reset<T>>,
    weigher: Option<Weigher<T>>,
    max_entries: usize,
    max_bytes: u64,
    max_object_bytes: Option<u64>,
}

impl<T> PoolBuilder<T> {
    pub(super) fn new(tag: TagHandle, factory: Factory<T>) -> Self {
        Self {
            tag,
            name: None,
            factory,
            reset: None,
            weigher: None,
            max_entries: DEFAULT_MAX_ENTRIES,
            max_bytes: u64::MAX,
            max_object_bytes: None,
        }
    }

    /// The name that the pool is registered under, by default its tag's.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// What makes an object that came back fit to be used again; run under the pool's tag, by
    /// who returns it. An object whose reset panics is dropped.
    pub fn reset(self, reset: impl Fn(&mut T) + Send + Sync + 'static) -> Self {
        Self { reset: Some(Box::new(reset)), ..self }
    }

    /// Says what an object that came back weighs: its heap bytes. An object whose weigher panics
    /// is dropped.
    pub fn weigher(self, weigher: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Self {
        Self { weigher: Some(Box::new(weigher)), ..self }
    }

    /// Keeps at most so many objects idle: 1 to 1,048,576, by default 64.
    pub fn max_entries(self, max_entries: usize) -> Self {
        Self { max_entries, ..self }
    }

    /// Keeps idle objects of at most this weight in all, in bytes; by default of any.
    pub fn max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes, ..self }
    }

    /// Drops an object that weighs more than so many bytes when it comes back. Needs a
    /// [`weigher`](Self::weigher): what an object grew by is not known without one.
    pub fn max_object_bytes(self, max_object_bytes: u64) -> Self {
        Self { max_object_bytes: Some(max_object_bytes), ..self }
    }

    /// Makes the pool. No object is built before the first is acquired.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] if it may keep no objects, too many, or ones of no bytes;
    /// [`Error::Contradiction`] if objects are bounded in bytes without a weigher;
    /// [`Error::InvalidName`] if the name is empty or not fit for a label.
    pub fn build(self) -> Result<Pool<T>, Error> {
        check_max_entries(self.max_entries)?;
        check_max_bytes("max_bytes", self.max_bytes)?;
        if let Some(max_object_bytes) = self.max_object_bytes {
            check_max_bytes("max_object_bytes", max_object_bytes)?;
            if self.weigher.is_none() {
                return Err(Error::Contradiction {
                    name: "max_object_bytes",
                    given: max_object_bytes.to_string(),
                    other_name: "weigher",
                    other_given: "none".to_owned(),
                    allowed: "max_object_bytes with a weigher",
                });
            }
        }
        let name = self.name.unwrap_or_else(|| self.tag.name());
        if !is_valid_name(&name) {
            return Err(Error::InvalidName { given: name.into_owned() });
        }
        let tag = self.tag.clone();
        let inner = tag.scope(|| {
            Arc::new(Inner {
                tag: self.tag,
                name,
                factory: self.factory,
                reset: self.reset,
                weigher: self.weigher,
                max_object_bytes: self.max_object_bytes.unwrap_or(u64::MAX),
                max_bytes: AtomicU64::new(self.max_bytes),
                idle: Idle::new(self.max_entries),
                weight_bytes: AtomicU64::new(0),
                counters: Counters::default(),
            })
        });
        Ok(Pool { inner })
    }
}

pub(super) fn check_max_entries(max_entries: usize) -> Result<(), Error> {
    if (1..=MOST_ENTRIES).contains(&max_entries) {
        return Ok(());
    }
    let given = max_entries.to_string();
    Err(Error::InvalidSetting { name: "max_entries", given, allowed: "1 to 1048576" })
}

fn check_max_bytes(name: &'static str, max_bytes: u64) -> Result<(), Error> {
    if max_bytes > 0 {
        return Ok(());
    }
    Err(Error::InvalidSetting { name, given: "0".to_owned(), allowed: "above zero" })
}

impl<T> fmt::Debug for PoolBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder")
            .field("tag", &self.tag.name())
            .field("name", &self.name)
            .field("max_entries", &self.max_entries)
            .field("max_bytes", &self.max_bytes)
            .field("max_object_bytes", &self.max_object_bytes)
            .finish_non_exhaustive()
    }
}
