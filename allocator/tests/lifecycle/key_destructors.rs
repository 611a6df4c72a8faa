//! Destructors of pthread keys: they run when a thread's Rust thread-locals are gone, in rounds
//! for as long as they set their keys anew.

use std::ffi::c_void;
use std::hint::black_box;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;

use bursar_alloc::{Tag, tag_usage, thread_usage, usage};

use crate::raw_thread::RawThread;
use crate::stories::stories;

pub(crate) fn run() {
    stories![
        what_key_destructors_allocate_grow_and_free_over_their_rounds_is_counted,
        a_thread_that_allocates_first_in_a_key_destructor_gives_its_slot_back,
        a_thread_that_frees_first_in_the_third_round_gives_its_slot_back,
    ];
}

fn held(tag: &'static Tag) -> (u64, u64) {
    (tag_usage(tag).live_bytes, tag_usage(tag).live_blocks)
}

/// A key and the destructor that is called with a thread's value of it.
struct Key {
    id: OnceLock<libc::pthread_key_t>,
    destructor: extern "C" fn(*mut c_void),
}

impl Key {
    const fn new(destructor: extern "C" fn(*mut c_void)) -> Self {
        Self { id: OnceLock::new(), destructor }
    }

    /// Sets the calling thread's value.
    fn set(&self, value: *mut c_void) {
        let id = *self.id.get_or_init(|| {
            let mut id = 0;
            // SAFETY: the key has a place to go to.
            let status = unsafe { libc::pthread_key_create(&raw mut id, Some(self.destructor)) };
            assert_eq!(status, 0, "pthread_key_create");
            id
        });
        // SAFETY: the key was made, and is never deleted.
        let status = unsafe { libc::pthread_setspecific(id, value) };
        assert_eq!(status, 0, "pthread_setspecific");
    }
}

/// POSIX promises four rounds.
const ROUNDS: usize = 4;

fn what_key_destructors_allocate_grow_and_free_over_their_rounds_is_counted() {
    static TAG: Tag = Tag::new("keys/rounds");
    static KEYS: [Key; 3] = [Key::new(end_round), Key::new(end_round), Key::new(end_round)];

    /// What a key is set to: a block, and how many rounds there have been.
    struct Value {
        key: &'static Key,
        rounds: usize,
        block: Vec<u8>,
    }

    extern "C" fn end_round(value: *mut c_void) {
        // SAFETY: it is a `Value` that was leaked for this.
        let mut value = unsafe { Box::from_raw(value.cast::<Value>()) };
        let _guard = TAG.enter();
        value.rounds += 1;
        if value.rounds == ROUNDS {
            return;
        }
        value.block.reserve_exact(2000);
        value.block = black_box(Vec::with_capacity(500));
        value.key.set(Box::into_raw(value).cast());
    }

    fn set_all() {
        for key in &KEYS {
            let value =
                TAG.scope(|| Box::new(Value { key, rounds: 0, block: Vec::with_capacity(500) }));
            key.set(Box::into_raw(value).cast());
        }
    }

    const THREADS: usize = 20;
    for _ in 0..THREADS {
        thread::spawn(set_all).join().unwrap();
        RawThread::spawn(set_all).join();
    }
    assert_eq!(held(&TAG), (0, 0));
    // In each round but the last, one block grows to 2000 bytes and one of 500 takes its place.
    let of_a_key = size_of::<Value>() + 500 + (ROUNDS - 1) * (1500 + 500);
    let of_all = 2 * THREADS * KEYS.len() * of_a_key;
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, of_all as u64);
    assert_eq!(usage().thread_slots_in_use, 1);
}

fn a_thread_that_allocates_first_in_a_key_destructor_gives_its_slot_back() {
    static TAG: Tag = Tag::new("keys/first");
    static KEY: Key = Key::new(allocate);
    extern "C" fn allocate(_: *mut c_void) {
        drop(black_box(TAG.scope(|| vec![0u8; 100])));
        assert!(thread_usage(&TAG).is_some(), "it has counters of its own");
    }
    for _ in 0..50 {
        RawThread::spawn(|| KEY.set(ptr::dangling_mut())).join();
    }
    assert_eq!((held(&TAG), tag_usage(&TAG).allocated_bytes_total), ((0, 0), 50 * 100));
    assert_eq!(usage().thread_slots_in_use, 1);
}

fn a_thread_that_frees_first_in_the_third_round_gives_its_slot_back() {
    static TAG: Tag = Tag::new("keys/third-round");
    static KEY: Key = Key::new(end_round);
    static NEXT: AtomicPtr<Rounds> = AtomicPtr::new(ptr::null_mut());

    /// How many rounds there have been, in a block of another thread.
    type Rounds = [usize; 90];

    extern "C" fn end_round(rounds: *mut c_void) {
        // SAFETY: the block was leaked for this.
        let mut rounds = unsafe { Box::from_raw(rounds.cast::<Rounds>()) };
        rounds[0] += 1;
        if rounds[0] < 3 {
            KEY.set(Box::into_raw(rounds).cast());
        }
    }
    for _ in 0..50 {
        NEXT.store(Box::into_raw(TAG.scope(|| Box::new([0; 90]))), Ordering::Release);
        RawThread::spawn(|| KEY.set(NEXT.load(Ordering::Acquire).cast())).join();
    }
    assert_eq!(held(&TAG), (0, 0));
    assert_eq!(usage().thread_slots_in_use, 1);
}
