//! A library with an accounting allocator of its own, for a program to load when it has long been
//! running. See the test of the same name.

use std::cell::RefCell;
use std::hint::black_box;

use bursar_alloc::{AccountingAllocator, System, Tag, tag_usage};

mod functions;

use functions::Functions;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// The program has a tag of this name too.
static SHARED_NAME: Tag = Tag::new("late/shared-name");

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// The one symbol of the library.
#[unsafe(no_mangle)]
extern "C" fn late_functions() -> Functions {
    Functions { churn, keep, live_bytes, slots_in_use, is_installed }
}

/// On both sides of a KiB.
extern "C" fn churn(rounds: u64) {
    let _guard = SHARED_NAME.enter();
    for round in 0..rounds {
        let mut block = Vec::<u8>::with_capacity(round as usize % 2000);
        block.reserve(1000);
        drop(black_box(block));
    }
}

/// The list of what is kept is not under the tag.
extern "C" fn keep(bytes: u64) {
    let block = SHARED_NAME.scope(|| vec![0u8; bytes as usize]);
    KEPT.with_borrow_mut(|kept| kept.push(block));
}

extern "C" fn live_bytes() -> u64 {
    tag_usage(&SHARED_NAME).live_bytes
}

extern "C" fn slots_in_use() -> u64 {
    bursar_alloc::usage().thread_slots_in_use as u64
}

extern "C" fn is_installed() -> bool {
    bursar_alloc::is_installed()
}
