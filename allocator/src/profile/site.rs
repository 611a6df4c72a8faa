//! [`HeapSamples`] and [`HeapSite`]: what a sampled heap looks like when it is read.

use std::borrow::Cow;

/// The live samples of a heap, by where they were allocated; see
/// [`heap_samples`](crate::heap_samples).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeapSamples {
    /// One for each tag and stack that live samples bear; in no particular order.
    pub sites: Vec<HeapSite>,
    /// The mean number of bytes from one sample to the next that is in force.
    pub interval_bytes: u64,
    /// Samples taken since the process began, whether their blocks live or not.
    pub samples_total: u64,
    /// Samples that were due and not taken, for want of room in the table: since the process
    /// began. What was lost is missing in every figure.
    pub samples_lost_total: u64,
    /// Samples that there is room for.
    pub capacity: usize,
}

/// What one place in the code keeps alive under one tag, by the samples of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HeapSite {
    /// The tag of the blocks.
    pub tag: Cow<'static, str>,
    /// Where they were allocated or, by `realloc`, grown: the innermost call first. Addresses
    /// within the instructions that called (the return address less one), as debug information
    /// wants them. The first few are those of the allocator itself.
    pub stack: Vec<usize>,
    /// Whether the stack is whole.
    pub stack_end: StackEnd,
    /// Live blocks that were sampled.
    pub samples: u64,
    /// What the samples stand for: an estimate of all live bytes of this tag and stack.
    pub live_bytes: u64,
    /// Likewise of all live blocks.
    pub live_blocks: u64,
}

/// What lies beyond the outermost address of a [`HeapSite`]'s stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StackEnd {
    /// Nothing: it is where the thread or the process began. LLVM's unwinder, which is musl's,
    /// Apple's, Android's and the BSDs', also ends so before a function without unwind
    /// information, and does not tell.
    Root,
    /// Calls that did not fit: 123 addresses are kept.
    TooDeep,
    /// Nobody knows: the function at the outermost address has no unwind information, as
    /// assembly and some C libraries have none.
    NotUnwound,
}
