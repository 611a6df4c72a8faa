//! [`Charge`]: bytes outside the heap, declared by whoever holds them.

use crate::primitive::Ordering;
use crate::tag::Tag;
use crate::tag_handle::TagHandle;
use crate::thread::{LEDGER, TAGS};

/// More than any machine has, and too little to overflow the headroom.
const MOST_DRAWN_BYTES: u64 = 1 << 56;

/// Bytes that a tag holds outside the heap, for as long as this lives: mapped files, memory of a
/// GPU or of a C library. They count towards the budget and are shown apart from live bytes.
///
/// Costs an atomic addition or two; the allocation path knows nothing of it.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{Charge, Tag, tag_usage};
///
/// static TEXTURES: Tag = Tag::new("textures");
///
/// struct Texture {
///     // ... and a handle of the driver's.
///     charge: Charge,
/// }
///
/// let texture = Texture { charge: TEXTURES.charge(8 << 20) };
/// assert_eq!(tag_usage(&TEXTURES).charged_bytes, 8 << 20);
/// assert_eq!(texture.charge.bytes(), 8 << 20);
/// drop(texture);
/// assert_eq!(tag_usage(&TEXTURES).charged_bytes, 0);
/// ```
#[derive(Debug)]
#[must_use = "the bytes are charged for as long as this lives"]
pub struct Charge {
    tag: TagHandle,
    bytes: u64,
}

impl Charge {
    /// How many bytes are charged.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The tag they are charged to.
    #[must_use]
    pub fn tag(&self) -> &TagHandle {
        &self.tag
    }

    /// Charges `bytes` from now on. Where a tag's sum would be past [`u64::MAX`], it stays there.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::Tag;
    ///
    /// static MAPPED: Tag = Tag::new("mapped");
    ///
    /// let mut charge = MAPPED.charge(4096);
    /// charge.set_bytes(2 * charge.bytes());
    /// assert_eq!(bursar_alloc::tag_usage(&MAPPED).charged_bytes, 8192);
    /// ```
    pub fn set_bytes(&mut self, bytes: u64) {
        let charged = &TAGS.account(self.tag.number()).charged_bytes;
        if bytes < self.bytes {
            // Credited to the budget when it is next looked at, as frees are.
            charged.fetch_sub(self.bytes - bytes, Ordering::Relaxed);
            self.bytes = bytes;
            return;
        }
        let wanted = bytes - self.bytes;
        let before =
            charged.update(Ordering::Relaxed, Ordering::Relaxed, |sum| sum.saturating_add(wanted));
        // What was counted, so that just that is taken off again.
        let counted = wanted.min(u64::MAX - before);
        self.bytes += counted;
        LEDGER.fuel.draw(counted.min(MOST_DRAWN_BYTES) as i64);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.set_bytes(0);
    }
}

impl Tag {
    /// Charges `bytes` outside the heap to this tag until the answer is dropped.
    pub fn charge(&'static self, bytes: u64) -> Charge {
        charge(self.into(), bytes)
    }
}

impl TagHandle {
    /// As [`Tag::charge`].
    pub fn charge(&self, bytes: u64) -> Charge {
        charge(self.clone(), bytes)
    }
}

fn charge(tag: TagHandle, bytes: u64) -> Charge {
    let mut charge = Charge { tag, bytes: 0 };
    charge.set_bytes(bytes);
    charge
}
