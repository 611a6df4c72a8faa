//! [`Retag`]: the charge of a block that changes hands.

use std::alloc::Layout;

use crate::block::{self, Place};
use crate::installed::is_installed;
use crate::tag_handle::TagHandle;
use crate::thread;

/// Moves the charge of one block to another tag, in constant time: the block carries its tag, so
/// it is rewritten and the two accounts are corrected. For a buffer that a request hands to a
/// cache, say.
///
/// Implemented for what owns exactly one block: [`Box`], [`Vec`] and [`String`]. It is that block
/// alone: what a `Vec<String>` has in its strings stays where it is, and has to be retagged string
/// by string. An `Arc`, a map or any deeper structure cannot be moved so; make it under the right
/// tag in the first place ([`Tag::scope`](crate::Tag::scope)).
///
/// Counts as a free of the old tag and an allocation of the new one, in their totals and in the
/// thread's, and does not touch the budget's headroom. Without bursar's allocator installed it
/// does nothing, and so it does for a block of no bytes, and for one whose address has no map
/// (see [`Usage::unattributed_blocks_total`](crate::Usage::unattributed_blocks_total)).
///
/// # Examples
///
/// ```
/// use bursar_alloc::{AccountingAllocator, Retag, System, Tag, tag_usage};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// static REQUESTS: Tag = Tag::new("requests");
/// static CACHE: Tag = Tag::new("cache");
///
/// let mut body = REQUESTS.scope(|| vec![0u8; 4096]);
/// body.retag(&CACHE);
/// assert_eq!(tag_usage(&REQUESTS).live_bytes, 0);
/// assert_eq!(tag_usage(&CACHE).live_bytes, 4096);
/// ```
pub trait Retag: sealed::Sealed {
    /// Charges the block to `tag` from now on.
    fn retag(&mut self, tag: impl Into<TagHandle>);
}

mod sealed {
    /// Implementing it promises that the one block is the global allocator's.
    pub trait Sealed {}
}

impl<T: ?Sized> sealed::Sealed for Box<T> {}
impl<T> sealed::Sealed for Vec<T> {}
impl sealed::Sealed for String {}

impl<T: ?Sized> Retag for Box<T> {
    fn retag(&mut self, tag: impl Into<TagHandle>) {
        let layout = Layout::for_value(&**self);
        let block = (&raw mut **self).cast();
        // SAFETY: a box owns its block, which is of its value's layout.
        unsafe { move_charge(block, layout.size(), &tag.into()) };
    }
}

impl<T> Retag for Vec<T> {
    fn retag(&mut self, tag: impl Into<TagHandle>) {
        let size = self.capacity() * size_of::<T>();
        let block = self.as_mut_ptr().cast();
        // SAFETY: a vector owns its block, which is of its capacity.
        unsafe { move_charge(block, size, &tag.into()) };
    }
}

impl Retag for String {
    fn retag(&mut self, tag: impl Into<TagHandle>) {
        let size = self.capacity();
        let block = self.as_mut_ptr();
        // SAFETY: a string owns its block, which is of its capacity.
        unsafe { move_charge(block, size, &tag.into()) };
    }
}

/// # Safety
///
/// `ptr` is where a live block of the global allocator's begins that was allocated for `size`
/// bytes and that the caller may write to, or `size` is zero.
unsafe fn move_charge(ptr: *mut u8, size: usize, tag: &TagHandle) {
    if size == 0 || !is_installed() {
        return;
    }
    let place = Place::of(size);
    // SAFETY: the global allocator is ours, so its block was marked at this size.
    let old = unsafe { block::read_tag(ptr, size, place) };
    // SAFETY: as above; and nobody else reads the tag while the caller has the block to itself.
    let written = unsafe { block::write_tag(ptr, size, place, tag.number()) };
    if written {
        thread::move_block(old, tag.number(), size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tag::Tag;

    #[test]
    fn without_the_allocator_installed_a_block_is_left_alone() {
        static TAG: Tag = Tag::new("retag/not-installed");
        let mut buffer = vec![7u8; 100];
        buffer.retag(&TAG);
        assert_eq!(buffer, [7u8; 100]);
        assert_eq!(crate::tag_usage(&TAG).live_bytes, 0);
    }
}
