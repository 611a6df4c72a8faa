//! A block of the allocator under test, and what is looked at in it.

use std::alloc::{GlobalAlloc, Layout};
use std::slice;

use crate::Allocator;

/// A live block of an allocator, owned, filled with its pattern.
pub(crate) struct Block {
    allocator: Allocator,
    start: *mut u8,
    pub(crate) layout: Layout,
    pub(crate) account: usize,
    seed: u8,
}

// SAFETY: a block is memory that its `Block` alone may touch; the allocator takes frees from any
// thread.
unsafe impl Send for Block {}

/// The byte that a block of this seed has at `index`.
fn pattern(seed: u8, index: usize) -> u8 {
    // 251 is prime: a block moved by any power of two does not fit its pattern.
    seed.wrapping_add((index % 251) as u8)
}

impl Block {
    /// `None` if the allocator says no.
    pub(crate) fn allocate(
        allocator: Allocator,
        layout: Layout,
        zeroed: bool,
        account: usize,
        seed: u8,
    ) -> Option<Self> {
        assert_ne!(layout.size(), 0);
        let start = if zeroed {
            // SAFETY: the size is not zero.
            unsafe { allocator.alloc_zeroed(layout) }
        } else {
            // SAFETY: the size is not zero.
            unsafe { allocator.alloc(layout) }
        };
        if start.is_null() {
            return None;
        }
        assert_eq!(start.addr() % layout.align(), 0, "{layout:?} at {start:?}");
        let mut block = Self { allocator, start, layout, account, seed };
        if zeroed {
            let first_other = block.bytes().iter().position(|&byte| byte != 0);
            assert_eq!(first_other, None, "a zeroed block of {layout:?}");
        }
        block.fill();
        Some(block)
    }

    /// The bytes, all of them written: by `fill`, by the allocator if zeroed, or by the
    /// reallocation that kept them.
    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is live, `size` bytes long, owned by `self`, and written as said above.
        unsafe { slice::from_raw_parts(self.start, self.layout.size()) }
    }

    fn fill(&mut self) {
        for index in 0..self.layout.size() {
            // SAFETY: `index` is within the block.
            let byte = unsafe { self.start.add(index) };
            // SAFETY: the block is live and owned by `self`, mutably borrowed.
            unsafe { byte.write(pattern(self.seed, index)) };
        }
    }

    /// The first `len` bytes are as `fill` left them.
    fn check(&self, len: usize) {
        let first_other =
            (0..len).zip(self.bytes()).find(|&(index, &byte)| byte != pattern(self.seed, index));
        assert_eq!(first_other, None, "{:?} changed within its first {len} bytes", self.layout);
    }

    /// Whether it was done. If not, the block is as it was.
    pub(crate) fn reallocate(&mut self, new_size: usize) -> bool {
        let old_size = self.layout.size();
        self.check(old_size);
        // SAFETY: the block is live and of this layout; the new size is not zero, and the callers
        // keep it from overflowing when rounded up to the alignment.
        let start = unsafe { self.allocator.realloc(self.start, self.layout, new_size) };
        if start.is_null() {
            self.check(old_size);
            return false;
        }
        self.start = start;
        assert_eq!(start.addr() % self.layout.align(), 0, "{:?} to {new_size}", self.layout);
        let kept = Layout::from_size_align(old_size.min(new_size), self.layout.align());
        // What is beyond the kept bytes is not written yet, and not looked at.
        self.layout = kept.expect("not longer than the layout was");
        self.check(self.layout.size());
        let new = Layout::from_size_align(new_size, self.layout.align());
        self.layout = new.expect("the allocator took it");
        self.fill();
        true
    }

    pub(crate) fn free(self) {
        self.check(self.layout.size());
        // SAFETY: the block is live and of this layout, and `self` is gone after this.
        unsafe { self.allocator.dealloc(self.start, self.layout) };
    }
}
