//! [`Cache`]: a sharded cache, least recently used out first, that weighs its entries itself.
//!
//! The files, lowest first: `table` holds the entries of a shard, `books` the sums of all, `shard`
//! puts both under a lock; `flight` is one loader a key, over the lock of `sync`; `inner` is what
//! the clones of a cache share; `builder`, `load`, `load_async`, `purge` and `stats` are what is
//! done with it.

mod books;
mod builder;
mod flight;
mod inner;
mod load;
mod load_async;
mod purge;
mod shard;
mod stats;
mod sync;
mod table;

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use bursar_alloc::{TagHandle, tag_usage};

pub use self::builder::CacheBuilder;
pub use self::stats::CacheStats;

use self::builder::{check_max_bytes, check_max_entries};
use self::inner::{Incoming, Inner};
use self::table::Removed;
use crate::contain::drop_each_then_panic;
use crate::error::Error;

/// A cache whose bytes are counted under a tag, and that gives up its oldest entries when the
/// [`Bursar`](crate::Bursar) it is registered with asks.
///
/// Unbounded by default: the budget is the bound. Clones share the content. Values are handed
/// out as clones, so make them cheap to clone: an `Arc`, or `Bytes`.
///
/// # Weights
///
/// A value that a loader makes ([`get_or_insert_with`](Self::get_or_insert_with) and its kin)
/// weighs what the loader left allocated under the cache's tag. One that is handed in by
/// [`insert`](Self::insert) weighs what the [`weigher`](CacheBuilder::weigher) says, and nothing
/// without one: its heap bytes are those of the tag that it was made under, and so are those of
/// every key. What the cache itself allocates for its entries is measured and added to the
/// weights: together they are held within [`max_bytes`](CacheBuilder::max_bytes). The empty cache
/// is not in it: some hundred bytes for each of up to 16 shards.
///
/// # Threads
///
/// Keys are spread over shards, each under a lock that is held for a look-up or an insertion and
/// never while a value is made or dropped: loaders, weighers and destructors may call the cache.
/// `Hash` and `Eq` of keys, and `Clone` of both, run under a lock: they must not. If they panic,
/// the cache goes on; a shard that was left half changed starts anew, empty.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{Cache, Tag};
///
/// static PAGES: Tag = Tag::new("pages");
///
/// let pages: Cache<String, Arc<str>> = Cache::new(&PAGES);
/// let page = pages.get_or_insert_with("/".to_owned(), || "<h1>hello</h1>".into());
/// assert_eq!(pages.get("/"), Some(page));
/// assert_eq!(pages.stats().hits_total, 1);
/// ```
pub struct Cache<K, V> {
    inner: Arc<Inner<K, V>>,
}

impl<K: Hash + Eq, V> Cache<K, V> {
    /// An unbounded cache under `tag`, registered under the tag's name.
    #[must_use]
    pub fn new(tag: impl Into<TagHandle>) -> Self {
        match Self::builder(tag).build() {
            Ok(cache) => cache,
            Err(_) => unreachable!("no setting was given that could be refused"),
        }
    }

    /// Begins to build a cache with bounds.
    pub fn builder(tag: impl Into<TagHandle>) -> CacheBuilder<K, V> {
        CacheBuilder::new(tag.into())
    }

    /// The value of `key`, which is then the latest used.
    #[must_use]
    pub fn get<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.inner.get(self.inner.hash(key), key)
    }

    /// The value of `key`, which keeps its place in the order of use. Not counted as a look-up.
    #[must_use]
    pub fn peek<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
        V: Clone,
    {
        self.inner.peek(self.inner.hash(key), key, V::clone)
    }

    /// Whether `key` has a value. As [`peek`](Self::peek), it changes nothing.
    #[must_use]
    pub fn contains_key<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.inner.peek(self.inner.hash(key), key, |_| ()).is_some()
    }

    /// Puts a value in, as the latest used. Returns the one it replaces.
    ///
    /// It weighs what the [`weigher`](CacheBuilder::weigher) says. A load of the same key that is
    /// under way does not put its own value in when it ends.
    pub fn insert(&self, key: K, value: V) -> Option<V> {
        let inner = &*self.inner;
        let weight_bytes = inner.weigher.as_ref().map_or(0, |weigher| weigher(&key, &value));
        let hash = inner.hash(&key);
        inner.part(hash).flights.outdate(hash, &key);
        let stored = inner.store(hash, key, Incoming { value, weight_bytes, is_loaded: false });
        inner.settle(hash, stored)
    }

    /// Takes a value out. A load of the same key that is under way does not put its value in when
    /// it ends, and who looks the key up from now on does not wait for it.
    pub fn remove<Q>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let inner = &*self.inner;
        let hash = inner.hash(key);
        let part = inner.part(hash);
        part.flights.outdate(hash, key);
        let now = inner.now();
        let removed = part.shard.lock(&inner.books).remove(key, now);
        let (_key, slot) = removed?;
        (!slot.is_expired(now)).then_some(slot.value)
    }

    /// Drops every entry, and gives the tables' memory back. Loads that are under way do not put
    /// their values in when they end.
    pub fn clear(&self) {
        for part in &self.inner.parts {
            part.flights.outdate_all();
            let table = {
                let _tag = self.tag().enter();
                let mut locked = part.shard.lock(&self.inner.books);
                locked.counts.removed += locked.table.len() as u64;
                locked.take_table()
            };
            drop_each_then_panic(table.into_entries());
        }
    }

    /// Drops every entry whose time is up, and answers how many. Looks at all entries of each
    /// shard in which one can have expired.
    pub fn remove_expired(&self) -> usize {
        let now = self.inner.now();
        let mut expired = 0;
        for shard in self.inner.shards() {
            let mut out = Removed::new();
            {
                let _tag = self.tag().enter();
                shard.lock(&self.inner.books).remove_expired(now, &mut out);
            }
            expired += out.len();
            drop_each_then_panic(out);
        }
        expired
    }

    /// Copies of all entries that have not expired: shard by shard, in each the latest used first.
    /// The order of use is not touched. One shard at a time is locked while it is copied.
    ///
    /// # Examples
    ///
    /// ```
    /// # static COLOURS: bursar::Tag = bursar::Tag::new("colours");
    /// let cache: bursar::Cache<u32, char> = bursar::Cache::builder(&COLOURS).max_entries(2).build()?;
    /// for (key, value) in [(1, 'r'), (2, 'g'), (3, 'b')] {
    ///     cache.insert(key, value);
    /// }
    /// assert_eq!(cache.snapshot(), [(3, 'b'), (2, 'g')]);
    /// # Ok::<(), bursar::Error>(())
    /// ```
    #[must_use]
    pub fn snapshot(&self) -> Vec<(K, V)>
    where
        K: Clone,
        V: Clone,
    {
        let now = self.inner.now();
        let mut entries = Vec::with_capacity(self.len());
        for shard in self.inner.shards() {
            let locked = shard.lock(&self.inner.books);
            let live = locked.table.iter().filter(|(_, slot)| !slot.is_expired(now));
            entries.extend(live.map(|(key, slot)| (key.clone(), slot.value.clone())));
        }
        entries
    }

    /// Entries held, expired ones that nobody looked up included. Takes no lock.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.books.entries()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bounds the entries anew, or no more by `None`. Entries beyond it are dropped at once, the
    /// oldest first. The number of shards stays what the first bound asked for.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] for no entries at all.
    pub fn set_max_entries(&self, max_entries: impl Into<Option<usize>>) -> Result<(), Error> {
        let max_entries = max_entries.into();
        check_max_entries(max_entries)?;
        self.inner.books.set_max_entries(max_entries);
        self.inner.make_room(None);
        Ok(())
    }

    /// Bounds the bytes anew, or no more by `None`. As [`set_max_entries`](Self::set_max_entries).
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] for no bytes at all.
    ///
    /// # Examples
    ///
    /// ```
    /// # static FONTS: bursar::Tag = bursar::Tag::new("fonts");
    /// let fonts: bursar::Cache<String, Vec<u8>> = bursar::Cache::new(&FONTS);
    /// fonts.set_max_bytes(16 << 20)?;
    /// fonts.set_max_bytes(None)?;
    /// assert!(fonts.set_max_bytes(0).is_err());
    /// # Ok::<(), bursar::Error>(())
    /// ```
    pub fn set_max_bytes(&self, max_bytes: impl Into<Option<u64>>) -> Result<(), Error> {
        let max_bytes = max_bytes.into();
        check_max_bytes(max_bytes)?;
        self.inner.books.set_max_bytes(max_bytes);
        self.inner.make_room(None);
        Ok(())
    }

    /// What it holds and has seen. Locks one shard at a time, and reads the tag's usage.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let inner = &*self.inner;
        let mut stats = CacheStats::default();
        for shard in inner.shards() {
            let locked = shard.lock(&inner.books);
            stats.entries += locked.table.len();
            stats.weight_bytes += locked.table.weight_bytes();
            stats.table_bytes += locked.table.table_bytes();
            stats.add(&locked.counts);
        }
        let known_bytes = stats.weight_bytes + stats.table_bytes + inner.fixed_bytes;
        let live_bytes = tag_usage(self.tag()).live_bytes;
        stats.unattributed_bytes = known_bytes.wrapping_sub(live_bytes) as i64;
        stats
    }
}

impl<K, V> Cache<K, V> {
    /// The tag that the cache's bytes are charged to.
    #[must_use]
    pub fn tag(&self) -> &TagHandle {
        &self.inner.books.tag
    }

    /// The name that it is registered under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<K: Hash + Eq, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("name", &self.name())
            .field("tag", &self.tag().name())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
