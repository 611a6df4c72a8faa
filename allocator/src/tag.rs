//! [`Tag`]: the name under which bytes are counted.

use std::sync::{Mutex, OnceLock, PoisonError};

use crate::primitive::{AtomicU8, AtomicUsize, Ordering};

/// How many tag numbers there are; a block stores its tag's number in one byte.
pub(crate) const TAG_NUMBERS: usize = 256;
/// Blocks allocated with no tag entered.
pub(crate) const UNTAGGED: u8 = 0;
/// Takes every tag that came after all numbers were given out.
pub(crate) const OVERFLOW: u8 = 254;
/// Numbers a user's tags can have: all but untagged, overflow, and 255, kept for sampled blocks.
const LAST_USER_NUMBER: u8 = 240;

/// The longest name a tag may have, in bytes.
pub const MAX_TAG_NAME_LEN: usize = 64;

/// A name under which live bytes are counted, made once as a `static`.
///
/// Everything that a thread allocates while a tag is entered is charged to it, and stays charged
/// to it until it is freed, on whatever thread and under whatever tag that happens.
///
/// A tag is identified by its name: two statics of the same name, in two crates say, share one
/// account. About 240 tags can be in use in one process; tags past that are all counted under
/// the tag `overflow`, since entering a tag cannot fail.
///
/// # Examples
///
/// ```
/// use bursar_alloc::Tag;
///
/// static THUMBNAILS: Tag = Tag::new("thumbnails");
///
/// let buffer = THUMBNAILS.scope(|| vec![0u8; 4096]);
/// # drop(buffer);
/// ```
///
/// A bad name in a `static` does not compile:
///
/// ```compile_fail
/// # use bursar_alloc::Tag;
/// static BAD: Tag = Tag::new("no spaces, please");
/// ```
#[derive(Debug)]
pub struct Tag {
    name: &'static str,
    /// 0 until first used, then the tag's number for good.
    number: AtomicU8,
}

/// Why a tag's name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "tag name {name:?} is not allowed: a name has 1 to {MAX_TAG_NAME_LEN} characters out of \
     a-z, A-Z, 0-9, '_', '-', '.', ':' and '/'"
)]
pub struct InvalidTagName {
    /// The name that was given.
    pub name: &'static str,
}

impl Tag {
    /// Makes a tag called `name`: 1 to 64 characters out of `a-z A-Z 0-9 _ - . : /`, so that a
    /// name is fit for a metrics label, a JSON key and a log line as it stands.
    ///
    /// # Panics
    ///
    /// If the name is not allowed. In a `static` or `const` that is a compile error; for a name
    /// that is known at run time only, use [`Tag::try_new`].
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        match Self::try_new(name) {
            Ok(tag) => tag,
            Err(_) => panic!(
                "a tag's name has 1 to 64 characters out of a-z, A-Z, 0-9, '_', '-', '.', ':' and '/'"
            ),
        }
    }

    /// As [`Tag::new`], with an error in place of the panic.
    ///
    /// # Errors
    ///
    /// [`InvalidTagName`] if the name is empty, too long, or holds another character.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::Tag;
    ///
    /// assert!(Tag::try_new("images/small").is_ok());
    /// assert!(Tag::try_new("").is_err());
    /// ```
    pub const fn try_new(name: &'static str) -> Result<Self, InvalidTagName> {
        if is_valid_name(name) {
            Ok(Self { name, number: AtomicU8::new(UNTAGGED) })
        } else {
            Err(InvalidTagName { name })
        }
    }

    /// The tag's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The tag's number, given to it at its first use: one relaxed load from then on.
    #[inline]
    pub(crate) fn number(&'static self) -> u8 {
        // Relaxed: the number itself is all that is read through it.
        match self.number.load(Ordering::Relaxed) {
            UNTAGGED => self.assign_number(),
            number => number,
        }
    }

    /// Finds the number of a tag of this name, or gives it the next one.
    ///
    /// Takes a lock: called where a user enters a tag, never on the allocation path.
    #[cold]
    #[expect(clippy::disallowed_methods, reason = "not on the allocation path")]
    fn assign_number(&'static self) -> u8 {
        let _one_at_a_time = ASSIGNING.lock().unwrap_or_else(PoisonError::into_inner);
        let used = USED_NUMBERS.load(Ordering::Relaxed);
        let known = (1..=used).find(|&number| NAMES[number].get() == Some(&self.name));
        let number = match known {
            Some(number) => number as u8,
            None if used < usize::from(LAST_USER_NUMBER) => {
                let number = used + 1;
                NAMES[number].get_or_init(|| self.name);
                // Release: pairs with the acquire of `numbers_in_use`, which may then read the
                // name just set.
                USED_NUMBERS.store(number, Ordering::Release);
                number as u8
            }
            None => {
                OVERFLOWED.fetch_add(1, Ordering::Relaxed);
                OVERFLOW
            }
        };
        self.number.store(number, Ordering::Relaxed);
        number
    }
}

/// The names of the user's tags by number. Index 0 stays empty.
static NAMES: [OnceLock<&'static str>; LAST_USER_NUMBER as usize + 1] =
    [const { OnceLock::new() }; LAST_USER_NUMBER as usize + 1];
static USED_NUMBERS: AtomicUsize = AtomicUsize::new(0);
static OVERFLOWED: AtomicUsize = AtomicUsize::new(0);
static ASSIGNING: Mutex<()> = Mutex::new(());

/// The name that blocks of this number are reported under; `None` for a number not given out.
pub(crate) fn name_of(number: u8) -> Option<&'static str> {
    match number {
        UNTAGGED => Some("untagged"),
        OVERFLOW => Some("overflow"),
        number => NAMES.get(usize::from(number))?.get().copied(),
    }
}

/// Every number that blocks can bear, in order: untagged, the user's, overflow.
pub(crate) fn numbers_in_use() -> impl Iterator<Item = u8> {
    // Acquire: pairs with the release in `assign_number`, so that each of them has its name.
    let used = USED_NUMBERS.load(Ordering::Acquire) as u8;
    (UNTAGGED..=used).chain(std::iter::once(OVERFLOW))
}

/// How many tags came after all numbers were given out and are counted under `overflow`.
pub(crate) fn overflowed_tags() -> usize {
    OVERFLOWED.load(Ordering::Relaxed)
}

const fn is_valid_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > MAX_TAG_NAME_LEN {
        return false;
    }
    let mut i = 0;
    while i < bytes.len() {
        if !matches!(bytes[i],
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b':' | b'/')
        {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_keeps_its_number_and_two_statics_of_one_name_share_it() {
        static FIRST: Tag = Tag::new("tests/shared-name");
        static SECOND: Tag = Tag::new("tests/shared-name");
        static OTHER: Tag = Tag::new("tests/other-name");

        let number = FIRST.number();
        assert_eq!(number, FIRST.number());
        assert_eq!(number, SECOND.number());
        assert_ne!(number, OTHER.number());
        assert_eq!(name_of(number), Some("tests/shared-name"));
    }

    #[test]
    fn a_tag_used_first_on_many_threads_at_once_has_one_number() {
        static TAG: Tag = Tag::new("tests/raced");
        let numbers: Vec<u8> = std::thread::scope(|scope| {
            let handles: Vec<_> = (0..8).map(|_| scope.spawn(|| TAG.number())).collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        assert!(numbers.iter().all(|&number| number == numbers[0]), "{numbers:?}");
    }

    #[test]
    fn names_fit_for_labels_are_taken_and_others_refused_with_the_name() {
        for good in ["a", "images/small", "Cache-1.x:y_z", &"n".repeat(MAX_TAG_NAME_LEN)] {
            assert!(is_valid_name(good), "{good:?}");
        }
        for bad in ["", "two words", "quote\"", "new\nline", "\u{e9}t\u{e9}", "back\\slash"] {
            assert!(!is_valid_name(bad), "{bad:?}");
        }
        assert!(!is_valid_name(&"n".repeat(MAX_TAG_NAME_LEN + 1)));
        let error = Tag::try_new("12 bananas").unwrap_err();
        assert!(error.to_string().contains("\"12 bananas\""), "{error}");
    }
}
