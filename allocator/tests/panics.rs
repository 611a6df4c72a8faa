//! Panics: scopes that unwind, a hook that allocates, and a panic while panicking.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

use std::hint::black_box;
use std::panic::{catch_unwind, panic_any, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use bursar_alloc::{AccountingAllocator, System, Tag, tag_usage};

#[cfg(unix)]
#[path = "support/role.rs"]
mod role;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static HOOK: Tag = Tag::new("panics/hook");
static HOOK_CALLS: AtomicU64 = AtomicU64::new(0);

/// What the panics of these tests carry.
struct Expected(String);

/// Has each expected panic reported under a tag of the hook's own, into a buffer of 1000 bytes.
fn report_under_a_tag() {
    static SET: Once = Once::new();
    SET.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !panic.payload().is::<Expected>() {
                return others(panic);
            }
            let _guard = HOOK.enter();
            let mut report = Vec::with_capacity(1000);
            std::io::Write::write_fmt(&mut report, format_args!("{:?}", panic.location())).unwrap();
            assert!(black_box(report).len() < 1000);
            HOOK_CALLS.fetch_add(1, Ordering::Relaxed);
        }));
    });
}

fn held(tag: &'static Tag) -> (u64, u64) {
    (tag_usage(tag).live_bytes, tag_usage(tag).live_blocks)
}

static UNWINDING: Tag = Tag::new("panics/unwinding");

struct AllocatesInDrop;

impl Drop for AllocatesInDrop {
    fn drop(&mut self) {
        UNWINDING.scope(|| drop(black_box(vec![0u8; 300])));
    }
}

/// Panics under `inner`, entered under `outer`, and answers what was carried up.
fn panic_inside(outer: &'static Tag, inner: &'static Tag) -> String {
    let caught = catch_unwind(|| {
        let _outer = outer.enter();
        let _held = black_box(vec![0u8; 2000]);
        inner.scope(|| {
            let _late = AllocatesInDrop;
            panic_any(Expected("carried".repeat(10)));
        })
    });
    let Err(payload) = caught;
    payload.downcast::<Expected>().unwrap().0
}

#[test]
fn a_scope_that_unwinds_leaves_its_tag_and_the_hooks_bytes_are_the_hooks() {
    static OUTER: Tag = Tag::new("panics/outer");
    static INNER: Tag = Tag::new("panics/inner");
    static AFTER: Tag = Tag::new("panics/after");
    const ROUNDS: u64 = 100;
    report_under_a_tag();
    let workers: [_; 4] = std::array::from_fn(|_| {
        thread::spawn(|| {
            let _guard = AFTER.enter();
            for _ in 0..ROUNDS {
                let carried = panic_inside(&OUTER, &INNER);
                drop(black_box(vec![0u8; 10]));
                drop(carried);
            }
        })
    });
    let rounds = ROUNDS * workers.len() as u64;
    for worker in workers {
        worker.join().unwrap();
    }
    for tag in [&OUTER, &INNER, &AFTER, &UNWINDING, &HOOK] {
        assert_eq!(held(tag), (0, 0), "{tag:?}");
    }
    assert_eq!(tag_usage(&OUTER).allocated_bytes_total, rounds * 2000);
    assert_eq!(tag_usage(&UNWINDING).allocated_bytes_total, rounds * 300);
    assert_eq!(tag_usage(&AFTER).allocated_bytes_total, rounds * 10, "what follows a panic");
    assert!(HOOK_CALLS.load(Ordering::Relaxed) >= rounds);
    assert_eq!(tag_usage(&HOOK).allocated_bytes_total, 1000 * HOOK_CALLS.load(Ordering::Relaxed));
}

/// The process that panics twice is this one, run again for this test alone.
#[cfg(unix)]
#[test]
fn a_panic_in_a_drop_while_a_scope_unwinds_aborts() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    const ROLE: &str = "panic twice";
    static TAG: Tag = Tag::new("panics/twice");

    struct PanicsInDrop(#[expect(dead_code, reason = "it is there to be dropped")] Vec<u8>);
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("while unwinding");
        }
    }
    if role::role().as_deref() == Some(ROLE) {
        let _guard = TAG.enter();
        let _late = PanicsInDrop(vec![0u8; 100]);
        panic!("at first");
    }
    assert_eq!(role::ending_of(ROLE, Stdio::null()).signal(), Some(libc::SIGABRT));
}
