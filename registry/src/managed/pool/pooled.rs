//! [`Pooled`]: an object on loan.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::{Inner, Object};

/// An object of a [`Pool`](crate::Pool), to be used by its holder alone. It goes back to the
/// pool when it is dropped, also by a panic of its user: what it then looks like is for the
/// pool's reset to put right.
///
/// # Examples
///
/// ```
/// use bursar::{Pool, Tag};
///
/// static LINES: Tag = Tag::new("lines");
///
/// let lines = Pool::new(&LINES, String::new);
/// let mut line = lines.acquire();
/// line.push_str("GET /");
/// assert_eq!(lines.stats().in_use, 1);
/// drop(line);
/// assert_eq!(lines.stats().idle, 1);
/// ```
#[must_use = "dropping it returns it to the pool"]
pub struct Pooled<T> {
    /// There until it is dropped or detached.
    pub(super) object: Option<Object<T>>,
    pub(super) pool: Arc<Inner<T>>,
}

impl<T> Pooled<T> {
    /// Takes the object out of the pool for good.
    #[must_use = "the object is dropped otherwise, and not returned"]
    pub fn detach(mut self) -> T {
        self.pool.counters.detached.add(1);
        match self.object.take() {
            Some(object) => object.value,
            None => unreachable!("it is taken only here and in `drop`"),
        }
    }
}

impl<T> Deref for Pooled<T> {
    type Target = T;

    fn deref(&self) -> &T {
        match &self.object {
            Some(object) => &object.value,
            None => unreachable!("it is there until `drop` or `detach`"),
        }
    }
}

impl<T> DerefMut for Pooled<T> {
    fn deref_mut(&mut self) -> &mut T {
        match &mut self.object {
            Some(object) => &mut object.value,
            None => unreachable!("it is there until `drop` or `detach`"),
        }
    }
}

impl<T> Drop for Pooled<T> {
    fn drop(&mut self) {
        if let Some(object) = self.object.take() {
            self.pool.take_back(object);
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Pooled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
