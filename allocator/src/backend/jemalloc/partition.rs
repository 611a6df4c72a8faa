//! Arenas of their own for isolated tags, with jemalloc's own hooks for their pages, and explicit
//! thread caches for them.
//!
//! jemalloc's automatic thread cache must never see their blocks: it would hand them out to
//! whoever allocates next. So each call names the arena, and an explicit cache or none.

use std::alloc::Layout;
use std::ffi::{c_int, c_uint};
use std::num::NonZeroU32;

use tikv_jemalloc_ctl::raw;
use tikv_jemalloc_sys::{
    MALLOCX_ALIGN, MALLOCX_ARENA, MALLOCX_TCACHE, MALLOCX_TCACHE_NONE, MALLOCX_ZERO, mallctl,
};

use super::{LEAST_ALIGN, Mibs, collect_arena, refresh};
use crate::backend::{BackendStats, Collect, Collected, Home, Partitions};

pub(super) static PARTITIONS: Partitions = Partitions {
    make: make_arena,
    unmake: unmake_arena,
    make_cache,
    unmake_cache,
    home,
    alloc,
    alloc_zeroed,
    dealloc,
    realloc,
    collect,
    refresh_stats: refresh,
    stats,
};

fn make_arena() -> Option<u32> {
    // SAFETY: jemalloc documents this as reading an unsigned, the new arena's index.
    unsafe { raw::read::<c_uint>(b"arenas.create\0") }.ok()
}

fn unmake_arena(arena: u32) {
    let name = format!("arena.{arena}.destroy\0");
    // SAFETY: the name ends in a zero byte, and null pointers say that no value goes either way.
    // The arena has no block: nobody was told of it.
    unsafe {
        mallctl(
            name.as_ptr().cast(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            0,
        )
    };
}

fn make_cache() -> Option<u16> {
    // SAFETY: jemalloc documents this as reading an unsigned, the new cache's id.
    let id = unsafe { raw::read::<c_uint>(b"tcache.create\0") }.ok()?;
    // Ids have 12 bits in the flags below.
    u16::try_from(id).ok()
}

fn unmake_cache(cache: u16) {
    // SAFETY: jemalloc documents this as writing an unsigned, the id of a cache; it is this
    // thread's own, and nobody names it again. Nothing that could be done is left if it is refused.
    let _ = unsafe { raw::write(b"tcache.destroy\0", c_uint::from(cache)) };
}

/// An arena and a cache, as jemalloc takes them.
fn home(arena: u32, cache: Option<u16>) -> Home {
    let cache = match cache {
        Some(cache) => MALLOCX_TCACHE(usize::from(cache)),
        None => MALLOCX_TCACHE_NONE,
    };
    let flags = (MALLOCX_ARENA(arena as usize) | cache) as u32;
    // A cache, or that it is none, is never zero.
    Home(NonZeroU32::new(flags).unwrap_or(NonZeroU32::MIN))
}

/// A home and an alignment, as jemalloc takes them.
#[inline(always)]
fn flags(home: Home, align: usize) -> c_int {
    let align = if align > LEAST_ALIGN { MALLOCX_ALIGN(align) } else { 0 };
    home.0.get() as c_int | align
}

/// # Safety
///
/// As for `GlobalAlloc::alloc`; the home is one of ours, and its cache the calling thread's.
#[inline]
unsafe fn alloc(home: Home, layout: Layout) -> *mut u8 {
    // SAFETY: the size is not zero, as the caller promises.
    unsafe { tikv_jemalloc_sys::mallocx(layout.size(), flags(home, layout.align())) }.cast()
}

/// # Safety
///
/// As for [`alloc`].
#[inline]
unsafe fn alloc_zeroed(home: Home, layout: Layout) -> *mut u8 {
    let flags = flags(home, layout.align()) | MALLOCX_ZERO;
    // SAFETY: the size is not zero, as the caller promises.
    unsafe { tikv_jemalloc_sys::mallocx(layout.size(), flags) }.cast()
}

/// # Safety
///
/// As for `GlobalAlloc::dealloc`, of a block of jemalloc's, and for [`alloc`].
#[inline]
unsafe fn dealloc(home: Home, ptr: *mut u8, layout: Layout) {
    // SAFETY: the block is the caller's, of this size and alignment.
    unsafe {
        tikv_jemalloc_sys::sdallocx(ptr.cast(), layout.size(), flags(home, layout.align()));
    }
}

/// # Safety
///
/// As for `GlobalAlloc::realloc`, of a block of jemalloc's, and for [`alloc`].
#[inline]
unsafe fn realloc(home: Home, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    // SAFETY: the block is the caller's, and the new size is not zero.
    unsafe { tikv_jemalloc_sys::rallocx(ptr.cast(), new_size, flags(home, layout.align())) }.cast()
}

fn collect(arena: u32, how: Collect) -> Collected {
    collect_arena(how, arena as usize).unwrap_or(Collected::Unsupported)
}

fn stats(arena: u32) -> BackendStats {
    Mibs::get().read_arena(arena as usize)
}
