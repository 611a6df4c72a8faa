//! Where a block's tag lives: below a KiB in one trailer byte right behind the bytes that were
//! asked for, from a KiB on in a map over address space, so that buffers of whole pages and of
//! powers of two do not spill into the next size class.
//!
//! All layout and pointer arithmetic is here and nowhere else. A block's outer layout depends on
//! its size and alignment alone, never on what could be mapped.
//!
//! The trailer is written and read as volatile. The compiler inlines the global allocator into
//! the program's own functions, often the one half without the other, and what it knows of the
//! half that it sees as a call is that a new block's bytes are zero or undefined, and that a
//! freed block's do not matter: it would drop the write before such a free, and make up what is
//! read after such an allocation.

mod map;
mod pages;

use std::alloc::Layout;

use map::AddressMap;

/// Bytes that a small block has beyond those asked for.
const TRAILER_LEN: usize = 1;
/// Blocks below this size are small.
const SMALL_BELOW_BYTES: usize = map::GRANULE_BYTES;

#[cfg(not(test))]
static MAP: AddressMap = AddressMap::new();
#[cfg(test)]
static MAP: AddressMap = AddressMap::with_provider(map::testing::region_unless_refused);
#[cfg(test)]
pub(crate) use map::testing::refuse_new_regions;

/// Where a block's tag lives; its size alone decides. A parameter of its own, so that a caller
/// who knows it has each way compiled without the tests of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Trailer,
    Map,
}

impl Place {
    #[inline(always)]
    pub(crate) fn of(size: usize) -> Self {
        if size < SMALL_BELOW_BYTES { Self::Trailer } else { Self::Map }
    }

    /// The place of a block by its outer size.
    pub(crate) fn of_outer(outer_size: usize) -> Self {
        if outer_size <= Self::Trailer.outer_size(SMALL_BELOW_BYTES - 1) {
            Self::Trailer
        } else {
            Self::Map
        }
    }

    /// The outer size of a block of `size` bytes with its tag here.
    #[inline(always)]
    pub(crate) fn outer_size(self, size: usize) -> usize {
        match self {
            Self::Trailer => size + TRAILER_LEN,
            Self::Map => size,
        }
    }
}

/// What to ask the backend for when `layout` is asked of us, with the tag in the place of its
/// size.
#[inline(always)]
pub(crate) fn outer(layout: Layout, place: Place) -> Layout {
    let size = place.outer_size(layout.size());
    // SAFETY: the alignment is a layout's own, and so is a large block's size. A small one's,
    // rounded up to the alignment, is the alignment itself or below 2 KiB; the alignment is at
    // most isize::MAX, as it is for every layout whose size is not zero.
    unsafe { Layout::from_size_align_unchecked(size, layout.align()) }
}

/// Writes the tag of the block of `size` bytes at `ptr`; false if the slow path is due:
/// [`write_tag_slowly`].
///
/// # Safety
///
/// `ptr` is the start of a block whose outer layout is that of `size` bytes, owned by the caller,
/// and `place` is that of its size.
#[inline(always)]
pub(crate) unsafe fn write_tag(ptr: *mut u8, size: usize, place: Place, tag: u8) -> bool {
    if place == Place::Map {
        return MAP.set(ptr.addr(), tag);
    }
    // SAFETY: the outer layout has TRAILER_LEN bytes behind the first `size`.
    let trailer = unsafe { ptr.add(size) };
    // SAFETY: the caller owns the block, and a byte needs no alignment.
    unsafe { trailer.write_volatile(tag) };
    true
}

/// What [`write_tag`] left undone. Returns the tag that the block bears for as long as it is
/// there: another, if the map of its part of address space cannot be had.
pub(crate) fn write_tag_slowly(ptr: *mut u8, tag: u8) -> u8 {
    MAP.set_slowly(ptr.addr(), tag)
}

/// Reads the tag of the block of `size` bytes at `ptr`.
///
/// # Safety
///
/// As for [`write_tag`], and the tag was written at this size.
#[inline(always)]
pub(crate) unsafe fn read_tag(ptr: *mut u8, size: usize, place: Place) -> u8 {
    if place == Place::Map {
        return MAP.get(ptr.addr());
    }
    // SAFETY: the outer layout has TRAILER_LEN bytes behind the first `size`.
    let trailer = unsafe { ptr.add(size) };
    // SAFETY: `write_tag` initialised it, and only this module writes there.
    unsafe { trailer.read_volatile() }
}

/// How many blocks of a KiB and more are untagged, since the map of their GiB of address space
/// could not be had.
pub(crate) fn unattributed_blocks() -> u64 {
    MAP.unattributed_blocks()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_layout_keeps_the_alignment_and_only_a_small_block_is_longer() {
        let sizes = if cfg!(miri) { 1000..=1040 } else { 0..=5000 };
        for align in (0..=16).map(|shift| 1usize << shift) {
            for size in sizes.clone() {
                let layout = Layout::from_size_align(size, align).unwrap();
                let expected = if size < 1024 { size + 1 } else { size };
                let outer = outer(layout, Place::of(size));
                assert_eq!((outer.size(), outer.align()), (expected, align));
            }
        }
    }

    #[test]
    fn a_small_blocks_tag_is_the_byte_behind_its_content_and_no_other() {
        for size in (0..SMALL_BELOW_BYTES).step_by(if cfg!(miri) { 31 } else { 1 }) {
            let place = Place::of(size);
            let mut block = vec![0xA5; place.outer_size(size)];
            let ptr = block.as_mut_ptr();
            // SAFETY: the block has the outer size.
            assert!(unsafe { write_tag(ptr, size, place, 7) });
            // SAFETY: as above, and the tag has been written.
            assert_eq!(unsafe { read_tag(ptr, size, place) }, 7);
            let (content, tag) = block.split_at(size);
            assert!(content.iter().all(|&byte| byte == 0xA5) && tag == [7], "{size}");
        }
    }

    #[test]
    fn the_outer_layout_is_valid_up_to_the_largest_size_and_alignment() {
        let limit = isize::MAX as usize;
        for align in (0..usize::BITS - 1).map(|shift| 1usize << shift) {
            for size in [0, 1, 1022, 1023, 1024, limit - (align - 1)] {
                let Ok(layout) = Layout::from_size_align(size, align) else { continue };
                let outer = outer(layout, Place::of(size));
                assert!(Layout::from_size_align(outer.size(), outer.align()).is_ok(), "{layout:?}");
            }
        }
    }
}
