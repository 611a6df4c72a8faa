//! Which requests the calling thread is in, so that none counts the same bytes twice.

use std::cell::RefCell;

thread_local! {
    /// By address. Whoever is in it keeps the address from being used again.
    static ENTERED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// What [`enter`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// The thread is in it from now on, until [`leave`].
    New,
    /// The thread was in it already.
    Again,
    /// The thread is at its end, and nobody knows.
    Unknown,
}

/// Enters the request whose counters are at `address`. Allocates where the thread has not been in
/// so many requests before.
pub(super) fn enter(address: usize) -> Entry {
    let enter = |entered: &RefCell<Vec<usize>>| {
        let mut entered = entered.borrow_mut();
        if entered.contains(&address) {
            return Entry::Again;
        }
        entered.push(address);
        Entry::New
    };
    ENTERED.try_with(enter).unwrap_or(Entry::Unknown)
}

/// Leaves it, in whatever order. Does nothing at the thread's end.
pub(super) fn leave(address: usize) {
    let _ = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        if let Some(index) = entered.iter().rposition(|other| *other == address) {
            entered.swap_remove(index);
        }
    });
}
