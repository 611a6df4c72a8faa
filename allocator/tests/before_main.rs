//! Allocations before `main`: as constructors of the program make them, of C++ or of crates that
//! register things. std has set nothing up for the thread by then.
#![cfg(any(target_os = "linux", target_os = "macos"))]

use std::hint::black_box;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{LazyLock, OnceLock};

use bursar_alloc::{
    AccountingAllocator, System, Tag, ThreadUsage, Usage, is_installed, tag_usage, thread_usage,
    usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static KEPT: Tag = Tag::new("before-main/kept");
static FREED: Tag = Tag::new("before-main/freed");
static LAZY: Tag = Tag::new("before-main/lazy");
static FREED_LATER: Tag = Tag::new("before-main/freed-later");

/// What was there before `main`.
struct Early {
    block: Vec<u8>,
    large_block: Vec<u8>,
    usage: Usage,
    of_this_thread: Option<ThreadUsage>,
    installed: bool,
}

static EARLY: OnceLock<Early> = OnceLock::new();

/// A block of 300 bytes.
static LEFT_OVER: AtomicPtr<[u8; 300]> = AtomicPtr::new(ptr::null_mut());

/// Initialised before `main` by the constructor, as a C++ static would be.
static SQUARES: LazyLock<Vec<u64>> =
    LazyLock::new(|| LAZY.scope(|| (0..100).map(|n| n * n).collect()));

#[used]
#[cfg_attr(target_os = "linux", unsafe(link_section = ".init_array"))]
#[cfg_attr(target_os = "macos", unsafe(link_section = "__DATA,__mod_init_func"))]
static CONSTRUCTOR: extern "C" fn() = construct;

extern "C" fn construct() {
    let installed = is_installed();
    let mut grown = FREED.scope(|| Vec::<u8>::with_capacity(10));
    grown.reserve_exact(5000);
    drop(black_box(grown));
    assert_eq!(SQUARES[9], 81);
    let left_over = FREED_LATER.scope(|| Box::new([3u8; 300]));
    LEFT_OVER.store(Box::into_raw(left_over), Ordering::Release);
    let early = Early {
        block: KEPT.scope(|| vec![1u8; 100]),
        large_block: KEPT.scope(|| vec![0u8; 100_000]),
        usage: usage(),
        of_this_thread: thread_usage(&FREED),
        installed,
    };
    assert!(EARLY.set(early).is_ok());
}

#[test]
fn what_is_allocated_and_freed_before_main_is_counted() {
    let early = EARLY.get().expect("the constructor has run");
    assert!(early.installed);
    assert!(early.block.iter().all(|&byte| byte == 1));
    assert!(early.large_block.iter().all(|&byte| byte == 0));
    assert_eq!(tag_usage(&KEPT).live_bytes, 100 + 100_000);
    assert_eq!(tag_usage(&KEPT).live_blocks, 2);
    assert_eq!((tag_usage(&FREED).live_bytes, tag_usage(&FREED).live_blocks), (0, 0));
    assert_eq!(tag_usage(&FREED).allocated_bytes_total, 5000);
    assert_eq!(tag_usage(&LAZY).live_bytes, 100 * 8);
}

#[test]
fn a_block_from_before_main_is_freed_by_a_thread_to_its_tag() {
    assert_eq!(tag_usage(&FREED_LATER).live_bytes, 300);
    let free = || {
        let block = LEFT_OVER.swap(ptr::null_mut(), Ordering::Acquire);
        assert!(!block.is_null());
        // SAFETY: the constructor leaked it into this place for the one who takes it out.
        drop(unsafe { Box::from_raw(block) });
    };
    std::thread::spawn(free).join().unwrap();
    assert_eq!(tag_usage(&FREED_LATER).live_bytes, 0);
}

#[test]
fn usage_read_before_main_is_what_was_held_then_by_one_thread() {
    let early = EARLY.get().expect("the constructor has run");
    assert_eq!(early.usage.thread_slots_in_use, 1);
    let of = |name| early.usage.tags.iter().find(|tag| tag.name == name).map(|tag| tag.live_bytes);
    assert_eq!(of(KEPT.name()), Some(100 + 100_000));
    assert_eq!(of(FREED.name()), Some(0));
    assert_eq!(of(LAZY.name()), Some(100 * 8));
    let thread = early.of_this_thread.expect("the first thread has counters of its own");
    assert_eq!((thread.allocated_bytes, thread.freed_bytes), (5000, 5000));
}
