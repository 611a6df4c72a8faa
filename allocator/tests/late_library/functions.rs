//! What the library has for the program.

/// The library's functions, each to be called on any thread.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub(crate) struct Functions {
    /// Allocates, grows and frees so many times under the library's tag.
    pub(crate) churn: extern "C" fn(rounds: u64),
    /// Allocates a block under the library's tag that the thread keeps until its end.
    pub(crate) keep: extern "C" fn(bytes: u64),
    /// Live bytes of the tag by the library's books.
    pub(crate) live_bytes: extern "C" fn() -> u64,
    /// Threads that have counters in the library's books.
    pub(crate) slots_in_use: extern "C" fn() -> u64,
    /// Whether the library's allocations are counted in its own books.
    pub(crate) is_installed: extern "C" fn() -> bool,
}
