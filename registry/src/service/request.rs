//! [`RequestScope`]: the bytes of one request, on whatever threads it runs.

use std::borrow::Borrow;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use bursar_alloc::{Section, SectionUsage};

use super::entered::{self, Entry};

/// What one request allocates and frees, across `.await`, threads and the children that it gives
/// its scope to.
///
/// The request is measured in sections: from each [`enter`](Self::enter) to the drop of its guard,
/// and at each poll of a future that is [`in_request`](crate::RequestExt::in_request). What
/// happens outside of them, or on threads that are not in the scope, is not in its figures. Give
/// children a clone: `tokio::spawn(work.in_request(&scope))`, or enter it on their thread.
///
/// # Scopes in each other
///
/// Entering a scope on a thread that is in it already counts nothing twice. Another scope inside
/// counts for both.
///
/// # Cost
///
/// A section sums the thread's counters twice (see [`Section`]) and adds to a handful of atomics
/// of the request's own: together 470 instructions where 8 tags are in use and 2,700 where 240
/// are, and 130 where the thread is in the scope already. Allocations in it cost what they do
/// outside. A scope is one allocation, and each thread keeps a few words for the scopes it is in.
///
/// # Threads
///
/// Clones share the figures, may be entered on many threads at once, and never wait for each
/// other. Without the [`AccountingAllocator`](crate::AccountingAllocator) all figures are 0.
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, RequestScope, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() {
///     let scope = RequestScope::new();
///     let answer = {
///         let _guard = scope.enter();
///         drop(vec![0u8; 1 << 20]);
///         vec![1u8; 1000]
///     };
///     let usage = scope.usage();
///     assert_eq!(usage.net_bytes, 1000, "the answer");
///     assert_eq!(usage.peak_bytes, 1 << 20);
/// #   drop(answer);
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct RequestScope {
    counters: Arc<Counters>,
}

/// Plain counts, added to at the end of a section.
#[derive(Debug, Default)]
struct Counters {
    allocated_bytes: AtomicU64,
    /// Allocated less freed, in one figure, so that sections that end at once see no balance that
    /// never was.
    net_bytes: AtomicI64,
    peak_bytes: AtomicI64,
    sections: AtomicU64,
    unmeasured: AtomicU64,
}

/// What a request has allocated and freed in the sections that have ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct RequestUsage {
    /// Bytes allocated, growth by `realloc` included.
    pub allocated_bytes: u64,
    /// Bytes freed, whoever allocated them.
    pub freed_bytes: u64,
    /// Allocated less freed.
    ///
    /// A block knows its tag and not its request. So what the request made and someone else frees
    /// later, such as an answer that is sent or an entry of a cache, stays in this figure for
    /// good; and where a request frees what others made, it may be negative.
    pub net_bytes: i64,
    /// The most that was allocated and not yet freed, 0 if that was never above zero.
    ///
    /// It is looked at within a section as [`Section`] says, so it may be too low by less than an
    /// allowance: at most 256 KiB, and 64 KiB without a running [`Bursar`](crate::Bursar). Where
    /// sections run at once on several threads, each sees its own bytes on top of those of the
    /// sections that had ended when it began: the peak is at least that of the largest, and lacks
    /// what the others held at that moment.
    pub peak_bytes: u64,
    /// How often the scope was entered, where the thread was not in it already.
    pub sections: u64,
    /// Those of them that could not be measured: on threads without counters of their own, when
    /// there are more threads than slots or at a thread's end.
    pub unmeasured: u64,
}

impl RequestScope {
    /// A scope for a request that begins, with all figures at 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts what the calling thread allocates and frees, until the guard is dropped.
    ///
    /// Does nothing where the thread is in the scope already.
    pub fn enter(&self) -> RequestGuard {
        RequestGuard { _running: Running::begin(self.clone()) }
    }

    /// Counts what `work` allocates and frees. Costs less than a guard: whoever calls it holds the
    /// scope.
    pub(super) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        let _running = Running::begin(self);
        work()
    }

    /// What was counted so far.
    ///
    /// Sections that are under way are not in it: drop the guard, or let the poll return, before
    /// reading. While sections end on other threads, the figures may be of different moments.
    #[must_use]
    pub fn usage(&self) -> RequestUsage {
        let counters = &*self.counters;
        let net_bytes = counters.net_bytes.load(Ordering::Relaxed);
        let allocated_bytes = counters.allocated_bytes.load(Ordering::Relaxed);
        RequestUsage {
            allocated_bytes,
            freed_bytes: allocated_bytes.saturating_sub_signed(net_bytes),
            net_bytes,
            peak_bytes: counters.peak_bytes.load(Ordering::Relaxed).unsigned_abs(),
            sections: counters.sections.load(Ordering::Relaxed),
            unmeasured: counters.unmeasured.load(Ordering::Relaxed),
        }
    }

    /// Puts all figures back to 0, for another request, if nobody else holds the scope.
    #[cfg(feature = "tower")]
    pub(crate) fn reset_if_unshared(&mut self) -> bool {
        Arc::get_mut(&mut self.counters).map(std::mem::take).is_some()
    }

    fn address(&self) -> usize {
        Arc::as_ptr(&self.counters).addr()
    }
}

impl Counters {
    /// Adds a section that began when the request's balance was `net_at_begin`; `None` if it could
    /// not be measured.
    fn add(&self, usage: Option<SectionUsage>, net_at_begin: i64) {
        self.sections.fetch_add(1, Ordering::Relaxed);
        let Some(usage) = usage else {
            self.unmeasured.fetch_add(1, Ordering::Relaxed);
            return;
        };
        if (usage.allocated_bytes, usage.freed_bytes) == (0, 0) {
            // As many a part of a request. Whoever changed the balance has seen to the peak.
            return;
        }
        self.allocated_bytes.fetch_add(usage.allocated_bytes, Ordering::Relaxed);
        let kept = usage.net_bytes();
        let net = self.net_bytes.fetch_add(kept, Ordering::Relaxed).wrapping_add(kept);
        // With what sections that ran at once have kept, too.
        let peak = net_at_begin.saturating_add_unsigned(usage.peak_bytes).max(net);
        self.peak_bytes.fetch_max(peak, Ordering::Relaxed);
    }
}

/// While it lives, its thread is in a [`RequestScope`].
///
/// Not `Send`: it speaks of the thread it was made on. Held across an `.await` it would count
/// other requests' bytes, so a future that does so is not `Send`; wrap the future by
/// [`RequestExt::in_request`](crate::RequestExt::in_request) in its place.
///
/// Guards are to be dropped in reverse order, as variables are. In any other order the bytes are
/// right and the peak may be too low. What a guard that is leaked has seen is lost, and its scope
/// counts nothing more on that thread; other scopes and other threads are not disturbed.
///
/// ```compile_fail
/// use bursar::RequestScope;
///
/// fn assert_send(_: impl Send) {}
/// assert_send(async {
///     let _guard = RequestScope::new().enter();
///     std::future::ready(()).await;
/// });
/// ```
#[derive(Debug)]
#[must_use = "the scope is left as soon as the guard is dropped"]
pub struct RequestGuard {
    /// `None` where the thread was in the scope already.
    _running: Option<Running<RequestScope>>,
}

/// A section of a scope, which ends as it is dropped.
#[derive(Debug)]
struct Running<S: Borrow<RequestScope>> {
    scope: S,
    net_at_begin: i64,
    /// `None` once it has ended.
    section: Option<Section>,
}

impl<S: Borrow<RequestScope>> Running<S> {
    /// `None` where the thread is in the scope already, or nobody knows.
    fn begin(scope: S) -> Option<Self> {
        let counters = &scope.borrow().counters;
        match entered::enter(scope.borrow().address()) {
            Entry::New => {
                let net_at_begin = counters.net_bytes.load(Ordering::Relaxed);
                Some(Self { scope, net_at_begin, section: Some(Section::begin()) })
            }
            Entry::Again => None,
            Entry::Unknown => {
                counters.add(None, 0);
                None
            }
        }
    }
}

impl<S: Borrow<RequestScope>> Drop for Running<S> {
    fn drop(&mut self) {
        let usage = self.section.take().and_then(Section::end);
        let scope = self.scope.borrow();
        entered::leave(scope.address());
        scope.counters.add(usage, self.net_at_begin);
    }
}
