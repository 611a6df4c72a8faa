//! [`BoundedLogBuilder`]: settings of a log to be.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex};

use bursar_alloc::TagHandle;

use super::ring::Ring;
use super::{BoundedLog, Content, Inner};
use crate::error::Error;
use crate::purge::is_valid_name;

pub(super) type Weigher<T> = Box<dyn Fn(&T) -> u64 + Send + Sync>;

/// Settings of a [`BoundedLog`] to be: at least one bound.
///
/// # Examples
///
/// ```
/// use bursar::{BoundedLog, Tag};
///
/// static EVENTS: Tag = Tag::new("events");
///
/// let events: BoundedLog<String> = BoundedLog::builder(&EVENTS)
///     .max_entries(10_000)
///     .max_bytes(1 << 20)
///     .weigher(|event: &String| event.capacity() as u64)
///     .build()?;
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "no log is made before `build`"]
pub struct BoundedLogBuilder<T> {
    tag: TagHandle,
    name: Option<Cow<'static, str>>,
    weigher: Option<Weigher<T>>,
    max_entries: Option<usize>,
    max_bytes: Option<u64>,
}

impl<T> BoundedLogBuilder<T> {
    pub(super) fn new(tag: TagHandle) -> Self {
        Self { tag, name: None, weigher: None, max_entries: None, max_bytes: None }
    }

    /// The name that the log is registered under, by default its tag's.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Says what an entry that is pushed weighs: its heap bytes. Without one it weighs nothing
    /// but its place in the ring.
    pub fn weigher(self, weigher: impl Fn(&T) -> u64 + Send + Sync + 'static) -> Self {
        Self { weigher: Some(Box::new(weigher)), ..self }
    }

    /// Keeps the latest so many entries.
    pub fn max_entries(self, max_entries: usize) -> Self {
        Self { max_entries: Some(max_entries), ..self }
    }

    /// Keeps the latest entries of so many bytes together: their weights and the ring's own
    /// memory.
    pub fn max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes: Some(max_bytes), ..self }
    }

    /// Makes the log.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] if it has no bound, or one of nothing; [`Error::InvalidName`]
    /// if the name is empty or not fit for a label.
    pub fn build(self) -> Result<BoundedLog<T>, Error> {
        let refuse = |name, given: &str, allowed| {
            Err(Error::InvalidSetting { name, given: given.to_owned(), allowed })
        };
        match (self.max_entries, self.max_bytes) {
            (None, None) => return refuse("max_entries", "none", "this or max_bytes, or both"),
            (Some(0), _) => return refuse("max_entries", "0", "above zero"),
            (_, Some(0)) => return refuse("max_bytes", "0", "above zero"),
            _ => {}
        }
        let name = self.name.unwrap_or_else(|| self.tag.name());
        if !is_valid_name(&name) {
            return Err(Error::InvalidName { given: name.into_owned() });
        }
        let max_entries = self.max_entries.unwrap_or(usize::MAX);
        let ring = Ring::new(max_entries, self.max_bytes.unwrap_or(u64::MAX));
        let tag = self.tag.clone();
        let inner = tag.scope(|| {
            Arc::new(Inner {
                tag: self.tag,
                name,
                weigher: self.weigher,
                content: Mutex::new(Content::new(ring)),
            })
        });
        Ok(BoundedLog { inner })
    }
}

impl<T> fmt::Debug for BoundedLogBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundedLogBuilder")
            .field("tag", &self.tag.name())
            .field("name", &self.name)
            .field("max_entries", &self.max_entries)
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}
