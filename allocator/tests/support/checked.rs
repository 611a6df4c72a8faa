//! A backend that checks what it is told. Miri does not look at layouts that end in the
//! platform's allocator, and most allocators do not look at them at all.

use std::alloc::{GlobalAlloc, Layout};
use std::io::Write;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};

use bursar_alloc::{Backend, BackendStats, Collect, CollectScope, Collected};

/// Ends the process with a message when a block is freed or resized by another layout than its
/// own, when it is freed twice or never was one, and when something was written behind it or,
/// for a while, after it was freed.
///
/// In front of each block is a [`Header`], behind it a red zone. `realloc` always moves: whoever
/// goes on with the old pointer is found out.
#[derive(Debug)]
pub(crate) struct Checked<B> {
    backend: B,
    /// Freed blocks that are not given back yet.
    quarantine: [AtomicPtr<u8>; QUARANTINE_LEN],
    next: AtomicUsize,
}

const QUARANTINE_LEN: usize = 256;
/// Larger blocks are given back at once.
const LARGEST_IN_QUARANTINE: usize = 64 << 10;

/// What precedes a block.
#[derive(Debug)]
#[repr(C, align(16))]
struct Header {
    /// [`LIVE`] or [`FREED`], mixed with the block's address: a copy elsewhere is none.
    state: AtomicU64,
    size: usize,
    align: usize,
}

const HEADER_LEN: usize = size_of::<Header>();
const RED_ZONE_LEN: usize = 16;
const LIVE: u64 = 0x4C49_5645_0B10_C0DE;
const FREED: u64 = 0x4652_4545_0B10_C0DE;
const FRESH_BYTE: u8 = 0xCD;
const RED_BYTE: u8 = 0xBD;
const FREED_BYTE: u8 = 0xDE;

/// What is asked of the backend, and where in it the block begins.
fn outer(layout: Layout) -> Option<(Layout, usize)> {
    let align = layout.align().max(align_of::<Header>());
    let start = HEADER_LEN.max(align);
    let size = layout.size().checked_add(start + RED_ZONE_LEN)?;
    Some((Layout::from_size_align(size, align).ok()?, start))
}

/// Ends the process: a panic may not leave an allocator. Writes to the terminal, past a test's
/// captured output, without allocating.
fn complain(what: &str, ptr: *mut u8, layout: Layout) -> ! {
    let (size, align) = (layout.size(), layout.align());
    let mut stderr = std::io::stderr();
    let _ = writeln!(stderr, "checked allocator: {what}: {ptr:?}, given {size} bytes by {align}");
    std::process::abort()
}

fn is_all(bytes: &[u8], byte: u8) -> bool {
    let pattern = [byte; 1024];
    bytes.chunks(pattern.len()).all(|chunk| chunk == &pattern[..chunk.len()])
}

/// The header of a block.
///
/// # Safety
///
/// In front of `ptr`, aligned as a header, are as many bytes that may be read.
unsafe fn header<'a>(ptr: *mut u8) -> &'a Header {
    // SAFETY: the caller's promise.
    let header = unsafe { ptr.sub(HEADER_LEN) };
    // SAFETY: any bytes are a header; whether it is one its state tells.
    unsafe { &*header.cast::<Header>() }
}

impl<B: Backend> Checked<B> {
    pub(crate) const fn new(backend: B) -> Self {
        let quarantine = [const { AtomicPtr::new(null_mut()) }; QUARANTINE_LEN];
        Self { backend, quarantine, next: AtomicUsize::new(0) }
    }

    /// Makes a block of what `allocate` answers.
    fn admit(&self, layout: Layout, allocate: impl FnOnce(Layout) -> *mut u8) -> *mut u8 {
        let Some((outer, start)) = outer(layout) else { return null_mut() };
        let base = allocate(outer);
        if base.is_null() {
            return base;
        }
        // SAFETY: the outer layout has so many bytes in front of the block.
        let ptr = unsafe { base.add(start) };
        let state = AtomicU64::new(LIVE ^ ptr.addr() as u64);
        let header = Header { state, size: layout.size(), align: layout.align() };
        // SAFETY: there is room for it between the base and the block.
        let header_ptr = unsafe { ptr.sub(HEADER_LEN) };
        // SAFETY: `start` and the base are multiples of its alignment.
        unsafe { header_ptr.cast::<Header>().write(header) };
        // SAFETY: the block ends here, within the outer layout.
        let red_zone = unsafe { ptr.add(layout.size()) };
        // SAFETY: so many bytes are behind the block.
        unsafe { red_zone.write_bytes(RED_BYTE, RED_ZONE_LEN) };
        ptr
    }

    /// Ends the process unless `ptr` is a live block of this layout, untouched behind its end.
    ///
    /// # Safety
    ///
    /// What precedes `ptr` may be read. (Where it may not, the process ends without a message.)
    unsafe fn check<'a>(ptr: *mut u8, layout: Layout) -> &'a Header {
        if !ptr.addr().is_multiple_of(align_of::<Header>()) {
            complain("not a block", ptr, layout);
        }
        // SAFETY: the caller's promise, and it is aligned.
        let header = unsafe { header(ptr) };
        match header.state.load(Ordering::Acquire) ^ ptr.addr() as u64 {
            LIVE => {}
            FREED => complain("freed already", ptr, layout),
            _ => complain("not a block", ptr, layout),
        }
        if header.size != layout.size() || header.align != layout.align() {
            complain("another layout than the block's", ptr, layout);
        }
        // SAFETY: it is a block of ours.
        if !unsafe { is_red_zone_whole(ptr, layout.size()) } {
            complain("written behind the block's end", ptr, layout);
        }
        header
    }

    /// Checks a block, and makes it a freed one.
    ///
    /// # Safety
    ///
    /// As for [`check`](Self::check), and the block is not used any more.
    unsafe fn take(ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        let header = unsafe { Self::check(ptr, layout) };
        // Of two threads that free a block at once, one is second.
        let was = header.state.swap(FREED ^ ptr.addr() as u64, Ordering::AcqRel);
        if was ^ ptr.addr() as u64 != LIVE {
            complain("freed already", ptr, layout);
        }
        // SAFETY: the block was so long, and is nobody's now.
        unsafe { ptr.write_bytes(FREED_BYTE, layout.size()) };
    }

    /// Gives a block back to the backend, if it was left alone since [`take`](Self::take).
    ///
    /// # Safety
    ///
    /// The block at `ptr` was taken, and is not to be given back again.
    unsafe fn give_back(&self, ptr: *mut u8) {
        // SAFETY: it is a block of ours.
        let header = unsafe { header(ptr) };
        // SAFETY: it is a layout's size and alignment that were written there.
        let layout = unsafe { Layout::from_size_align_unchecked(header.size, header.align) };
        // SAFETY: the block was so long, and filled when it was taken.
        let body = unsafe { std::slice::from_raw_parts(ptr, layout.size()) };
        // SAFETY: it is a block of ours.
        if !is_all(body, FREED_BYTE) || !unsafe { is_red_zone_whole(ptr, layout.size()) } {
            complain("written after it was freed", ptr, layout);
        }
        let Some((outer, start)) = outer(layout) else { return };
        // SAFETY: there the backend's block begins.
        let base = unsafe { ptr.sub(start) };
        // SAFETY: it is the backend's, of that layout.
        unsafe { self.backend.dealloc(base, outer) };
    }
}

/// # Safety
///
/// `ptr` is a block of a [`Checked`] of `size` bytes.
unsafe fn is_red_zone_whole(ptr: *mut u8, size: usize) -> bool {
    // SAFETY: the block ends here.
    let red_zone = unsafe { ptr.add(size) };
    // SAFETY: so many bytes are behind it, written when it was made.
    is_all(unsafe { std::slice::from_raw_parts(red_zone, RED_ZONE_LEN) }, RED_BYTE)
}

// SAFETY: blocks are parts of the backend's own, of the size and the alignment asked for.
unsafe impl<B: Backend> GlobalAlloc for Checked<B> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: an outer layout is not empty.
        let ptr = self.admit(layout, |outer| unsafe { self.backend.alloc(outer) });
        if !ptr.is_null() {
            // SAFETY: so many bytes were asked for.
            unsafe { ptr.write_bytes(FRESH_BYTE, layout.size()) };
        }
        ptr
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: an outer layout is not empty.
        self.admit(layout, |outer| unsafe { self.backend.alloc_zeroed(outer) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: if it is no block of ours, that is for `take` to find out.
        unsafe { Self::take(ptr, layout) };
        let leaving = if layout.size() > LARGEST_IN_QUARANTINE {
            ptr
        } else {
            let place = self.next.fetch_add(1, Ordering::Relaxed) % QUARANTINE_LEN;
            // AcqRel: pairs with itself, so that what was done to the block that leaves is seen.
            self.quarantine[place].swap(ptr, Ordering::AcqRel)
        };
        if !leaving.is_null() {
            // SAFETY: it was taken, and the swap gave it to nobody else.
            unsafe { self.give_back(leaving) };
        }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else {
            return null_mut();
        };
        // SAFETY: if it is no block of ours, that is for `check` to find out.
        unsafe { Self::check(ptr, layout) };
        // SAFETY: no outer layout is empty.
        let new = unsafe { self.alloc(new_layout) };
        if !new.is_null() {
            // SAFETY: both blocks have so many bytes.
            unsafe { ptr.copy_to_nonoverlapping(new, layout.size().min(new_size)) };
            // SAFETY: the caller's block, which has moved.
            unsafe { self.dealloc(ptr, layout) };
        }
        new
    }
}

// SAFETY: as for `GlobalAlloc` above.
unsafe impl<B: Backend> Backend for Checked<B> {
    const NAME: &'static str = "checked";
    const COLLECTS: CollectScope = B::COLLECTS;

    fn stats() -> BackendStats {
        B::stats()
    }

    fn collect(how: Collect) -> Collected {
        B::collect(how)
    }
}
