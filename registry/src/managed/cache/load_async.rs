//! Look-ups that load by a future what is not there.

use std::convert::Infallible;
use std::future::Future;
use std::hash::Hash;

use super::Cache;
use super::flight::{Joined, Runner, Wait};
use super::inner::Inner;
use super::load::Attempt;
use crate::managed::weigh::{Weighed, is_building};

impl<K: Hash + Eq, V> Cache<K, V> {
    /// As [`get_or_insert_with`](Self::get_or_insert_with), for a load that is a future. Needs no
    /// runtime, and is `Send` if the load and what is loaded are.
    ///
    /// What the load allocates is counted under the tag at each of its polls, on whatever thread.
    /// Others that want the key wait for a load that is under way, without blocking their thread;
    /// if it is dropped unfinished, by a timeout say, each of them loads by itself. A load that is
    /// neither polled nor dropped keeps them waiting.
    ///
    /// [`get_or_insert_with`](Self::get_or_insert_with) does not wait for a load that is a future,
    /// which its thread might be the one to poll: it loads by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::task::{Context, Poll, Waker};
    /// use bursar::{Cache, Tag};
    ///
    /// static PROFILES: Tag = Tag::new("profiles");
    ///
    /// async fn profile(cache: &Cache<u64, String>, user: u64) -> String {
    ///     cache.get_or_insert_async(user, || async move { format!("user {user}") }).await
    /// }
    /// # let cache = Cache::new(&PROFILES);
    /// # let mut context = Context::from_waker(Waker::noop());
    /// # let polled = std::pin::pin!(profile(&cache, 1)).poll(&mut context);
    /// # assert_eq!(polled, Poll::Ready("user 1".to_owned()));
    /// ```
    pub async fn get_or_insert_async<F, L>(&self, key: K, load: L) -> V
    where
        V: Clone,
        L: FnOnce() -> F,
        F: Future<Output = V>,
    {
        let load = || async move { Ok::<V, Infallible>(load().await) };
        match self.try_get_or_insert_async(key, load).await {
            Ok(value) => value,
            Err(never) => match never {},
        }
    }

    /// As [`get_or_insert_async`](Self::get_or_insert_async), for a load that can fail.
    ///
    /// # Errors
    ///
    /// What `load` says; nothing is put in then, and those who waited load by themselves, all at
    /// the same time.
    pub async fn try_get_or_insert_async<F, L, E>(&self, key: K, load: L) -> Result<V, E>
    where
        V: Clone,
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
    {
        let inner = &*self.inner;
        let hash = inner.hash(&key);
        if let Some(value) = inner.get(hash, &key) {
            return Ok(value);
        }
        let may_follow = |_| !is_building();
        let key = match inner.join(hash, key, Runner::Future, may_follow) {
            Joined::Found(value) => return Ok(value),
            Joined::Leader(leader) => {
                let (value, weight_bytes) = inner.run_async(hash, load).await?;
                return Ok(inner.land(hash, leader, value, weight_bytes));
            }
            Joined::Follower(flight, key) => match Wait::new(flight).await {
                Some(value) => return Ok(value),
                None => key,
            },
            Joined::Alone(key) => key,
        };
        let (value, weight_bytes) = inner.run_async(hash, load).await?;
        Ok(inner.put_copied(hash, key, value, weight_bytes))
    }
}

impl<K: Hash + Eq, V> Inner<K, V> {
    /// As [`run`](Self::run), for a future.
    async fn run_async<F, L, E>(&self, hash: u64, load: L) -> Result<(V, u64), E>
    where
        L: FnOnce() -> F,
        F: Future<Output = Result<V, E>>,
    {
        let attempt = Attempt { inner: self, hash, has_value: false };
        let build = async move { load().await };
        let (loaded, weight_bytes) = Weighed::new(self.books.tag.clone(), build).await;
        attempt.end(loaded.map(|value| (value, weight_bytes)))
    }
}
