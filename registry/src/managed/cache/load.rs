//! Look-ups that load what is not there.

use std::convert::Infallible;
use std::hash::Hash;

use super::Cache;
use super::flight::{Joined, Leader, Runner};
use super::inner::{Incoming, Inner};
use crate::managed::weigh::{is_building, weigh};

impl<K: Hash + Eq, V> Cache<K, V> {
    /// The value of `key`, made by `load` under the cache's tag if there is none.
    ///
    /// While one thread loads a key, others that want the same key wait for it and get its
    /// value, be it kept or not. Should the load panic, each of them loads by itself. If the key
    /// is given a value or removed meanwhile, what is loaded is handed out and not kept. No lock
    /// is held while `load` runs.
    ///
    /// Who is inside of a loader already, of this or any other cache, never waits: it loads by
    /// itself what another is loading. So a loader may look up other keys and even its own, and
    /// no two of them wait for each other. A loader that waits for *another thread* which looks
    /// up the loader's key waits for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{Cache, Tag};
    ///
    /// static SQUARES: Tag = Tag::new("squares");
    ///
    /// let squares: Cache<u64, u64> = Cache::new(&SQUARES);
    /// assert_eq!(squares.get_or_insert_with(12, || 12 * 12), 144);
    /// assert_eq!(squares.get_or_insert_with(12, || unreachable!()), 144);
    /// ```
    pub fn get_or_insert_with(&self, key: K, load: impl FnOnce() -> V) -> V
    where
        V: Clone,
    {
        match self.try_get_or_insert_with(key, || Ok::<V, Infallible>(load())) {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_insert_with`](Self::get_or_insert_with), for a load that can fail.
    ///
    /// # Errors
    ///
    /// What `load` says; nothing is put in then. Those who waited load by themselves, all at the
    /// same time: a failing backend is not tried by one after the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{Cache, Tag};
    ///
    /// static NUMBERS: Tag = Tag::new("numbers");
    ///
    /// let numbers: Cache<&str, u32> = Cache::new(&NUMBERS);
    /// assert!(numbers.try_get_or_insert_with("x", || "x".parse()).is_err());
    /// assert_eq!(numbers.try_get_or_insert_with("7", || "7".parse()), Ok(7));
    /// assert_eq!(numbers.stats().load_failures_total, 1);
    /// ```
    pub fn try_get_or_insert_with<E>(
        &self,
        key: K,
        load: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E>
    where
        V: Clone,
    {
        let inner = &*self.inner;
        let hash = inner.hash(&key);
        if let Some(value) = inner.get(hash, &key) {
            return Ok(value);
        }
        // A future that leads may be one that this very thread is to poll.
        let may_follow = |runner| runner == Runner::Thread && !is_building();
        let key = match inner.join(hash, key, Runner::Thread, may_follow) {
            Joined::Found(value) => return Ok(value),
            Joined::Leader(leader) => {
                let (value, weight_bytes) = inner.run(hash, load)?;
                return Ok(inner.land(hash, leader, value, weight_bytes));
            }
            Joined::Follower(flight, key) => match flight.wait() {
                Some(value) => return Ok(value),
                None => key,
            },
            Joined::Alone(key) => key,
        };
        let (value, weight_bytes) = inner.run(hash, load)?;
        Ok(inner.put_copied(hash, key, value, weight_bytes))
    }

    /// Loads the value of `key` whether there is one or not, and puts it in as the latest used.
    /// Returns the one it replaces. Waits for nobody, and nobody for it.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{Cache, Tag};
    ///
    /// static REPORTS: Tag = Tag::new("reports");
    ///
    /// let reports: Cache<u32, String> = Cache::new(&REPORTS);
    /// assert_eq!(reports.insert_with(1, || "draft".to_owned()), None);
    /// assert_eq!(reports.insert_with(1, || "final".to_owned()).as_deref(), Some("draft"));
    /// ```
    pub fn insert_with(&self, key: K, load: impl FnOnce() -> V) -> Option<V> {
        let inner = &*self.inner;
        let hash = inner.hash(&key);
        match inner.run(hash, || Ok::<V, Infallible>(load())) {
            Ok((value, weight_bytes)) => {
                inner.part(hash).flights.outdate(hash, &key);
                inner.put_loaded(hash, key, value, weight_bytes)
            }
            Err(never) => match never {},
        }
    }
}

impl<K: Hash + Eq, V> Inner<K, V> {
    pub(super) fn join(
        &self,
        hash: u64,
        key: K,
        runner: Runner,
        may_follow: impl FnOnce(Runner) -> bool,
    ) -> Joined<'_, K, V>
    where
        V: Clone,
    {
        let look_again = |key: &K| self.peek(hash, key, V::clone);
        // What the flight itself takes up is the cache's.
        let _tag = self.books.tag.enter();
        self.part(hash).flights.join(hash, key, runner, may_follow, look_again)
    }

    /// Runs a load, and counts it if it ends without a value.
    fn run<E>(&self, hash: u64, load: impl FnOnce() -> Result<V, E>) -> Result<(V, u64), E> {
        let attempt = Attempt { inner: self, hash, has_value: false };
        let (loaded, weight_bytes) = weigh(&self.books.tag, load);
        attempt.end(loaded.map(|value| (value, weight_bytes)))
    }

    /// Puts in what a leader loaded, and hands copies to the caller and to those who followed.
    /// What was weighed is what is kept.
    pub(super) fn land(&self, hash: u64, leader: Leader<'_, K, V>, value: V, weight_bytes: u64) -> V
    where
        V: Clone,
    {
        let copy = value.clone();
        let store = |key| self.store(hash, key, Incoming { value, weight_bytes, is_loaded: true });
        match leader.land(store, || copy.clone()) {
            Some(stored) => drop(self.settle(hash, stored)),
            None => self.part(hash).shard.lock(&self.books).counts.loads += 1,
        }
        copy
    }

    /// As [`land`](Self::land), for a load that nobody followed.
    pub(super) fn put_copied(&self, hash: u64, key: K, value: V, weight_bytes: u64) -> V
    where
        V: Clone,
    {
        let copy = value.clone();
        drop(self.put_loaded(hash, key, value, weight_bytes));
        copy
    }

    /// Puts in what was loaded. Answers what it replaces.
    fn put_loaded(&self, hash: u64, key: K, value: V, weight_bytes: u64) -> Option<V> {
        let incoming = Incoming { value, weight_bytes, is_loaded: true };
        let stored = self.store(hash, key, incoming);
        self.settle(hash, stored)
    }
}

/// A load that is under way. One that ends without a value is counted as failed: by an error, by
/// a panic, or because its future was dropped.
pub(super) struct Attempt<'a, K: Hash + Eq, V> {
    pub(super) inner: &'a Inner<K, V>,
    pub(super) hash: u64,
    pub(super) has_value: bool,
}

impl<K: Hash + Eq, V> Attempt<'_, K, V> {
    pub(super) fn end<T, E>(mut self, loaded: Result<T, E>) -> Result<T, E> {
        self.has_value = loaded.is_ok();
        loaded
    }
}

impl<K: Hash + Eq, V> Drop for Attempt<'_, K, V> {
    fn drop(&mut self) {
        if !self.has_value {
            self.inner.part(self.hash).shard.lock(&self.inner.books).counts.load_failures += 1;
        }
    }
}
