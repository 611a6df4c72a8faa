//! The end of the process: handlers of `atexit`, and `exit` on any thread while others allocate.
//! This program plays the parts that end, and looks at how they did.

use std::hint::black_box;
use std::process::{Stdio, exit};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bursar_alloc::{Tag, tag_usage, usage};

use crate::role::{ending_of, role};
use crate::stories::stories;

pub(crate) fn run() {
    match role().as_deref() {
        None => stories![
            handlers_at_exit_allocate_free_enter_tags_and_read_usage,
            any_thread_can_end_the_process_while_others_allocate,
        ],
        Some("return from main") => register_handlers(),
        Some("exit on a thread") => exit_on_a_thread(),
        Some(other) => panic!("no part {other:?}"),
    }
}

/// The status of a process whose last handler found everything in order.
const IN_ORDER: i32 = 42;

fn handlers_at_exit_allocate_free_enter_tags_and_read_usage() {
    assert_eq!(ending_of("return from main", Stdio::inherit()).code(), Some(IN_ORDER));
}

fn any_thread_can_end_the_process_while_others_allocate() {
    for _ in 0..20 {
        assert_eq!(ending_of("exit on a thread", Stdio::inherit()).code(), Some(IN_ORDER));
    }
}

fn at_exit(handler: extern "C" fn()) {
    // SAFETY: the handler may run at any time.
    let status = unsafe { libc::atexit(handler) };
    assert_eq!(status, 0, "atexit");
}

/// More than the 32 that libc has room for without allocating.
const HANDLERS: usize = 40;

static KEPT: Tag = Tag::new("exit/kept");
static HELD_BY_MAIN: OnceLock<Vec<u8>> = OnceLock::new();
static HANDLED: AtomicUsize = AtomicUsize::new(0);

fn register_handlers() {
    // The handlers run in the opposite order: this one last.
    at_exit(judge);
    for _ in 0..HANDLERS {
        at_exit(handle);
    }
    KEPT.scope(|| HELD_BY_MAIN.get_or_init(|| vec![0u8; 3000]));
}

extern "C" fn handle() {
    static TAG: Tag = Tag::new("exit/handlers");
    let round = HANDLED.fetch_add(1, Ordering::Relaxed) as u64;
    let _guard = TAG.enter();
    let mut block = vec![0u8; 100];
    block.reserve_exact(4900);
    drop(black_box(block));
    // Half of them leave a block.
    if round.is_multiple_of(2) {
        Box::leak(black_box(Box::new([1u8; 64])));
    }
    assert_eq!(tag_usage(&TAG).live_bytes, (round / 2 + 1) * 64);
    let held_elsewhere = thread::spawn(|| TAG.scope(|| black_box(vec![0u8; 500]))).join().unwrap();
    assert_eq!(tag_usage(&TAG).live_bytes, (round / 2 + 1) * 64 + 500);
    drop(held_elsewhere);
    let usage = usage();
    assert!(usage.tags.iter().any(|tag| tag.name == KEPT.name() && tag.live_bytes == 3000));
}

extern "C" fn judge() {
    let in_order = HANDLED.load(Ordering::Relaxed) == HANDLERS;
    // SAFETY: nothing is asked of the caller.
    unsafe { libc::_exit(if in_order { IN_ORDER } else { 1 }) };
}

fn exit_on_a_thread() {
    static BUSY: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn read_all() {
        let _held = black_box(usage());
    }
    at_exit(read_all);
    for _ in 0..3 {
        thread::spawn(|| {
            static TAG: Tag = Tag::new("exit/busy");
            BUSY.fetch_add(1, Ordering::Relaxed);
            for size in (1..3000).cycle() {
                drop(black_box(TAG.scope(|| Vec::<u8>::with_capacity(size))));
            }
        });
    }
    while BUSY.load(Ordering::Relaxed) < 3 {
        thread::yield_now();
    }
    let ended = thread::spawn(|| exit(IN_ORDER)).join();
    unreachable!("{ended:?}");
}
