//! A backend whose partitions are books: which block is in which, and whose cache has which. So
//! that the ways of isolated blocks run where there is no C: under Miri and the sanitizers.
#![expect(clippy::disallowed_methods, reason = "what allocates here is not what is tested")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::backend::{Backend, BackendStats, Collect, CollectScope, Collected, Home, Partitions};

/// The system's allocator, with partitions.
#[derive(Debug)]
pub(crate) struct Parted;

pub(crate) static PARTITIONS: Partitions = Partitions {
    make,
    unmake,
    make_cache,
    unmake_cache,
    home,
    alloc,
    alloc_zeroed,
    dealloc,
    realloc,
    collect: |_, _| Collected::Done,
    refresh_stats: || lock().refreshes += 1,
    stats: |_| BackendStats::default(),
};

/// A pointer that is nobody's thread's.
#[derive(Debug, Clone, Copy)]
struct Free(*mut u8);

// SAFETY: a free block is touched by nobody until a thread takes it out of the books.
unsafe impl Send for Free {}

#[derive(Debug, Default)]
pub(crate) struct Books {
    /// The live ones, with the blocks in each.
    pub(crate) partitions: HashMap<u32, usize>,
    next: u32,
    /// So many calls of `make` fail.
    pub(crate) fail_to_make: u32,
    pub(crate) refreshes: usize,
    /// The blocks that somebody has or a cache does, by address.
    blocks: HashMap<usize, (u32, Layout)>,
    caches: HashMap<u16, Cache>,
}

#[derive(Debug)]
struct Cache {
    thread: usize,
    free: Vec<(Free, Layout)>,
}

static BOOKS: Mutex<Option<Books>> = Mutex::new(None);

/// Taken by a test that allocates by way of [`Parted`].
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
pub(crate) struct Locked(MutexGuard<'static, Option<Books>>);

pub(crate) fn lock() -> Locked {
    let mut books = BOOKS.lock().unwrap_or_else(PoisonError::into_inner);
    books.get_or_insert_default();
    Locked(books)
}

impl std::ops::Deref for Locked {
    type Target = Books;

    fn deref(&self) -> &Books {
        self.0.as_ref().expect("made by `lock`")
    }
}

impl std::ops::DerefMut for Locked {
    fn deref_mut(&mut self) -> &mut Books {
        self.0.as_mut().expect("made by `lock`")
    }
}

impl Books {
    /// Where a block is, if it is in a partition.
    pub(crate) fn partition_of(&self, ptr: *mut u8) -> Option<u32> {
        self.blocks.get(&ptr.addr()).map(|block| block.0)
    }

    fn note(&mut self, ptr: *mut u8, partition: u32, layout: Layout) {
        if !ptr.is_null() {
            assert!(self.blocks.insert(ptr.addr(), (partition, layout)).is_none());
            *self.partitions.get_mut(&partition).expect("it was made") += 1;
        }
    }

    fn strike(&mut self, ptr: *mut u8, layout: Layout) -> u32 {
        let (partition, noted) = self.blocks.remove(&ptr.addr()).expect("a block of a partition");
        assert_eq!(noted, layout);
        *self.partitions.get_mut(&partition).expect("it was made") -= 1;
        partition
    }

    fn own_cache(&mut self, cache: u16) -> &mut Cache {
        let cache = self.caches.get_mut(&cache).expect("a cache that was made, and not unmade");
        assert_eq!(cache.thread, this_thread(), "a cache is one thread's");
        cache
    }
}

/// Tells it from all others that live now. A thread's id cannot be asked for at its very end.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| (&raw const *here).addr())
}

fn make() -> Option<u32> {
    let mut books = lock();
    if books.fail_to_make > 0 {
        books.fail_to_make -= 1;
        return None;
    }
    let made = books.next;
    books.next += 1;
    books.partitions.insert(made, 0);
    Some(made)
}

fn unmake(partition: u32) {
    assert_eq!(lock().partitions.remove(&partition), Some(0), "made, and never used");
}

fn make_cache() -> Option<u16> {
    let mut books = lock();
    let id = (0..1000).find(|id| !books.caches.contains_key(id))?;
    books.caches.insert(id, Cache { thread: this_thread(), free: Vec::new() });
    Some(id)
}

fn unmake_cache(cache: u16) {
    let mut books = lock();
    let free = std::mem::take(&mut books.own_cache(cache).free);
    books.caches.remove(&cache);
    for (Free(ptr), layout) in free {
        books.strike(ptr, layout);
        // SAFETY: it is the system's, of this layout, and nobody has it.
        unsafe { System.dealloc(ptr, layout) };
    }
}

const NO_CACHE: u32 = 0xFFFF;

fn home(partition: u32, cache: Option<u16>) -> Home {
    let bits = (partition + 1) << 16 | cache.map_or(NO_CACHE, u32::from);
    Home(NonZeroU32::new(bits).expect("partitions begin with 1 here"))
}

impl Home {
    fn parts(self) -> (u32, Option<u16>) {
        let cache = self.0.get() & NO_CACHE;
        ((self.0.get() >> 16) - 1, (cache != NO_CACHE).then_some(cache as u16))
    }
}

unsafe fn alloc(home: Home, layout: Layout) -> *mut u8 {
    let (partition, cache) = home.parts();
    let mut books = lock();
    if let Some(cache) = cache {
        let free = &mut books.own_cache(cache).free;
        if let Some(index) = free.iter().position(|block| block.1 == layout) {
            return free.swap_remove(index).0.0;
        }
    }
    // SAFETY: the caller's promise.
    let ptr = unsafe { System.alloc(layout) };
    books.note(ptr, partition, layout);
    ptr
}

unsafe fn alloc_zeroed(home: Home, layout: Layout) -> *mut u8 {
    // SAFETY: the caller's promise.
    let ptr = unsafe { alloc(home, layout) };
    if !ptr.is_null() {
        // SAFETY: a new block of so many bytes.
        unsafe { ptr.write_bytes(0, layout.size()) };
    }
    ptr
}

unsafe fn dealloc(home: Home, ptr: *mut u8, layout: Layout) {
    let (partition, cache) = home.parts();
    let mut books = lock();
    assert_eq!(books.partition_of(ptr), Some(partition), "freed to where it came from");
    if let Some(cache) = cache {
        return books.own_cache(cache).free.push((Free(ptr), layout));
    }
    books.strike(ptr, layout);
    // SAFETY: it is the system's, of this layout, and the caller's.
    unsafe { System.dealloc(ptr, layout) };
}

unsafe fn realloc(home: Home, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
    let (partition, cache) = home.parts();
    let mut books = lock();
    if let Some(cache) = cache {
        books.own_cache(cache);
    }
    assert_eq!(books.partition_of(ptr), Some(partition), "resized where it came from");
    // SAFETY: the caller's promise.
    let new = unsafe { System.realloc(ptr, layout, new_size) };
    if !new.is_null() {
        books.strike(ptr, layout);
        let new_layout = Layout::from_size_align(new_size, layout.align()).expect("the caller's");
        books.note(new, partition, new_layout);
    }
    new
}

// SAFETY: every call is forwarded to an allocator that keeps the contract.
unsafe impl GlobalAlloc for Parted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        assert_eq!(lock().partition_of(ptr), None, "it is in no partition");
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(ptr, layout) };
    }
}

// SAFETY: the provided calls of `GlobalAlloc` go by way of these two.
unsafe impl Backend for Parted {
    const NAME: &'static str = "parted";
    const COLLECTS: CollectScope = CollectScope::Nothing;
    const PARTITIONS: Option<&'static Partitions> = Some(&PARTITIONS);

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(_: Collect) -> Collected {
        Collected::Unsupported
    }
}
