//! [`WeakCacheBuilder`]: settings of a weak cache to be.

use std::borrow::Cow;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use bursar_alloc::TagHandle;
use lru::DefaultHasher;

use super::shard::Shard;
use super::{Inner, WeakCache};
use crate::error::Error;
use crate::purge::is_valid_name;

/// Kept unless told otherwise.
const DEFAULT_MAX_ENTRIES: usize = 10_000;

/// Most shards a weak cache has.
const MOST_SHARDS: usize = 16;

/// Entries that a shard is for at least: with fewer, some would be full long before others.
const ENTRIES_A_SHARD: usize = 128;

/// Settings of a [`WeakCache`] to be.
///
/// # Examples
///
/// ```
/// use bursar::{Tag, WeakCache};
///
/// static SCHEMAS: Tag = Tag::new("schemas");
///
/// let schemas: WeakCache<String, Vec<String>> =
///     WeakCache::builder(&SCHEMAS).max_entries(500).build()?;
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "no cache is made before `build`"]
pub struct WeakCacheBuilder<K, V> {
    tag: TagHandle,
    name: Option<Cow<'static, str>>,
    max_entries: usize,
    _of: PhantomData<fn(K) -> V>,
}

impl<K: Hash + Eq, V> WeakCacheBuilder<K, V> {
    pub(super) fn new(tag: TagHandle) -> Self {
        Self { tag, name: None, max_entries: DEFAULT_MAX_ENTRIES, _of: PhantomData }
    }

    /// The name that the cache is registered under, by default its tag's.
    pub fn name(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Bounds the entries, by default to 10,000. The bound is shared out evenly among up to 16
    /// shards, of which some fill up a little before others.
    pub fn max_entries(self, max_entries: usize) -> Self {
        Self { max_entries, ..self }
    }

    /// Makes the cache.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidSetting`] if it is bounded to no entries; [`Error::InvalidName`] if the
    /// name is empty or not fit for a label.
    pub fn build(self) -> Result<WeakCache<K, V>, Error> {
        check_max_entries(self.max_entries)?;
        let name = self.name.unwrap_or_else(|| self.tag.name());
        if !is_valid_name(&name) {
            return Err(Error::InvalidName { given: name.into_owned() });
        }
        let shards = (self.max_entries / ENTRIES_A_SHARD).clamp(1, MOST_SHARDS);
        let tag = self.tag.clone();
        let inner = tag.scope(|| {
            Arc::new(Inner {
                tag: self.tag,
                name,
                shards: shares(self.max_entries, shards).map(Shard::new).collect(),
                hasher: DefaultHasher::default(),
            })
        });
        Ok(WeakCache { inner })
    }
}

pub(super) fn check_max_entries(max_entries: usize) -> Result<(), Error> {
    if max_entries > 0 {
        return Ok(());
    }
    let given = max_entries.to_string();
    Err(Error::InvalidSetting { name: "max_entries", given, allowed: "above zero" })
}

/// Each shard's share of a bound: together just the bound, unless that is less than one each.
pub(super) fn shares(max_entries: usize, shards: usize) -> impl Iterator<Item = usize> {
    let (each, rest) = (max_entries / shards, max_entries % shards);
    (0..shards).map(move |index| (each + usize::from(index < rest)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_a_bound_are_even_and_add_up_to_it() {
        let shares: Vec<_> = shares(10_007, 16).collect();
        assert_eq!(shares.iter().sum::<usize>(), 10_007);
        assert!(shares.iter().all(|share| (625..=626).contains(share)));
    }
}
