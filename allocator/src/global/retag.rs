//! [`Retag`]: the charge of a block that changes hands.

use std::alloc::{Layout, alloc, dealloc};
use std::mem::ManuallyDrop;

use crate::block::{self, Place};
use crate::installed::is_installed;
use crate::isolate;
#[cfg(feature = "profile")]
use crate::profile;
use crate::tag_handle::TagHandle;
use crate::tag_table::SAMPLED;
use crate::thread::{self, TAGS};

/// Moves the charge of one block to another tag: the block carries its tag, so it is rewritten and
/// the two accounts are corrected, in constant time. For a buffer that a request hands to a cache,
/// say.
///
/// Where one of the tags has memory of its own ([`Tag::isolated`](crate::Tag::isolated), by a
/// backend that isolates) and the other has not the same, the block is copied to where it belongs,
/// its spare capacity included, and pointers into it are then of no use. A box of an unsized type,
/// and a block for whose copy there is no memory, stay where they are: charged to the new tag, in
/// the memory of the old one. For as long as it takes both blocks are there, and both are charged.
///
/// Implemented for what owns exactly one block: [`Box`], [`Vec`] and [`String`]. It is that block
/// alone: what a `Vec<String>` has in its strings stays where it is, and has to be retagged string
/// by string. An `Arc`, a map or any deeper structure cannot be moved so; make it under the right
/// tag in the first place ([`Tag::scope`](crate::Tag::scope)).
///
/// Counts as a free of the old tag and an allocation of the new one, in their totals and in the
/// thread's, and does not touch the budget's headroom; a copy is drawn from it as any allocation
/// is. Without bursar's allocator installed it does nothing, and so it does for a block of no
/// bytes, and for one whose address has no map
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
    /// Charges the block to `tag` from now on, and copies it if it belongs elsewhere then.
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
        let value = &raw mut **self;
        let is_thin = size_of_val(&value) == size_of::<*mut u8>();
        // SAFETY: a box owns its block, which is of its value's layout.
        let moved = unsafe { move_charge(value.cast(), layout, &tag.into(), is_thin) };
        if let Some(moved) = moved {
            // SAFETY: a box of a thin type is a pointer to its block. The old block is gone, and
            // the new one has the value and is of its layout.
            unsafe { (&raw mut *self).cast::<*mut u8>().write(moved) };
        }
    }
}

impl<T> Retag for Vec<T> {
    fn retag(&mut self, tag: impl Into<TagHandle>) {
        let (len, capacity) = (self.len(), self.capacity());
        // The layout that a vector of this capacity allocated with is valid.
        let Ok(layout) = Layout::array::<T>(capacity) else { return };
        // SAFETY: a vector owns its block, which is of its capacity.
        let moved = unsafe { move_charge(self.as_mut_ptr().cast(), layout, &tag.into(), true) };
        if let Some(moved) = moved {
            // SAFETY: the new block is of this capacity's layout, and has what the old one had.
            let new = unsafe { Self::from_raw_parts(moved.cast(), len, capacity) };
            // The old block is gone.
            let _old = ManuallyDrop::new(std::mem::replace(self, new));
        }
    }
}

impl Retag for String {
    fn retag(&mut self, tag: impl Into<TagHandle>) {
        // SAFETY: its bytes stay as they are.
        unsafe { self.as_mut_vec() }.retag(tag);
    }
}

/// Charges a block to `tag`, and moves it if it belongs elsewhere then and `may_move`: where to.
///
/// # Safety
///
/// `ptr` is where a live block of the global allocator's begins that was allocated by this layout
/// and that the caller may write to, or the layout's size is zero. Once it has moved, it is freed.
unsafe fn move_charge(
    ptr: *mut u8,
    layout: Layout,
    tag: &TagHandle,
    may_move: bool,
) -> Option<*mut u8> {
    let size = layout.size();
    if size == 0 || !is_installed() {
        return None;
    }
    let place = Place::of(size);
    // SAFETY: the global allocator is ours, so its block was marked at this size.
    let borne = unsafe { block::read_tag(ptr, size, place) };
    let old = tag_behind(borne, ptr);
    if may_move && own_memory_of(old) != own_memory_of(tag.number()) {
        // SAFETY: the caller's promise.
        if let Some(moved) = unsafe { copy_under(tag, ptr, layout) } {
            return Some(moved);
        }
    }
    let is_sampled = borne == SAMPLED;
    if is_sampled {
        // The block goes on to bear that it was.
        retag_sample(ptr, tag.number());
    }
    // SAFETY: as above; and nobody else reads the tag while the caller has the block to itself.
    if is_sampled || unsafe { block::write_tag(ptr, size, place, tag.number()) } {
        thread::move_block(old, tag.number(), size);
    }
    None
}

/// The tag of a block that bears this one, in its place if it was sampled.
fn tag_behind(borne: u8, ptr: *mut u8) -> u8 {
    match borne {
        #[cfg(feature = "profile")]
        SAMPLED => profile::tag_of(ptr.addr()),
        _ => {
            let _unless_sampled = ptr;
            borne
        }
    }
}

fn retag_sample(ptr: *mut u8, tag: u8) {
    #[cfg(feature = "profile")]
    profile::retag(ptr.addr(), tag);
    let _unless_sampled = (ptr, tag);
}

/// The memory that a tag has to itself, if it has some.
fn own_memory_of(number: u8) -> Option<u32> {
    isolate::partition_of(TAGS.slot(number))
}

/// Copies a block into a new one under `tag`, and frees it; `None`, and it stays, if there is no
/// memory for that.
///
/// # Safety
///
/// As for [`move_charge`], and the layout's size is not zero.
unsafe fn copy_under(tag: &TagHandle, ptr: *mut u8, layout: Layout) -> Option<*mut u8> {
    // SAFETY: the size is not zero.
    let new = tag.scope(|| unsafe { alloc(layout) });
    if new.is_null() {
        return None;
    }
    // SAFETY: both blocks are of this layout, and the new one is nobody else's.
    unsafe { new.copy_from_nonoverlapping(ptr, layout.size()) };
    // SAFETY: the caller's block, which nobody uses any more.
    unsafe { dealloc(ptr, layout) };
    Some(new)
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
