//! [`Tag`]: the name under which bytes are counted, made once as a `static`.

use std::borrow::Cow;

use crate::isolate::{self, NOT_ISOLATED};
use crate::name::{self, InvalidTagName};
use crate::primitive::{AtomicUsize, Ordering};
use crate::tag_table::{Description, MAX_TAGS, OVERFLOW, TagRef};
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
    is_isolated: bool,
    /// The bits of [`TagRef::UNTAGGED`] until first used, then those of the tag's own for good.
    known: AtomicUsize,
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
        Self::unused(name, None, false)
    }

    const fn unused(name: &'static str, parent: Option<&'static Tag>, is_isolated: bool) -> Self {
        Self { name, parent, is_isolated, known: AtomicUsize::new(TagRef::UNTAGGED.to_bits()) }
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
            Ok(Self::unused(name, None, false))
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
        Self::unused(self.name, Some(parent), self.is_isolated)
    }

    /// Gives the tag memory of its own: with jemalloc an arena, so that no block of another tag
    /// lies in its pages. When its cache is emptied, or loses its oldest entries, the pages go
    /// back to the system, however the rest of the heap is interleaved.
    ///
    /// For a few big caches. It helps where what is dropped was allocated together: all of it, or
    /// the oldest. Entries dropped at random leave each page with somebody else of the same tag,
    /// which no allocator can give back.
    ///
    /// # Costs
    ///
    /// - Tags: up to 32 have memory of their own at once ([`TagUsage::isolation`] says who has). One
    ///   that was made at run time keeps it until its number goes to another tag.
    /// - An arena takes 88 KiB when it is made, at the tag's first use, and 97 with its first block.
    ///   The next tag that needs one has it; it is never given back as a whole.
    /// - A thread that has allocated some 64 blocks below a KiB under the tag has a cache for it:
    ///   14 KiB, and up to two thirds of a MiB of freed blocks. jemalloc does not trim it, as it
    ///   trims its automatic ones: it stays until the thread ends, collects, or forks. There are
    ///   512 such caches at most over all threads and tags
    ///   ([`Usage::isolation_caches_in_use`]), and threads past them do without.
    /// - Blocks from a KiB on are not cached, nor are those of a thread without a cache: each of
    ///   their allocations and frees takes a lock of the arena's.
    /// - An allocation and its free, by size, against the same under an ordinary tag:
    ///
    /// | | isolated | ordinary |
    /// |---|---|---|
    /// | 48 B | 26 ns | 11 ns |
    /// | 500 B | 30 ns | 19 ns |
    /// | 1,024 B | 32 ns | 23 ns |
    /// | 16 KiB | 39 ns | 32 ns |
    ///
    /// Backends other than jemalloc have no such memory: there it does nothing, and
    /// [`TagUsage::isolation`] says so.
    ///
    /// # Which blocks
    ///
    /// Those that are allocated while the tag is entered, and what they grow to by `realloc`. Where
    /// a block of another tag becomes this one's by [`Retag`](crate::Retag), it is copied. A boxed
    /// `dyn Trait` or slice cannot be: it stays among the others, and so may a block whose copy
    /// there was no memory for.
    ///
    /// Where one of two tags of the same name is isolated, the first one used decides. The tag is
    /// isolated by itself: what is a part of it has memory of its own only if it is isolated too.
    ///
    /// [`TagUsage::isolation`]: crate::TagUsage::isolation
    /// [`Usage::isolation_caches_in_use`]: crate::Usage::isolation_caches_in_use
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::{Collect, Tag};
    ///
    /// static IMAGES: Tag = Tag::new("images").isolated();
    ///
    /// let images = IMAGES.scope(|| vec![vec![0u8; 300]; 1000]);
    /// drop(images);
    /// IMAGES.collect(Collect::Purge); // these pages, and nobody else's
    /// ```
    #[must_use]
    pub const fn isolated(self) -> Self {
        Self::unused(self.name, self.parent, true)
    }

    /// The tag's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The tag's number, given to it at its first use.
    #[inline]
    pub(crate) fn number(&'static self) -> u8 {
        self.to_ref().number()
    }

    /// The tag's number and slot, given to it at its first use: one load from then on.
    #[inline]
    pub(crate) fn to_ref(&'static self) -> TagRef {
        // Acquire: pairs with the release in `assign_number`, so that whoever frees what is
        // allocated under the number finds the number's slot.
        match TagRef::from_bits(self.known.load(Ordering::Acquire)) {
            TagRef::UNTAGGED => self.assign_numbers(),
            known => known,
        }
    }

    /// Numbers the tag, its ancestors first.
    ///
    /// Takes a lock: called where a user enters a tag, never on the allocation path.
    #[cold]
    fn assign_numbers(&'static self) -> TagRef {
        // Statics can name one another in a circle: this ends after so many.
        let mut line = [self; MAX_ANCESTORS + 1];
        let mut len = 1;
        while let Some(parent) = line[len - 1].parent.filter(|_| len < line.len()) {
            line[len] = parent;
            len += 1;
        }
        let ancestors_first = line[..len].iter().rev();
        ancestors_first.fold(TagRef::UNTAGGED, |parent, tag| tag.assign_number(parent.number()))
    }

    fn assign_number(&'static self, parent: u8) -> TagRef {
        // Acquire: as in `to_ref`.
        let known = TagRef::from_bits(self.known.load(Ordering::Acquire));
        if known != TagRef::UNTAGGED {
            return known;
        }
        let wanted = Description { name: self.name, parent, is_isolated: self.is_isolated };
        let own = match TAGS.acquire(wanted, MAX_TAGS, |number| LEDGER.sum(number)) {
            // Held from now on for ever.
            Some(number) => {
                TAGS.account(number).name_is_static(&self.name);
                TagRef::uncounted(number, isolate::prepare(TAGS.slot(number)))
            }
            None => {
                TAGS.note_overflow();
                TagRef::uncounted(OVERFLOW, NOT_ISOLATED)
            }
        };
        // Release: pairs with the acquires here and in `to_ref`.
        self.known.store(own.to_bits(), Ordering::Release);
        own
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
