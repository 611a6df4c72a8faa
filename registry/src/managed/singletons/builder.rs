//! [`SingletonsBuilder`]: settings of a [`Singletons`] to be.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use bursar_alloc::TagHandle;

use super::Singletons;
use super::inner::{Gone, Inner};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::managed::rate_limit::{RateLimit, Window};
use crate::purge::is_valid_name;

/// Own tags that a `Singletons` takes at most unless told otherwise: a quarter of a process's.
const MAX_TAGS: usize = 64;

/// Settings of a [`Singletons`] to be.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bursar::{RateLimit, Singletons, Tag};
///
/// static SHARED: Tag = Tag::new("shared");
///
/// let shared = Singletons::builder(&SHARED)
///     .rate_limit(RateLimit { operations: 1000, per: Duration::from_secs(1) })
///     .build()?;
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "no singletons are made before `build`"]
pub struct SingletonsBuilder {
    tag: TagHandle,
    name: Option<Cow<'static, str>>,
    clock: Option<Arc<dyn Clock>>,
    rate_limit: Option<RateLimit>,
    max_tags: usize,
}

impl SingletonsBuilder {
    pub(super) fn new(tag: TagHandle) -> Self {
        Self { tag, name: None, clock: None, rate_limit: None, max_tags: MAX_TAGS }
    }

    /// The name to register under; the tag's by default.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Where time comes from, for what is shown and for the rate limit; the system's monotonic
    /// clock by default.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Refuses calls by name beyond `rate_limit`; off by default.
    pub fn rate_limit(self, rate_limit: RateLimit) -> Self {
        Self { rate_limit: Some(rate_limit), ..self }
    }

    /// At most so many names have a tag of their own, first come, first served; 64 by default.
    /// The rest are built under the given tag, and their deep bytes are not known. All tags of a
    /// process together are about 240.
    pub fn max_tags(self, max_tags: usize) -> Self {
        Self { max_tags, ..self }
    }

    /// Makes it.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] if the name is not fit to register under, [`Error::InvalidSetting`]
    /// if the rate limit is one of no operations, of more than a million, or of no time.
    pub fn build(self) -> Result<Singletons, Error> {
        if let Some(name) = self.name.as_deref().filter(|name| !is_valid_name(name)) {
            return Err(Error::InvalidName { given: name.to_owned() });
        }
        self.rate_limit.as_ref().map_or(Ok(()), RateLimit::validate)?;
        Ok(self.make())
    }

    /// Makes it of settings that are valid.
    pub(super) fn make(self) -> Singletons {
        let _tag = self.tag.enter();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::starting_now()));
        let inner = Inner {
            name: self.name.unwrap_or_else(|| self.tag.name()),
            made_after: clock.now(),
            made_at: SystemTime::now(),
            clock,
            window: self.rate_limit.map(Window::new),
            max_tags: self.max_tags,
            table: RwLock::new(BTreeMap::new()),
            tags_taken: Arc::new(AtomicUsize::new(0)),
            refused: AtomicU64::new(0),
            gone: Gone::default(),
            tag: self.tag,
        };
        Singletons { inner: Arc::new(inner) }
    }
}
