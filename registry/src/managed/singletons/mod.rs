//! [`Singletons`]: values made once and shared, by name and type.

mod builder;
mod builds;
mod error;
mod inner;
mod purge;
mod slot;
mod stats;

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use bursar_alloc::TagHandle;

use crate::error::Error;
use inner::{Found, Inner};
use slot::{Kind, Value};

pub use builder::SingletonsBuilder;
pub use error::SingletonError;
pub use stats::{SingletonStats, SingletonsStats};

/// Values that are made once and shared, by name and type, with the bytes of each.
///
/// A value, not a global: a test makes its own. Clones share the content. A name holds one type
/// until it is removed. Handles are `Arc`s: those given out stay valid whatever becomes of the
/// name, and the memory goes with the last one.
///
/// A name that was [`define`](Self::define)d with a factory is rebuildable: the
/// [`Bursar`](crate::Bursar) it is registered with may drop the value while no handle is out, and
/// the next look-up builds it again. What [`get_or_init`](Self::get_or_init) built or
/// [`set`](Self::set) was given is never dropped by a purge.
///
/// # Bytes
///
/// Each name has a tag of its own, a part of the given one, called `tag/name`; a value is built
/// under it, and its live bytes are the deep bytes in [`stats`](Self::stats). Where `max_tags`
/// names have one already, or none can be had, the value is built under the given tag.
///
/// # Threads
///
/// All calls may be made from any thread, from factories and from destructors too. Of several
/// threads that want one value at once, one builds and the others wait for it. A build that comes
/// to want what waits for it, on one thread or in a ring of several, is refused with
/// [`Error::RecursiveBuild`]. What cannot be seen is a factory that waits, by joining a thread
/// say, for another that wants what is being built: that hangs.
///
/// # Costs
///
/// A look-up of what is there takes a lock for reading, searches the name, reads the clock and
/// clones an `Arc`; a rate limit adds a lock.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{Singletons, Tag};
///
/// static SHARED: Tag = Tag::new("shared");
///
/// let shared = Singletons::new(&SHARED);
/// let words = shared.get_or_init("words", || vec!["to", "be"])?;
/// assert!(Arc::ptr_eq(&words, &shared.get_or_init("words", || unreachable!())?));
///
/// shared.define("squares", || (0..1000u64).map(|n| n * n).collect::<Vec<_>>())?;
/// let squares = shared.get::<Vec<u64>>("squares")?;
/// assert_eq!(squares.map(|squares| squares[12]), Some(144));
/// # Ok::<(), bursar::Error>(())
/// ```
#[derive(Clone)]
pub struct Singletons {
    inner: Arc<Inner>,
}

impl Singletons {
    /// An empty one under `tag`, registered under the tag's name, with no rate limit.
    #[must_use]
    pub fn new(tag: impl Into<TagHandle>) -> Self {
        SingletonsBuilder::new(tag.into()).make()
    }

    /// Begins to build one with settings.
    pub fn builder(tag: impl Into<TagHandle>) -> SingletonsBuilder {
        SingletonsBuilder::new(tag.into())
    }

    /// The tag that it is under.
    #[must_use]
    pub fn tag(&self) -> &TagHandle {
        &self.inner.tag
    }

    /// The value of `name`, built by `build` if there is none; what was
    /// [`define`](Self::define)d is built by its own factory.
    ///
    /// No lock is held while `build` runs. If it panics, nothing is left behind: the panic goes
    /// on, and a thread that waited builds in its turn. A build that is under way while the name
    /// is set, removed or cleared ends for those who wait for it, and is not kept.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`], [`Error::RateLimited`], [`Error::WrongType`] if the name holds
    /// another type, and [`Error::RecursiveBuild`] if this is called in the course of the very
    /// build that it would wait for.
    pub fn get_or_init<T: Send + Sync + 'static>(
        &self,
        name: &str,
        build: impl FnOnce() -> T,
    ) -> Result<Arc<T>, Error> {
        self.try_get_or_init(name, || Ok::<T, Infallible>(build())).map_err(Error::from)
    }

    /// As [`get_or_init`](Self::get_or_init), for a factory that may fail. One that does leaves
    /// nothing behind: a thread that waited, or the next to ask, builds in its turn.
    ///
    /// # Errors
    ///
    /// [`SingletonError::Build`] with the factory's error; [`SingletonError::Refused`] with an
    /// error that [`get_or_init`](Self::get_or_init) has.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{SingletonError, Singletons, Tag};
    ///
    /// static SETTINGS: Tag = Tag::new("settings");
    ///
    /// let settings = Singletons::new(&SETTINGS);
    /// let port = |text: &'static str| settings.try_get_or_init("port", || text.parse::<u16>());
    /// assert!(matches!(port("eighty"), Err(SingletonError::Build(_))));
    /// assert_eq!(*port("80")?, 80);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_get_or_init<T: Send + Sync + 'static, E>(
        &self,
        name: &str,
        build: impl FnOnce() -> Result<T, E>,
    ) -> Result<Arc<T>, SingletonError<E>> {
        let now = self.inner.admit(name)?;
        match self.inner.find_or_add(name, now)? {
            Found::Value(value) => Ok(value),
            Found::Vacant(visit) => visit.build(build),
        }
    }

    /// The value of `name`, if there is one; what was [`define`](Self::define)d is built if need
    /// be. A value that is being built for the first time is not there yet.
    ///
    /// # Errors
    ///
    /// As [`get_or_init`](Self::get_or_init).
    pub fn get<T: Send + Sync + 'static>(&self, name: &str) -> Result<Option<Arc<T>>, Error> {
        let now = self.inner.admit(name)?;
        match self.inner.find(name, now)? {
            Some(Found::Value(value)) => Ok(Some(value)),
            Some(Found::Vacant(visit)) => visit.build_if_defined(),
            None => Ok(None),
        }
    }

    /// Has `name` built by `factory` at its first look-up, and again after a purge dropped the
    /// value. `factory` is kept until the name is set, removed or cleared.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`], [`Error::RateLimited`], and [`Error::NameTaken`] if there is a
    /// value, a definition or a build under way.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar::{Entry, PressureLevel, PurgeRequest, Purgeable, Singletons, Tag};
    ///
    /// static MODELS: Tag = Tag::new("models");
    ///
    /// let models = Singletons::new(&MODELS);
    /// models.define("primes", || vec![2u32, 3, 5, 7])?;
    /// let primes = models.get::<Vec<u32>>("primes")?;
    /// drop(primes);
    ///
    /// // What a Bursar's cleanup does. Nobody has a handle: the value goes.
    /// let entry = Entry::from(&models);
    /// entry.purgeable().purge(&PurgeRequest::new(u64::MAX, PressureLevel::Critical));
    /// assert!(models.stats().entry("primes").is_some_and(|primes| !primes.is_built));
    /// assert!(models.get::<Vec<u32>>("primes")?.is_some());
    /// # Ok::<(), bursar::Error>(())
    /// ```
    pub fn define<T: Send + Sync + 'static>(
        &self,
        name: &str,
        factory: impl Fn() -> T + Send + Sync + 'static,
    ) -> Result<(), Error> {
        self.inner.admit(name)?;
        let _tag = self.inner.tag.enter();
        let factory = Box::new(move || Arc::new(factory()) as Value);
        self.inner.define(name, Kind::of::<T>(), factory)
    }

    /// Puts a value in, and answers the one that it replaces; a definition it replaces is gone.
    /// The name's counters begin anew.
    ///
    /// The value was made by the caller: of its bytes only its own `size_of` is counted here, its
    /// heap under the tag that was entered when it was made.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`], [`Error::RateLimited`], and [`Error::WrongType`] if the name holds
    /// another type: [`remove`](Self::remove) it first. `value` is then dropped.
    pub fn set<T: Send + Sync + 'static>(
        &self,
        name: &str,
        value: T,
    ) -> Result<Option<Arc<T>>, Error> {
        let now = self.inner.admit(name)?;
        self.inner.set(name, value, now)
    }

    /// Whether there is a value or a definition of `name`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] and [`Error::RateLimited`].
    pub fn contains(&self, name: &str) -> Result<bool, Error> {
        self.inner.admit(name)?;
        Ok(self.inner.contains(name))
    }

    /// Drops a name's value and definition. Answers whether there was one. The memory of the
    /// value is given back when the last handle is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidName`] and [`Error::RateLimited`].
    pub fn remove(&self, name: &str) -> Result<bool, Error> {
        self.inner.admit(name)?;
        let removed = self.inner.remove(name);
        Ok(removed.is_some_and(|slot| slot.is_contained()))
    }

    /// Drops every value and definition. Never refused, and not counted by the rate limit.
    pub fn clear(&self) {
        self.inner.clear();
    }

    /// Sets every `*_total` in [`stats`](Self::stats) to zero. The rate limit goes on as it was.
    pub fn reset_stats(&self) {
        self.inner.reset_stats();
    }

    /// What it holds and has done. Some microseconds for each name that has a tag of its own.
    #[must_use]
    pub fn stats(&self) -> SingletonsStats {
        self.inner.stats()
    }
}

impl fmt::Debug for Singletons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Singletons")
            .field("name", &self.inner.name)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
