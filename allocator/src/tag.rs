//! [`Tag`]: the name under which bytes are counted, made once as a `static`.

use std::borrow::Cow;

use crate::name::{self, InvalidTagName};
use crate::primitive::{AtomicU8, Ordering};
use crate::tag_table::{MAX_TAGS, OVERFLOW, UNTAGGED};
use crate::thread::{LEDGER, TAGS};

/// How many ancestors of a tag count: parents past that are taken for none.
const MAX_ANCESTORS: usize = 16;

/// A name under which live bytes are counted, made once as a `static`.
///
/// Everything that a thread allocates while a tag is entered is charged to it, and stays charged
/// to it until it is freed, on whatever thread and under whatever tag that happens.
///
/// A tag is identified by its name: two statics of the same name, in two crates say, share one
/// account. About 240 tags can be in use in one process; statics past that are all counted under
/// the tag `overflow`, since entering a tag cannot fail. For names known at run time only there
/// is [`TagHandle`](crate::TagHandle).
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
    parent: Option<&'static Tag>,
    /// 0 until first used, then the tag's number for good.
    number: AtomicU8,
}

impl Tag {
    /// Makes a tag called `name`: 1 to 64 characters out of `a-z A-Z 0-9 _ - . : /`, so that a
    /// name is fit for a metrics label, a JSON key and a log line as it stands; and neither
    /// `untagged` nor `overflow`, which are listed beside the tags.
    ///
    /// # Panics
    ///
    /// If the name is not allowed. In a `static` or `const` that is a compile error; for a name
    /// that is known at run time only, use [`TagHandle::new`](crate::TagHandle::new).
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        assert!(
            name::is_valid_tag_name(name),
            "a tag's name has 1 to 64 characters out of a-z, A-Z, 0-9, '_', '-', '.', ':' and '/', \
             and is neither \"untagged\" nor \"overflow\""
        );
        Self { name, parent: None, number: AtomicU8::new(UNTAGGED) }
    }

    /// As [`Tag::new`], with an error in place of the panic.
    ///
    /// # Errors
    ///
    /// [`InvalidTagName`] if the name is empty, too long, taken, or holds another character.
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
        if name::is_valid_tag_name(name) {
            Ok(Self { name, parent: None, number: AtomicU8::new(UNTAGGED) })
        } else {
            Err(InvalidTagName { name: Cow::Borrowed(name) })
        }
    }

    /// Makes it a part of `parent`, whose `subtree` figures then have this tag's in them. What is
    /// allocated under it is still charged to this tag alone, at no more cost.
    ///
    /// Where two tags of one name have different parents, the first one used decides. A tag has
    /// up to 16 ancestors; those past that are taken for none.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::Tag;
    ///
    /// static IMAGES: Tag = Tag::new("images");
    /// static THUMBNAILS: Tag = Tag::new("images/thumbnails").with_parent(&IMAGES);
    ///
    /// assert_eq!(bursar_alloc::tag_usage(&THUMBNAILS).parent.as_deref(), Some("images"));
    /// ```
    #[must_use]
    pub const fn with_parent(self, parent: &'static Self) -> Self {
        Self { name: self.name, parent: Some(parent), number: AtomicU8::new(UNTAGGED) }
    }

    /// The tag's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The tag's number, given to it at its first use: one relaxed load from then on.
    #[inline]
    pub(crate) fn number(&'static self) -> u8 {
        // Relaxed: what goes with the number is read under the table's own orderings.
        match self.number.load(Ordering::Relaxed) {
            UNTAGGED => self.assign_numbers(),
            number => number,
        }
    }

    /// Numbers the tag, its ancestors first.
    ///
    /// Takes a lock: called where a user enters a tag, never on the allocation path.
    #[cold]
    fn assign_numbers(&'static self) -> u8 {
        // Statics can name one another in a circle: this ends after so many.
        let mut line = [self; MAX_ANCESTORS + 1];
        let mut len = 1;
        while let Some(parent) = line[len - 1].parent.filter(|_| len < line.len()) {
            line[len] = parent;
            len += 1;
        }
        line[..len].iter().rev().fold(UNTAGGED, |parent, tag| tag.assign_number(parent))
    }

    fn assign_number(&'static self, parent: u8) -> u8 {
        let known = self.number.load(Ordering::Relaxed);
        if known != UNTAGGED {
            return known;
        }
        let number = match TAGS.acquire(self.name, parent, MAX_TAGS, |number| LEDGER.sum(number)) {
            // Held from now on for ever.
            Some(number) => {
                TAGS.account(number).name_is_static(&self.name);
                number
            }
            None => {
                TAGS.note_overflow();
                OVERFLOW
            }
        };
        self.number.store(number, Ordering::Relaxed);
        number
    }
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
        assert_eq!(TAGS.account(number).name(), "tests/shared-name");
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
    fn a_circle_of_parents_is_cut_somewhere() {
        static HEN: Tag = Tag::new("tests/hen").with_parent(&EGG);
        static EGG: Tag = Tag::new("tests/egg").with_parent(&HEN);
        let mut ancestors = 0;
        TAGS.for_each_ancestor(HEN.number(), |_| ancestors += 1);
        TAGS.for_each_ancestor(EGG.number(), |_| ancestors += 1);
        assert_eq!(ancestors, 1);
    }

    #[test]
    fn a_refused_name_is_in_the_error() {
        let error = Tag::try_new("12 bananas").unwrap_err();
        assert!(error.to_string().contains("\"12 bananas\""), "{error}");
    }
}
