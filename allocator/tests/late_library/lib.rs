//! A library with an accounting allocator of its own, for a program to load when it has long been
//! running. See the test of the same name.

use std::cell::RefCell;
use std::hint::black_box;

use bursar_alloc::{AccountingAllocator, System, Tag, is_installed, tag_usage, usage};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// The program has a tag of this name too.
static SHARED_NAME: Tag = Tag::new("late/shared-name");

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// Allocates, grows and frees, on both sides of a KiB.
#[unsafe(no_mangle)]
pub extern "C" fn late_churn(rounds: u64) {
    let _guard = SHARED_NAME.enter();
    for round in 0..rounds {
        let mut block = Vec::<u8>::with_capacity(round as usize % 2000);
        block.reserve(1000);
        drop(black_box(block));
    }
}

/// Allocates a block that the thread keeps until its end. The list of them is not under the tag.
#[unsafe(no_mangle)]
pub extern "C" fn late_keep(bytes: u64) {
    let block = SHARED_NAME.scope(|| vec![0u8; bytes as usize]);
    KEPT.with_borrow_mut(|kept| kept.push(block));
}

/// Live bytes of the tag by this library's books.
#[unsafe(no_mangle)]
pub extern "C" fn late_live_bytes() -> u64 {
    tag_usage(&SHARED_NAME).live_bytes
}

/// Threads that have counters in this library's books.
#[unsafe(no_mangle)]
pub extern "C" fn late_slots_in_use() -> u64 {
    usage().thread_slots_in_use as u64
}

/// Whether this library's allocations are counted in its own books.
#[unsafe(no_mangle)]
pub extern "C" fn late_is_installed() -> bool {
    is_installed()
}
