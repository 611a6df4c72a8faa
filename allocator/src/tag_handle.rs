//! [`TagHandle`]: a tag made at run time, or any tag where the code does not care which kind.

use std::borrow::Cow;

use crate::isolate;
use crate::name::{self, InvalidTagName, TagError};
use crate::tag::Tag;
use crate::tag_table::{Description, MAX_TAGS, TagRef};
use crate::thread::{LEDGER, TAGS, leave_tag};

/// A handle to a tag: one made at run time, for a tenant or a plug-in say, or a static one.
///
/// As with a static [`Tag`], a name has one account: handles made of the same name, and statics
/// of that name, are the same tag. Clones are cheap.
///
/// About 240 tags can be in use at once, statics included. A tag made at run time is in use as
/// long as a handle, a guard, a future or a [`Charge`](crate::Charge) names it, and then until
/// the last block that was allocated under it is freed. After that its number may go to a tag of
/// another name, which begins with figures of its own at zero.
///
/// # Costs
///
/// Making one takes a lock and looks through the names in use: some microseconds. Entering one
/// costs two atomic additions more than entering a static tag, one to enter and one to leave;
/// allocating under it costs the same.
///
/// # Examples
///
/// ```
/// use bursar_alloc::TagHandle;
///
/// let tenant = TagHandle::new("tenant/42")?;
/// let session = tenant.scope(|| vec![0u8; 4096]);
/// assert_eq!(tenant.name(), "tenant/42");
/// # drop(session);
/// # Ok::<(), bursar_alloc::TagError>(())
/// ```
#[derive(Debug)]
pub struct TagHandle {
    tag: TagRef,
}

impl TagHandle {
    /// A handle to the tag called `name`, which is made if there is none. The same names are
    /// allowed as for [`Tag::new`].
    ///
    /// # Errors
    ///
    /// [`TagError::InvalidName`], and [`TagError::NoNumberLeft`] while about 240 other tags are in
    /// use.
    pub fn new(name: &str) -> Result<Self, TagError> {
        Self::acquire(Description::of(name))
    }

    /// As [`TagHandle::new`], as a part of `parent`, whose `subtree` figures then have this tag's
    /// in them. A tag that is in use already keeps the parent it has.
    ///
    /// # Errors
    ///
    /// As [`TagHandle::new`].
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::{Tag, TagHandle, tag_usage};
    ///
    /// static TENANTS: Tag = Tag::new("tenants");
    ///
    /// let tenant = TagHandle::with_parent("tenants/42", &TENANTS)?;
    /// assert_eq!(tag_usage(&tenant).parent.as_deref(), Some("tenants"));
    /// # Ok::<(), bursar_alloc::TagError>(())
    /// ```
    pub fn with_parent(name: &str, parent: impl Into<TagHandle>) -> Result<Self, TagError> {
        let parent = parent.into();
        Self::acquire(Description { parent: parent.number(), ..Description::of(name) })
    }

    /// As [`TagHandle::new`], with memory of its own: see [`Tag::isolated`]. A tag that is in use
    /// already stays as it is.
    ///
    /// # Errors
    ///
    /// As [`TagHandle::new`]. That no memory of its own is left is none:
    /// [`TagUsage::isolation`](crate::TagUsage::isolation) says so.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::{Isolation, TagHandle, tag_usage};
    ///
    /// let tiles = TagHandle::isolated("tiles/europe")?;
    /// assert_ne!(tag_usage(&tiles).isolation, Isolation::Off);
    /// # Ok::<(), bursar_alloc::TagError>(())
    /// ```
    pub fn isolated(name: &str) -> Result<Self, TagError> {
        Self::acquire(Description { is_isolated: true, ..Description::of(name) })
    }

    fn acquire(wanted: Description<'_>) -> Result<Self, TagError> {
        let name = wanted.name;
        if !name::is_valid_tag_name(name) {
            return Err(InvalidTagName { name: Cow::Owned(name.to_owned()) }.into());
        }
        let number = TAGS.acquire(wanted, MAX_TAGS, |number| LEDGER.sum(number));
        let number = number
            .ok_or_else(|| TagError::NoNumberLeft { name: name.to_owned(), in_use: MAX_TAGS })?;
        Ok(Self { tag: TagRef::counted(number, isolate::prepare(TAGS.slot(number))) })
    }

    /// The tag's name; `overflow` for a static tag that came when all numbers were in use.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        crate::usage::name_of(self.number())
    }

    pub(crate) fn number(&self) -> u8 {
        self.tag.number()
    }

    /// A reference that is one of the account's holders, if this handle is.
    #[inline]
    pub(crate) fn to_ref(&self) -> TagRef {
        if self.tag.is_counted() {
            TAGS.account(self.tag.number()).hold();
        }
        self.tag
    }
}

impl Clone for TagHandle {
    #[inline]
    fn clone(&self) -> Self {
        Self { tag: self.to_ref() }
    }
}

impl Drop for TagHandle {
    #[inline]
    fn drop(&mut self) {
        leave_tag(self.tag);
    }
}

/// Of the same account.
impl PartialEq for TagHandle {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl Eq for TagHandle {}

impl From<&'static Tag> for TagHandle {
    #[inline]
    fn from(tag: &'static Tag) -> Self {
        Self { tag: tag.to_ref() }
    }
}

impl From<&TagHandle> for TagHandle {
    #[inline]
    fn from(tag: &TagHandle) -> Self {
        tag.clone()
    }
}
