//! A backend whose `realloc` does as it is told: stays, moves, or refuses.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::null_mut;

use bursar_alloc::{Backend, BackendStats, Collect, CollectScope, Collected, System};

/// What `realloc` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// Keeps the block where it is.
    Stay,
    /// Moves it to another address.
    Move,
    /// Answers null and leaves it as it is.
    Refuse,
}

thread_local! {
    static COURSE: Cell<Course> = const { Cell::new(Course::Move) };
}

/// From now on `realloc` on this thread does so.
pub(crate) fn steer(course: Course) {
    COURSE.set(course);
}

/// Gives each block the same room, so that any can grow in place. All of it that is not content
/// is [`POISON`]: a byte that the caller should have written and did not is seen.
#[derive(Debug)]
pub(crate) struct Steered;

/// What each block gets; there are none of a larger size or alignment.
const ROOM: Layout = match Layout::from_size_align(2048, 1024) {
    Ok(layout) => layout,
    Err(_) => panic!("a valid layout"),
};
/// No tag's number in these tests.
const POISON: u8 = 0xDD;

// SAFETY: each block is one of the system's, of at least the size and alignment asked for.
unsafe impl GlobalAlloc for Steered {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > ROOM.size() || layout.align() > ROOM.align() {
            return null_mut();
        }
        // SAFETY: a room is not empty.
        let ptr = unsafe { System.alloc(ROOM) };
        if !ptr.is_null() {
            // SAFETY: it is a room.
            unsafe { ptr.write_bytes(POISON, ROOM.size()) };
        }
        ptr
    }

    unsafe fn dealloc(&self, ptr: *mut u8, _: Layout) {
        // SAFETY: the caller's block is a room.
        unsafe { System.dealloc(ptr, ROOM) };
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let kept = layout.size().min(new_size);
        match (COURSE.get(), Layout::from_size_align(new_size, layout.align())) {
            (Course::Stay, Ok(new_layout)) if new_layout.size() <= ROOM.size() => {
                // SAFETY: so many bytes of the room are content.
                let rest = unsafe { ptr.add(kept) };
                // SAFETY: what follows is the rest of the room.
                unsafe { rest.write_bytes(POISON, ROOM.size() - kept) };
                ptr
            }
            (Course::Move, Ok(new_layout)) => {
                // SAFETY: rooms of any size can be had.
                let new = unsafe { self.alloc(new_layout) };
                if !new.is_null() {
                    // SAFETY: both are rooms, and not the same one.
                    unsafe { ptr.copy_to_nonoverlapping(new, kept) };
                    // SAFETY: the caller's block, which is not used any more.
                    unsafe { self.dealloc(ptr, layout) };
                }
                new
            }
            _ => null_mut(),
        }
    }
}

// SAFETY: as for `GlobalAlloc` above.
unsafe impl Backend for Steered {
    const NAME: &'static str = "steered";
    const COLLECTS: CollectScope = CollectScope::Nothing;

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(_: Collect) -> Collected {
        Collected::Unsupported
    }
}
