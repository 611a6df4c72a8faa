//! [`SingletonError`]: a factory's own error, or why it was not asked.

use std::convert::Infallible;

use crate::error::Error;

/// Why [`Singletons::try_get_or_init`](super::Singletons::try_get_or_init) has no value.
///
/// Where the factory's error is Bursar's own [`Error`], `?` turns one of these into it.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use bursar::{Error, Singletons, Tag};
///
/// static SHARED: Tag = Tag::new("shared");
///
/// fn greeting(shared: &Singletons) -> Result<Arc<String>, Error> {
///     let greeting = shared.try_get_or_init("greeting", || {
///         let name = shared.get_or_init("name", || "world".to_owned())?;
///         Ok::<_, Error>(format!("hello, {name}"))
///     })?;
///     Ok(greeting)
/// }
///
/// assert_eq!(*greeting(&Singletons::new(&SHARED))?, "hello, world");
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SingletonError<E> {
    /// The factory failed, with this. Nothing was left behind.
    #[error(transparent)]
    Build(E),
    /// The factory was not run.
    #[error(transparent)]
    Refused(#[from] Error),
}

impl From<SingletonError<Error>> for Error {
    fn from(error: SingletonError<Error>) -> Self {
        match error {
            SingletonError::Build(error) | SingletonError::Refused(error) => error,
        }
    }
}

impl From<SingletonError<Infallible>> for Error {
    fn from(error: SingletonError<Infallible>) -> Self {
        match error {
            SingletonError::Build(never) => match never {},
            SingletonError::Refused(error) => error,
        }
    }
}
