//! A block of raw memory with a content that shows whether anybody else wrote there.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::NonNull;

/// A live block of an allocator, filled with one byte; freed when dropped.
#[derive(Debug)]
pub(crate) struct Block<A: GlobalAlloc + 'static> {
    allocator: &'static A,
    ptr: NonNull<u8>,
    layout: Layout,
    fill: u8,
}

// SAFETY: it owns its memory, and allocators free on any thread.
unsafe impl<A: GlobalAlloc + Sync> Send for Block<A> {}

pub(crate) fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

impl<A: GlobalAlloc> Block<A> {
    /// Allocates and fills; `None` if refused.
    pub(crate) fn try_new(allocator: &'static A, layout: Layout, fill: u8) -> Option<Self> {
        // SAFETY: Bursar makes something of a size of zero, and the tests give it to nobody else.
        let ptr = unsafe { allocator.alloc(layout) };
        Self::filled(allocator, ptr, layout, fill)
    }

    /// As `try_new`, asking for zeros and looking whether they are.
    pub(crate) fn try_new_zeroed(allocator: &'static A, layout: Layout, fill: u8) -> Option<Self> {
        // SAFETY: as above.
        let ptr = unsafe { allocator.alloc_zeroed(layout) };
        if !ptr.is_null() {
            // SAFETY: so many bytes were asked for, and initialised.
            let bytes = unsafe { std::slice::from_raw_parts(ptr, layout.size()) };
            assert!(is_all(bytes, 0), "zeroed {layout:?} is not zero");
        }
        Self::filled(allocator, ptr, layout, fill)
    }

    pub(crate) fn new(allocator: &'static A, layout: Layout, fill: u8) -> Self {
        Self::try_new(allocator, layout, fill).expect("memory")
    }

    fn filled(allocator: &'static A, ptr: *mut u8, layout: Layout, fill: u8) -> Option<Self> {
        let ptr = NonNull::new(ptr)?;
        assert_eq!(ptr.addr().get() % layout.align(), 0, "{layout:?} is not aligned");
        // SAFETY: so many bytes were asked for.
        unsafe { ptr.write_bytes(fill, layout.size()) };
        Some(Self { allocator, ptr, layout, fill })
    }

    pub(crate) fn address(&self) -> usize {
        self.ptr.addr().get()
    }

    pub(crate) fn size(&self) -> usize {
        self.layout.size()
    }

    /// Resizes, looks whether the content came along, and fills what is new. False if refused;
    /// then the block is looked at, and is as it was.
    pub(crate) fn try_resize(&mut self, new_size: usize) -> bool {
        let kept = self.size().min(new_size);
        // SAFETY: the block is live and of this layout; the tests ask for no size of zero, and
        // for none that overflows with the alignment.
        let ptr = unsafe { self.allocator.realloc(self.ptr.as_ptr(), self.layout, new_size) };
        let Some(ptr) = NonNull::new(ptr) else {
            self.assert_intact();
            return false;
        };
        self.ptr = ptr;
        self.layout = layout(new_size, self.layout.align());
        assert_eq!(self.address() % self.layout.align(), 0, "{:?} is not aligned", self.layout);
        assert!(is_all(&self.bytes()[..kept], self.fill), "the content did not come along");
        // SAFETY: so many bytes were asked for.
        unsafe { ptr.write_bytes(self.fill, new_size) };
        true
    }

    /// Fails if anything has been written over the block's content.
    pub(crate) fn assert_intact(&self) {
        assert!(is_all(self.bytes(), self.fill), "{:?} was written over", self.layout);
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the block is live, and was filled to its end.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.size()) }
    }
}

impl<A: GlobalAlloc> Drop for Block<A> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_intact();
        }
        // SAFETY: the block is live, of this layout, and not used any more.
        unsafe { self.allocator.dealloc(self.ptr.as_ptr(), self.layout) };
    }
}

/// Whether each byte is `byte`; by comparing slices, which is quick in a debug build too.
pub(crate) fn is_all(bytes: &[u8], byte: u8) -> bool {
    let pattern = [byte; 4096];
    bytes.chunks(pattern.len()).all(|chunk| chunk == &pattern[..chunk.len()])
}
