//! What a tag may be called, and the errors of making one.

use std::borrow::Cow;

/// The longest name a tag may have, in bytes.
pub const MAX_TAG_NAME_LEN: usize = 64;

/// What blocks with no tag are listed under.
pub(crate) const UNTAGGED_NAME: &str = "untagged";
/// What the tags past all numbers are listed under.
pub(crate) const OVERFLOW_NAME: &str = "overflow";

/// Why a tag's name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "tag name {name:?} is not allowed: a name has 1 to {MAX_TAG_NAME_LEN} characters out of \
     a-z, A-Z, 0-9, '_', '-', '.', ':' and '/', and is not one of \"untagged\" and \"overflow\""
)]
pub struct InvalidTagName {
    /// The name that was given.
    pub name: Cow<'static, str>,
}

/// Why a tag could not be made at run time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// The name is not allowed.
    #[error(transparent)]
    InvalidName(#[from] InvalidTagName),
    /// All numbers are given out, to tags that are held or that blocks still bear.
    #[error("no number is left for tag {name:?}: {in_use} tags are in use, and no more can be")]
    NoNumberLeft {
        /// The name that was given.
        name: String,
        /// How many tags are in use, which is how many can be.
        in_use: usize,
    },
}

/// Whether a tag may be called `name`: what [`Tag::new`](crate::Tag::new) and
/// [`TagHandle::new`](crate::TagHandle::new) accept.
///
/// # Examples
///
/// ```
/// assert!(bursar_alloc::is_valid_tag_name("images/small"));
/// assert!(!bursar_alloc::is_valid_tag_name("12 bananas"));
/// ```
#[must_use]
pub const fn is_valid_tag_name(name: &str) -> bool {
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
    !is_same(bytes, UNTAGGED_NAME.as_bytes()) && !is_same(bytes, OVERFLOW_NAME.as_bytes())
}

/// `==`, which is not const for slices.
const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
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
    fn names_fit_for_labels_are_taken_and_others_refused() {
        for good in ["a", "images/small", "Cache-1.x:y_z", &"n".repeat(MAX_TAG_NAME_LEN)] {
            assert!(is_valid_tag_name(good), "{good:?}");
        }
        for bad in ["", "two words", "quote\"", "new\nline", "\u{e9}t\u{e9}", "back\\slash"] {
            assert!(!is_valid_tag_name(bad), "{bad:?}");
        }
        assert!(!is_valid_tag_name(&"n".repeat(MAX_TAG_NAME_LEN + 1)));
    }

    #[test]
    fn the_names_of_the_two_accounts_that_are_no_tags_are_taken() {
        assert!(!is_valid_tag_name(UNTAGGED_NAME));
        assert!(!is_valid_tag_name(OVERFLOW_NAME));
        assert!(is_valid_tag_name("overflow/2"));
    }

    #[test]
    fn the_errors_say_which_tag() {
        let invalid = InvalidTagName { name: "12 bananas".into() };
        assert!(invalid.to_string().contains("\"12 bananas\""), "{invalid}");
        let full = TagError::NoNumberLeft { name: "tenant-241".into(), in_use: 240 };
        assert!(full.to_string().contains("\"tenant-241\": 240 tags"), "{full}");
    }
}
