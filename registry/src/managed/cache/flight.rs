//! [`Flights`]: one loader a key, and the others that want the key wait for it.

use std::borrow::Borrow;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use super::sync::{Condvar, Mutex, MutexGuard};

/// The loads of a shard that are under way. A key is here while its load runs, and nowhere else.
#[derive(Debug)]
pub(super) struct Flights<K, V> {
    in_air: Mutex<Vec<InAir<K, V>>>,
}

#[derive(Debug)]
struct InAir<K, V> {
    hash: u64,
    key: K,
    flight: Arc<Flight<V>>,
    /// The key was given a value or taken out since: what is loaded may be out of date.
    is_outdated: bool,
}

impl<K, V> InAir<K, V> {
    fn is_of<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.hash == hash && self.key.borrow() == key
    }
}

/// Who runs a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Runner {
    /// A thread, which goes on until the load has ended.
    Thread,
    /// A future, which goes on only when it is polled.
    Future,
}

/// What to do for a key that was not found.
#[derive(Debug)]
pub(super) enum Joined<'a, K, V> {
    /// Its load ended between the look-up and now.
    Found(V),
    /// Load it, for the others too.
    Leader(Leader<'a, K, V>),
    /// Wait for another's load.
    Follower(Arc<Flight<V>>, K),
    /// Another loads it that may not be waited for.
    Alone(K),
}

impl<K: Eq, V> Flights<K, V> {
    pub(super) fn new() -> Self {
        Self { in_air: Mutex::new(Vec::new()) }
    }

    /// Follows the load of `key` if there is one that `may_follow` allows, and else leads one.
    /// `look_again` is called under the lock: who ended a load has put its value in before.
    pub(super) fn join(
        &self,
        hash: u64,
        key: K,
        runner: Runner,
        may_follow: impl FnOnce(Runner) -> bool,
        look_again: impl FnOnce(&K) -> Option<V>,
    ) -> Joined<'_, K, V> {
        let mut in_air = lock(&self.in_air);
        let followed = |other: &&InAir<K, V>| !other.is_outdated && other.is_of(hash, &key);
        if let Some(other) = in_air.iter().find(followed) {
            return match may_follow(other.flight.runner) {
                true => Joined::Follower(Arc::clone(&other.flight), key),
                false => Joined::Alone(key),
            };
        }
        if let Some(value) = look_again(&key) {
            return Joined::Found(value);
        }
        let flight = Arc::new(Flight::new(runner));
        in_air.push(InAir { hash, key, flight: Arc::clone(&flight), is_outdated: false });
        Joined::Leader(Leader { flights: self, flight })
    }

    /// Has no load of `key` that is under way put its value in, and nobody else follow it. To be
    /// called before the key is given another value or taken out.
    pub(super) fn outdate<Q: Eq + ?Sized>(&self, hash: u64, key: &Q)
    where
        K: Borrow<Q>,
    {
        for flight in lock(&self.in_air).iter_mut().filter(|other| other.is_of(hash, key)) {
            flight.is_outdated = true;
        }
    }

    /// As [`outdate`](Self::outdate), for every key.
    pub(super) fn outdate_all(&self) {
        for flight in lock(&self.in_air).iter_mut() {
            flight.is_outdated = true;
        }
    }
}

/// Runs the load of a key. Dropped before it has landed, it lets all who follow go.
#[derive(Debug)]
pub(super) struct Leader<'a, K, V> {
    flights: &'a Flights<K, V>,
    flight: Arc<Flight<V>>,
}

impl<K, V> Leader<'_, K, V> {
    /// Ends the load: `store` is given the key and puts the value in, under the flights' lock, so
    /// that whoever finds no flight finds the value; it is not called if the load is out of date.
    /// `value` is called if anyone follows.
    pub(super) fn land<T>(
        self,
        store: impl FnOnce(K) -> T,
        value: impl FnOnce() -> V,
    ) -> Option<T> {
        let mut in_air = lock(&self.flights.in_air);
        let landed = take(&mut in_air, &self.flight)?;
        let (stored, outdated) = match landed {
            (key, false) => (Some(store(key)), None),
            (key, true) => (None, Some(key)),
        };
        drop(in_air);
        drop(outdated);
        // Nobody can join any more: it counts those who did, and this one.
        if Arc::strong_count(&self.flight) > 1 {
            self.flight.end(Stage::Landed(value()));
        }
        stored
    }
}

impl<K, V> Drop for Leader<'_, K, V> {
    fn drop(&mut self) {
        let failed = take(&mut lock(&self.flights.in_air), &self.flight);
        self.flight.end(Stage::Failed);
        drop(failed);
    }
}

/// Takes a flight out of the air. Answers the key that it was for, and whether it is out of date.
fn take<K, V>(in_air: &mut Vec<InAir<K, V>>, flight: &Arc<Flight<V>>) -> Option<(K, bool)> {
    let place = in_air.iter().position(|other| Arc::ptr_eq(&other.flight, flight))?;
    let taken = in_air.swap_remove(place);
    if in_air.is_empty() {
        // Nothing is kept for when nothing is loaded.
        *in_air = Vec::new();
    }
    Some((taken.key, taken.is_outdated))
}

/// A load, as those see it who wait for it.
#[derive(Debug)]
pub(super) struct Flight<V> {
    runner: Runner,
    stage: Mutex<Stage<V>>,
    ended: Condvar,
}

#[derive(Debug)]
enum Stage<V> {
    /// Under way, and the futures to wake.
    InAir(Vec<Option<Waker>>),
    Landed(V),
    Failed,
}

impl<V> Flight<V> {
    fn new(runner: Runner) -> Self {
        let stage = Mutex::new(Stage::InAir(Vec::new()));
        Self { runner, stage, ended: Condvar::new() }
    }

    /// Ends it, unless it has ended.
    fn end(&self, end: Stage<V>) {
        let mut stage = lock(&self.stage);
        let Stage::InAir(wakers) = &mut *stage else {
            return;
        };
        let wakers = std::mem::take(wakers);
        *stage = end;
        drop(stage);
        self.ended.notify_all();
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl<V: Clone> Flight<V> {
    /// Waits until it has ended; `None` if it failed.
    pub(super) fn wait(&self) -> Option<V> {
        let mut stage = lock(&self.stage);
        while matches!(*stage, Stage::InAir(_)) {
            stage = self.ended.wait(stage).unwrap_or_else(PoisonError::into_inner);
        }
        match &*stage {
            Stage::Landed(value) => Some(value.clone()),
            _ => None,
        }
    }
}

/// A future of a load's end: its value, or `None` if it failed.
#[derive(Debug)]
pub(super) struct Wait<V> {
    flight: Arc<Flight<V>>,
    /// Where its waker is.
    place: Option<usize>,
}

impl<V> Wait<V> {
    pub(super) fn new(flight: Arc<Flight<V>>) -> Self {
        Self { flight, place: None }
    }
}

impl<V: Clone> Future for Wait<V> {
    type Output = Option<V>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<V>> {
        let this = self.get_mut();
        // Cloned before the lock and dropped after it: an executor's code.
        let mut waker = Some(context.waker().clone());
        let mut stage = lock(&this.flight.stage);
        match &mut *stage {
            Stage::Landed(value) => Poll::Ready(Some(value.clone())),
            Stage::Failed => Poll::Ready(None),
            Stage::InAir(wakers) => {
                let place = *this.place.get_or_insert(wakers.len());
                if place == wakers.len() {
                    wakers.push(None);
                }
                std::mem::swap(&mut wakers[place], &mut waker);
                Poll::Pending
            }
        }
    }
}

impl<V> Drop for Wait<V> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let mut stage = lock(&self.flight.stage);
        let waker = match &mut *stage {
            Stage::InAir(wakers) => wakers[place].take(),
            _ => None,
        };
        drop(stage);
        drop(waker);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A key's `Eq` or a value's `Clone` may have panicked under it; what it guards is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, bursar_cache_loom))]
mod model;
#[cfg(all(test, not(bursar_cache_loom)))]
mod tests;
