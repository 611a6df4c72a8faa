//! Where a block's tag lives: one trailer byte right behind the bytes that were asked for.
//!
//! All layout and pointer arithmetic is here and nowhere else. A block's outer layout depends on
//! its size and alignment alone.

use std::alloc::Layout;

/// Bytes that a block has beyond those asked for.
const TRAILER_LEN: usize = 1;

/// Whether a block of `size` bytes has an outer layout. The outer size rounded up to the
/// alignment is at most `size + align`, and may not pass `isize::MAX`.
#[inline(always)]
fn has_outer(size: usize, align: usize) -> bool {
    // Neither is above isize::MAX + 1, so the sum cannot wrap.
    size + align <= isize::MAX as usize
}

/// What to ask the backend for when `layout` is asked of us; `None` where that would pass
/// `isize::MAX`, which the caller answers with null.
#[inline(always)]
pub(crate) fn outer(layout: Layout) -> Option<Layout> {
    // SAFETY: just checked.
    has_outer(layout.size(), layout.align()).then(|| unsafe { outer_of_block(layout) })
}

/// The outer size of a block that is to become `new_size` bytes long; `None` as for [`outer`].
#[inline(always)]
pub(crate) fn outer_size(new_size: usize, align: usize) -> Option<usize> {
    // `new_size` comes from the caller of `realloc`, who promises what a layout would check.
    let fits = new_size <= isize::MAX as usize && has_outer(new_size, align);
    fits.then(|| new_size + TRAILER_LEN)
}

/// As [`outer`], for a layout that a block already has.
///
/// # Safety
///
/// `layout` has an outer layout: `outer` found one when its block was allocated.
#[inline(always)]
pub(crate) unsafe fn outer_of_block(layout: Layout) -> Layout {
    // SAFETY: the alignment is a layout's own, and the size rounded up to it is within isize::MAX.
    unsafe { Layout::from_size_align_unchecked(layout.size() + TRAILER_LEN, layout.align()) }
}

/// Writes the tag of the block of `size` bytes at `ptr`.
///
/// # Safety
///
/// `ptr` is the start of a block whose outer layout is that of `size` bytes, owned by the caller.
#[inline(always)]
pub(crate) unsafe fn write_tag(ptr: *mut u8, size: usize, tag: u8) {
    // SAFETY: the outer layout has TRAILER_LEN bytes behind the first `size`.
    let trailer = unsafe { ptr.add(size) };
    // SAFETY: the caller owns the block, and a byte needs no alignment.
    unsafe { trailer.write(tag) };
}

/// Reads the tag of the block of `size` bytes at `ptr`.
///
/// # Safety
///
/// As for [`write_tag`], and the tag was written at this size.
#[inline(always)]
pub(crate) unsafe fn read_tag(ptr: *mut u8, size: usize) -> u8 {
    // SAFETY: the outer layout has TRAILER_LEN bytes behind the first `size`.
    let trailer = unsafe { ptr.add(size) };
    // SAFETY: `write_tag` initialised it, and only this module writes there.
    unsafe { trailer.read() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outer_layout_keeps_the_alignment_and_has_room_for_the_tag() {
        let sizes = if cfg!(miri) { 0..=70 } else { 0..=5000 };
        for align in (0..=16).map(|shift| 1usize << shift) {
            for size in sizes.clone() {
                let layout = Layout::from_size_align(size, align).unwrap();
                let outer = outer(layout).unwrap();
                assert_eq!((outer.size(), outer.align()), (size + 1, align));
                assert_eq!(outer_size(size, align), Some(outer.size()));
            }
        }
    }

    #[test]
    fn a_layout_near_the_limit_has_no_outer_layout() {
        let limit = isize::MAX as usize;
        assert_eq!(outer(Layout::from_size_align(limit, 1).unwrap()), None);
        assert!(outer(Layout::from_size_align(limit - 1, 1).unwrap()).is_some());
        let page = 4096;
        let largest = limit - (page - 1);
        assert_eq!(outer(Layout::from_size_align(largest, page).unwrap()), None);
        assert_eq!(outer_size(limit, 1), None);
        assert_eq!(outer_size(usize::MAX, 1), None);
    }
}
