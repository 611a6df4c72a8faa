//! Signals that interrupt threads wherever they are, in the allocator too.
//!
//! The handler enters a tag that was entered before and leaves it again, and measures a section in
//! between: that touches memory of the thread's own and takes no lock. It does not allocate, which
//! POSIX permits no handler, and leaves no tag entered.

use std::hint::black_box;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use bursar_alloc::{Section, Tag, tag_usage};

use crate::stories::stories;

pub(crate) fn run() {
    stories![a_handler_that_enters_a_tag_and_measures_disturbs_no_account_that_it_interrupts];
}

static HANDLER: Tag = Tag::new("signals/handler");
static HANDLED: AtomicU64 = AtomicU64::new(0);
/// Sections in the handler that saw an allocation, where none is made.
static MISMEASURED: AtomicU64 = AtomicU64::new(0);

extern "C" fn handle(_: libc::c_int) {
    let _guard = HANDLER.enter();
    let section = Section::begin();
    HANDLED.fetch_add(1, Ordering::Relaxed);
    if section.end().is_some_and(|usage| usage.allocated_bytes > 0 || usage.peak_bytes > 0) {
        MISMEASURED.fetch_add(1, Ordering::Relaxed);
    }
}

const OFTEN: libc::timeval = libc::timeval { tv_sec: 0, tv_usec: 50 };
const NEVER: libc::timeval = libc::timeval { tv_sec: 0, tv_usec: 0 };

/// Has the alarm ring at this interval for every thread but the calling one.
fn ring_every(interval: libc::timeval) {
    let mut alarm = MaybeUninit::uninit();
    // SAFETY: the set has a place to go to.
    unsafe { libc::sigemptyset(alarm.as_mut_ptr()) };
    // SAFETY: the set was made empty.
    unsafe { libc::sigaddset(alarm.as_mut_ptr(), libc::SIGALRM) };
    // SAFETY: the set was made, and the old one is not asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, alarm.as_ptr(), ptr::null_mut()) };

    let handler: extern "C" fn(libc::c_int) = handle;
    // SAFETY: the handler touches memory of its thread's own and one atomic counter.
    unsafe { libc::signal(libc::SIGALRM, handler as libc::sighandler_t) };
    let timer = libc::itimerval { it_interval: interval, it_value: interval };
    // SAFETY: the timer is read during the call, and the old one is not asked for.
    let status = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, ptr::null_mut()) };
    assert_eq!(status, 0, "setitimer");
}

/// Allocates, grows and frees until told to stop, and says how many bytes it asked for.
fn allocate_under(tag: &'static Tag, stop: &AtomicBool) -> u64 {
    let mut allocated_bytes = 0;
    let mut kept: Vec<Vec<u8>> = vec![Vec::new(); 16];
    for round in 1.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let len = [48, 900, 1024, 500_000][round % 4];
        let section = Section::begin();
        tag.scope(|| {
            let mut block = black_box(Vec::with_capacity(len));
            block.reserve_exact(len + 200);
            kept[round % 16] = block;
        });
        let usage = section.end().expect("a slot");
        assert_eq!(usage.allocated_bytes, len as u64 + 200);
        if len == 500_000 && usage.freed_bytes == 0 {
            assert!(usage.peak_bytes >= len as u64, "{usage:?}");
        }
        allocated_bytes += len as u64 + 200;
    }
    allocated_bytes
}

fn a_handler_that_enters_a_tag_and_measures_disturbs_no_account_that_it_interrupts() {
    const SIGNALS: u64 = 10_000;
    static WORKERS: [Tag; 2] = [Tag::new("signals/one"), Tag::new("signals/two")];
    static STOP: AtomicBool = AtomicBool::new(false);
    // A tag's number is given out under a lock, so not in the handler.
    drop(HANDLER.enter());
    let workers = WORKERS.each_ref().map(|tag| thread::spawn(move || allocate_under(tag, &STOP)));
    ring_every(OFTEN);
    while HANDLED.load(Ordering::Relaxed) < SIGNALS {
        thread::sleep(Duration::from_millis(1));
    }
    ring_every(NEVER);
    STOP.store(true, Ordering::Relaxed);
    for (worker, tag) in workers.into_iter().zip(&WORKERS) {
        let allocated_bytes = worker.join().unwrap();
        let used = tag_usage(tag);
        assert_eq!((used.live_bytes, used.live_blocks), (0, 0), "{tag:?}");
        assert_eq!(used.allocated_bytes_total, allocated_bytes, "{tag:?}");
    }
    assert_eq!(MISMEASURED.load(Ordering::Relaxed), 0);
    assert_eq!(tag_usage(&HANDLER).allocated_bytes_total, 0, "nothing landed on its tag");
}
