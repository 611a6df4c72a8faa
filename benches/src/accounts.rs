//! What the workloads that only an accounting allocator has ask of it.

/// The accounts of a program's allocator, as [`run`](crate::run) is given them.
///
/// The library knows no allocator: a program that has accounts hands them in. Each call does many
/// operations, so that the call itself is not what is measured.
pub trait Accounts: Sync {
    /// Enters a tag and leaves it, `count` times over.
    fn enter_and_leave(&self, count: u64);

    /// Allocates and frees a block on the calling thread under each of `tags` tags, which are the
    /// same on every thread.
    fn use_tags(&self, tags: usize);

    /// Reads all figures, `count` times over, and says what the last reading saw.
    fn snapshots(&self, count: u64) -> Snapshot;

    /// As [`snapshots`](Self::snapshots), for all that a service tells of itself: with what was
    /// read and done by a monitor, and what is registered with it.
    fn statistics(&self, count: u64) -> Snapshot;

    /// Runs `work` with a tag entered.
    fn within(&self, tag: TagOf, work: &mut dyn FnMut());

    /// What was allocated under a tag and is not freed yet, on all threads.
    fn live_bytes(&self, tag: TagOf) -> u64;
}

/// One of a program's tags, by its number among those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagOf {
    /// An ordinary one, whose blocks lie among all others: of 240.
    Shared(usize),
    /// One whose blocks have an arena of their own, where the allocator has such: of 30.
    Isolated(usize),
}

/// What a reading of all figures had to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snapshot {
    /// Tags with figures of their own.
    pub tags: usize,
    /// Threads with counters of their own.
    pub slots: usize,
}
