//! [`CacheBuilder`]: the settings of a cache to be.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use bursar_alloc::TagHandle;
use crossbeam_utils::CachePadded;

use super::Cache;
use super::books::Books;
use super::flight::Flights;
use super::inner::{Expiry, Inner, Part, Weigher};
use super::shard::Shard;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::managed::weigh::weigh;
use crate::purge::is_valid_name;

/// Settings of a [`Cache`] to be.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use bursar::{Cache, Tag};
///
/// static SESSIONS: Tag = Tag::new("sessions");
///
/// let sessions: Cache<u64, String> = Cache::builder(&SESSIONS)
///     .max_entries(10_000)
///     .max_bytes(64 << 20)
///     .time_to_live(Duration::from_secs(600))
///     .weigher(|_, session: &String| session.capacity() as u64)
///     .build()?;
/// # Ok::<(), bursar::Error>(())
/// ```
#[must_use = "no cache is made before `build`"]
pub struct CacheBuilder<K, V> {
    tag: TagHandle,
    name: Option<String>,
    max_entries: Option<usize>,
    max_bytes: Option<u64>,
    time_to_live: Option<Duration>,
    clock: Option<Arc<dyn Clock>>,
    weigher: Option<Weigher<K, V>>,
}

impl<K, V> CacheBuilder<K, V> {
    pub(super) fn new(tag: TagHandle) -> Self {
        Self {
            tag,
            name: None,
            max_entries: None,
            max_bytes: None,
            time_to_live: None,
            clock: None,
            weigher: None,
        }
    }

    /// The name that it is registered under, for two caches of one tag. The tag's name if it is
    /// given none.
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Bounds the entries of the whole cache.
    pub fn max_entries(self, max_entries: usize) -> Self {
        Self { max_entries: Some(max_entries), ..self }
    }

    /// Bounds what the entries weigh and their tables take up, in the whole cache. While entries
    /// are put in, each thread may have it exceeded by one entry.
    pub fn max_bytes(self, max_bytes: u64) -> Self {
        Self { max_bytes: Some(max_bytes), ..self }
    }

    /// An entry is gone so long after it was put in. It is dropped when it is looked up, when
    /// memory is asked for, or by [`Cache::remove_expired`].
    pub fn time_to_live(self, time_to_live: Duration) -> Self {
        Self { time_to_live: Some(time_to_live), ..self }
    }

    /// The clock that entries expire by: a [`SystemClock`] if none is given. It is read only by a
    /// cache with a time to live.
    pub fn clock(self, clock: Arc<dyn Clock>) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// What a value that is put in by [`Cache::insert`] weighs, in bytes beside the cache's own
    /// node: its heap, as a rule. Called before any lock is taken. What a loader makes is weighed
    /// by the allocator, and never by this.
    pub fn weigher(self, weigher: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        Self { weigher: Some(Box::new(weigher)), ..self }
    }

    /// Makes the cache.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] if it is bounded to no entries, no bytes or no time,
    /// [`Error::InvalidName`] if its name is empty or not fit for a label.
    pub fn build(self) -> Result<Cache<K, V>, Error>
    where
        K: Hash + Eq,
    {
        check_max_entries(self.max_entries)?;
        check_max_bytes(self.max_bytes)?;
        if self.time_to_live == Some(Duration::ZERO) {
            return Err(not_above_zero("time_to_live", "0s"));
        }
        let name = match self.name {
            Some(name) if !is_valid_name(&name) => return Err(Error::InvalidName { given: name }),
            Some(name) => name,
            None => self.tag.name().into_owned(),
        };
        let clock = self.clock;
        let expiry = self.time_to_live.map(|time_to_live| Expiry {
            time_to_live,
            clock: clock.unwrap_or_else(|| Arc::new(SystemClock::starting_now())),
        });
        let shards = shards_for(self.max_entries, self.max_bytes);
        let part = |_| CachePadded::new(Part { shard: Shard::new(), flights: Flights::new() });
        let (parts, fixed_bytes) = weigh(&self.tag, || (0..shards).map(part).collect());
        let inner = Inner {
            name,
            books: Books::new(self.tag, self.max_entries, self.max_bytes),
            parts,
            fixed_bytes,
            hasher: lru::DefaultHasher::default(),
            expiry,
            weigher: self.weigher,
            turn: AtomicUsize::new(0),
        };
        Ok(Cache { inner: Arc::new(inner) })
    }
}

/// A power of two, and fewer for a small cache: a shard evicts the oldest of its own, which is
/// about the oldest of all only where it has many.
fn shards_for(max_entries: Option<usize>, max_bytes: Option<u64>) -> usize {
    const MOST: usize = 16;
    const ENTRIES_EACH: usize = 128;
    const BYTES_EACH: u64 = 256 << 10;
    let by_entries = max_entries.map_or(MOST, |max| max / ENTRIES_EACH);
    let by_bytes = max_bytes.map_or(MOST as u64, |max| max / BYTES_EACH);
    let shards = by_entries.min(usize::try_from(by_bytes).unwrap_or(MOST)).clamp(1, MOST);
    1 << shards.ilog2()
}

pub(super) fn check_max_entries(max_entries: Option<usize>) -> Result<(), Error> {
    if max_entries == Some(0) { Err(not_above_zero("max_entries", "0")) } else { Ok(()) }
}

pub(super) fn check_max_bytes(max_bytes: Option<u64>) -> Result<(), Error> {
    if max_bytes == Some(0) { Err(not_above_zero("max_bytes", "0")) } else { Ok(()) }
}

fn not_above_zero(name: &'static str, given: &str) -> Error {
    Error::InvalidSetting { name, given: given.to_owned(), allowed: "above zero" }
}

impl<K, V> fmt::Debug for CacheBuilder<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheBuilder")
            .field("tag", &self.tag.name())
            .field("name", &self.name)
            .field("max_entries", &self.max_entries)
            .field("max_bytes", &self.max_bytes)
            .field("time_to_live", &self.time_to_live)
            .finish_non_exhaustive()
    }
}
