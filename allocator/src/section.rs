//! [`Section`]: what a thread allocates, frees and keeps at most between two moments.

use std::marker::PhantomData;

use crate::thread::{self, BegunSection};

/// What its thread allocates and frees from [`begin`](Self::begin) to [`end`](Self::end), over
/// all tags, and the most of it that is live at once.
///
/// Not `Send`: it speaks of the thread it was begun on. Other threads' work is not in it, and a
/// block counts where it is freed, whoever allocated it.
///
/// # The peak
///
/// It costs the allocations in between nothing: it is looked at when the section begins and ends,
/// and when the thread has used up its allowance of bytes and draws the next. What came and went
/// between two looks is missed, so the peak is too low by **less than one allowance** and never
/// too high. An allowance begins at 4 KiB, doubles with each, and goes up to 64 KiB or, while a
/// [`Watch`](crate::Watch) is there, to a 1,024th of its budget, between 4 KiB and 256 KiB. A
/// block, or a growth by `realloc`, that is larger than what is left of the allowance is looked at
/// as soon as it is counted: one of an allowance or more always is.
///
/// # Cost
///
/// Beginning and ending sum the thread's counters of all tags in use, and so does each allowance
/// that is drawn in between. Counted by callgrind, beginning and ending take 320 instructions
/// together where 8 tags are in use and 2,500 where 240 are, and each allowance 100 and 1,300 on
/// top of its own 500. Nothing is allocated and no lock taken.
///
/// # Nesting
///
/// A section may begin while others are under way on the thread; what happens in it is in all of
/// them. They are to end in reverse order, as variables do. In any other order the bytes are right
/// and the peaks may be too low: one that ends before a section inside it, or around one that was
/// leaked, lacks what was before that one; one that ends after a section around it has what it
/// keeps at its end. With a section leaked and none around it, the thread goes on looking.
///
/// # Signal handlers and forks
///
/// On a thread that has allocated before, a section may begin and end within a signal handler:
/// only the thread's own memory is touched. In a forked child, a section of the thread that forked
/// goes on.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{AccountingAllocator, Section, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() {
///     let section = Section::begin();
///     let kept = vec![0u8; 1000];
///     drop(vec![0u8; 1 << 20]);
///     let usage = section.end().expect("a slot for every thread");
///     assert_eq!(usage.allocated_bytes, 1000 + (1 << 20));
///     assert_eq!(usage.net_bytes(), 1000);
///     assert_eq!(usage.peak_bytes, 1000 + (1 << 20));
/// #   drop(kept);
/// }
/// ```
///
/// ```compile_fail
/// fn assert_send(_: impl Send) {}
/// assert_send(bursar_alloc::Section::begin());
/// ```
#[derive(Debug)]
#[must_use = "a section ends as soon as it is dropped"]
pub struct Section {
    /// `None` where the thread has no counters of its own, and once the section has ended.
    begun: Option<BegunSection>,
    _of_one_thread: PhantomData<*mut ()>,
}

/// What was allocated and freed during a [`Section`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct SectionUsage {
    /// Bytes allocated, growth by `realloc` included, and blocks that [`Retag`](crate::Retag)
    /// moved to another tag.
    pub allocated_bytes: u64,
    /// Bytes freed, whoever allocated them and whenever; and blocks moved to another tag.
    pub freed_bytes: u64,
    /// The most that was allocated and not yet freed, of the section's own: 0 if it never had
    /// allocated more than it had freed. Too low by less than an allowance: see
    /// [the peak](Section#the-peak).
    pub peak_bytes: u64,
}

impl SectionUsage {
    /// Allocated less freed: negative where more was freed.
    #[must_use]
    pub fn net_bytes(&self) -> i64 {
        self.allocated_bytes.wrapping_sub(self.freed_bytes) as i64
    }
}

impl Section {
    /// Begins a section on the calling thread.
    #[inline]
    pub fn begin() -> Self {
        Self { begun: thread::begin_section(), _of_one_thread: PhantomData }
    }

    /// Ends it, and answers what was done since it began.
    ///
    /// `None` if the thread had no counters of its own when the section began, or has none when it
    /// ends: more threads than slots, or at thread exit.
    #[inline]
    pub fn end(mut self) -> Option<SectionUsage> {
        self.finish()
    }

    fn finish(&mut self) -> Option<SectionUsage> {
        let (done, peak_bytes) = thread::end_section(self.begun.take()?)?;
        Some(SectionUsage {
            allocated_bytes: done.allocated_bytes,
            freed_bytes: done.freed_bytes,
            peak_bytes,
        })
    }
}

impl Drop for Section {
    #[inline]
    fn drop(&mut self) {
        self.finish();
    }
}
