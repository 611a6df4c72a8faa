//! Running out of memory where a program can least bear it: while it unwinds, in its panic hook,
//! at a thread's end. In processes of their own, and in `.ci/run` in release too: there an unwind
//! out of the allocator would skip destructors and leave `catch_unwind` unnoticed.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

#[path = "support/block.rs"]
mod block;
#[path = "support/child.rs"]
mod child;
#[path = "support/refusing.rs"]
mod refusing;

use std::cell::RefCell;
use std::hint::black_box;
use std::panic::{catch_unwind, set_hook};
use std::sync::atomic::{AtomicUsize, Ordering};

use bursar_alloc::{AccountingAllocator, Tag, tag_usage};

use block::is_all;
use refusing::{Plan, Refusing, blocks_out, follow};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Refusing> = AccountingAllocator::new(Refusing);

static TAG: Tag = Tag::new("out-of-memory");

/// Calls refused in turn, each once and with all after it.
const CALLS: u64 = 9;
/// How often each test unwinds.
const ROUNDS: usize = 5;

/// How often `try_everything` came to its end.
static TRIED: AtomicUsize = AtomicUsize::new(0);

/// Asks for memory in all ways that report a refusal, under a plan, and frees what it got.
fn try_everything(plan: Plan) {
    let outer = follow(Some(plan));
    TAG.scope(|| {
        let mut bytes: Vec<u8> = Vec::new();
        let mut text = String::new();
        for size in [1, 500, 1500, 100_000] {
            if bytes.try_reserve_exact(size).is_ok() {
                bytes.resize(size, 1);
            }
            if text.try_reserve_exact(size).is_ok() {
                text.push('x');
            }
            assert!(is_all(&bytes, 1));
        }
        // More than there can be, refused by the backend itself.
        assert!(bytes.try_reserve_exact(isize::MAX as usize - bytes.len()).is_err());
        black_box((bytes, text));
    });
    follow(outer);
    TRIED.fetch_add(1, Ordering::Relaxed);
}

/// Runs `try_everything` under each plan there is.
fn try_each_refusal() {
    for call in 1..=CALLS {
        try_everything(Plan::once(call));
        try_everything(Plan::for_ever(call));
    }
}

/// Fails unless `try_each_refusal` came to its end so many times, and all is given back.
fn assert_tried(times: usize) {
    assert_eq!(TRIED.load(Ordering::Relaxed), times * 2 * CALLS as usize);
    assert_eq!((tag_usage(&TAG).live_bytes, tag_usage(&TAG).live_blocks), (0, 0));
    assert_eq!(blocks_out(), 0);
}

/// Runs out of memory when dropped.
struct Greedy;

impl Drop for Greedy {
    fn drop(&mut self) {
        try_each_refusal();
    }
}

#[test]
fn out_of_memory_in_a_drop_while_unwinding_the_unwinding_goes_on() {
    const NAME: &str = "out_of_memory_in_a_drop_while_unwinding_the_unwinding_goes_on";
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    for _ in 0..ROUNDS {
        let result = catch_unwind(|| {
            let _first = Greedy;
            let _kept = TAG.scope(|| vec![0u8; 3000]);
            let _second = Greedy;
            panic!("as planned");
        });
        assert_eq!(result.unwrap_err().downcast_ref::<&str>(), Some(&"as planned"));
    }
    assert_tried(2 * ROUNDS);
}

#[test]
fn out_of_memory_in_the_panic_hook_the_panic_goes_on() {
    const NAME: &str = "out_of_memory_in_the_panic_hook_the_panic_goes_on";
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    set_hook(Box::new(|_| try_each_refusal()));
    for _ in 0..ROUNDS {
        let thread = std::thread::spawn(|| {
            let _greedy = Greedy;
            panic!("as planned");
        });
        assert!(thread.join().is_err());
    }
    let _ = std::panic::take_hook();
    assert_tried(2 * ROUNDS);
}

#[test]
fn out_of_memory_in_the_destructors_of_a_thread_that_panicked_the_thread_ends() {
    const NAME: &str = "out_of_memory_in_the_destructors_of_a_thread_that_panicked_the_thread_ends";
    thread_local! {
        static AT_THE_END: RefCell<Option<Greedy>> = const { RefCell::new(None) };
    }
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    for _ in 0..ROUNDS {
        let thread = std::thread::spawn(|| {
            AT_THE_END.set(Some(Greedy));
            panic!("as planned");
        });
        assert!(thread.join().is_err());
    }
    assert_tried(ROUNDS);
}

/// What std does when a caller cannot be told: it ends the process, at once and with its own
/// message. A second panic, or none, would be another end.
#[cfg(unix)]
mod infallible {
    use super::*;

    const SIGABRT: i32 = 6;

    /// Runs out of memory, when dropped, with nobody to tell.
    struct Stubborn;

    impl Drop for Stubborn {
        fn drop(&mut self) {
            follow(Some(Plan::for_ever(1)));
            black_box(Box::new([0u8; 333]));
        }
    }

    fn assert_ends_by_std(test: &str) {
        use std::os::unix::process::ExitStatusExt;
        let output = child::run(test);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.signal(), Some(SIGABRT), "{text}");
        assert_eq!(text.matches("memory allocation of 333 bytes failed").count(), 1, "{text}");
    }

    #[test]
    fn an_infallible_allocation_in_a_drop_while_unwinding_ends_the_process_as_std_does() {
        const NAME: &str = "infallible::\
            an_infallible_allocation_in_a_drop_while_unwinding_ends_the_process_as_std_does";
        if !child::is_inside(NAME) {
            return assert_ends_by_std(NAME);
        }
        let _ = catch_unwind(|| {
            let _stubborn = Stubborn;
            panic!("as planned");
        });
    }

    #[test]
    fn an_infallible_allocation_in_the_panic_hook_ends_the_process_as_std_does() {
        const NAME: &str = "infallible::\
            an_infallible_allocation_in_the_panic_hook_ends_the_process_as_std_does";
        if !child::is_inside(NAME) {
            return assert_ends_by_std(NAME);
        }
        set_hook(Box::new(|_| drop(Stubborn)));
        let _ = catch_unwind(|| panic!("as planned"));
    }
}
