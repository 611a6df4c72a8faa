//! A backend that refuses the Nth call, once or for ever, and knows which blocks are still out.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use bursar_alloc::{Backend, BackendStats, Collect, CollectScope, Collected, System};

/// Which of a thread's calls is refused. Calls are allocations and reallocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The first call is 1.
    refused_call: u64,
    for_ever: bool,
    /// Calls made so far.
    pub(crate) calls: u64,
}

impl Plan {
    /// Refuses that call.
    pub(crate) const fn once(refused_call: u64) -> Self {
        Self { refused_call, for_ever: false, calls: 0 }
    }

    /// Refuses that call and all after it.
    pub(crate) const fn for_ever(refused_call: u64) -> Self {
        Self { refused_call, for_ever: true, calls: 0 }
    }

    /// Whether a call was refused so far.
    pub(crate) const fn has_refused(&self) -> bool {
        self.calls >= self.refused_call
    }
}

thread_local! {
    static PLAN: Cell<Option<Plan>> = const { Cell::new(None) };
}

/// From now on, the plan holds on this thread; returns the one before, as far as it got. Blocks
/// given out under a plan are [watched](blocks_out).
pub(crate) fn follow(plan: Option<Plan>) -> Option<Plan> {
    PLAN.replace(plan)
}

/// Runs `f` with no plan: what std would not survive the refusal of.
pub(crate) fn spared<T>(f: impl FnOnce() -> T) -> T {
    let plan = follow(None);
    let answer = f();
    follow(plan);
    answer
}

/// Blocks given out under a plan and not come back, on whatever thread.
pub(crate) fn blocks_out() -> usize {
    OUT_LEN.load(Ordering::SeqCst)
}

static OUT: [AtomicPtr<u8>; 512] = [const { AtomicPtr::new(null_mut()) }; 512];
static OUT_LEN: AtomicUsize = AtomicUsize::new(0);

/// Watches a block. A table that is full shows in the count, which then stays.
fn note_out(ptr: *mut u8) {
    OUT_LEN.fetch_add(1, Ordering::SeqCst);
    for place in &OUT {
        if place.compare_exchange(null_mut(), ptr, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            return;
        }
    }
}

/// Whether the block was a watched one; it is no longer.
fn note_back(ptr: *mut u8) -> bool {
    if blocks_out() == 0 {
        return false;
    }
    for place in &OUT {
        if place.compare_exchange(ptr, null_mut(), Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            OUT_LEN.fetch_sub(1, Ordering::SeqCst);
            return true;
        }
    }
    false
}

/// The system's allocator, as far as the thread's [`Plan`] lets it.
#[derive(Debug)]
pub(crate) struct Refusing;

impl Refusing {
    /// Counts a call; true if it is to be refused.
    fn is_refused() -> bool {
        let Some(mut plan) = PLAN.get() else { return false };
        plan.calls += 1;
        PLAN.set(Some(plan));
        if plan.for_ever {
            plan.calls >= plan.refused_call
        } else {
            plan.calls == plan.refused_call
        }
    }

    /// Watches what is given out, if a plan holds.
    fn give_out(ptr: *mut u8) -> *mut u8 {
        if !ptr.is_null() && PLAN.get().is_some() {
            note_out(ptr);
        }
        ptr
    }
}

// SAFETY: null is a permitted answer; all else is the system's allocator.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if Self::is_refused() {
            return null_mut();
        }
        // SAFETY: the caller's promise is the callee's condition.
        Self::give_out(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if Self::is_refused() {
            return null_mut();
        }
        // SAFETY: the caller's promise is the callee's condition.
        Self::give_out(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // First: from the free on the address may be another block's.
        note_back(ptr);
        // SAFETY: the caller's promise is the callee's condition.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if Self::is_refused() {
            return null_mut();
        }
        let was_out = note_back(ptr);
        // SAFETY: the caller's promise is the callee's condition.
        let new = unsafe { System.realloc(ptr, layout, new_size) };
        if was_out {
            note_out(if new.is_null() { ptr } else { new });
        }
        new
    }
}

// SAFETY: as for `GlobalAlloc` above.
unsafe impl Backend for Refusing {
    const NAME: &'static str = "refusing";
    const COLLECTS: CollectScope = CollectScope::Nothing;

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(_: Collect) -> Collected {
        Collected::Unsupported
    }
}
