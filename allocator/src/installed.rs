//! Whether what is counted here is this program's heap.

use std::hint::black_box;

use crate::primitive::{AtomicU8, Ordering};
use crate::tag::Tag;
use crate::thread::{LEDGER, thread_sums};

const UNKNOWN: u8 = 0;
const NO: u8 = 1;
const YES: u8 = 2;

static KNOWN: AtomicU8 = AtomicU8::new(UNKNOWN);
static PROBE: Tag = Tag::new("bursar");

/// Whether this program's global allocator is an
/// [`AccountingAllocator`](crate::AccountingAllocator) of this very copy of the crate: allocates
/// a block and looks whether it was counted. Looks once; from then on it is one load.
///
/// # Examples
///
/// ```
/// if !bursar_alloc::is_installed() {
///     eprintln!("no #[global_allocator] of bursar's: nothing is counted");
/// }
/// ```
#[must_use]
pub fn is_installed() -> bool {
    match KNOWN.load(Ordering::Relaxed) {
        UNKNOWN => {
            let found = probe();
            KNOWN.store(if found { YES } else { NO }, Ordering::Relaxed);
            found
        }
        known => known == YES,
    }
}

/// The thread's own count moves by this thread's blocks alone. Without one, the sum has to do: it
/// is moved by others only where they allocate by hand from an allocator that is not installed.
fn probe() -> bool {
    let number = PROBE.number();
    let own = || thread_sums(number).map(|sums| sums.allocated_blocks);
    let all = || LEDGER.sum(number).allocated_blocks;
    let before = (own(), all());
    PROBE.scope(|| drop(black_box(Box::new(0u64))));
    match (before.0, own()) {
        (Some(before), Some(after)) => after != before,
        _ => all() != before.1,
    }
}
