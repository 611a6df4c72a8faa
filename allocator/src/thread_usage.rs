//! [`ThreadUsage`]: what a section of code allocated, freed and kept on its thread.

use crate::tag_handle::TagHandle;
use crate::thread::{self, TAGS};

/// What the calling thread has allocated and freed under one tag: of two readings on one thread,
/// the differences are what the code between them did. By themselves the figures mean nothing:
/// they go on from those of threads that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadUsage {
    /// Bytes allocated by this thread, growth by `realloc` included.
    pub allocated_bytes: u64,
    /// Bytes freed by this thread, whatever thread allocated them.
    pub freed_bytes: u64,
}

impl ThreadUsage {
    /// What was done on this thread since `earlier`, which was read on it too.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::{Tag, thread_usage};
    ///
    /// static PARSING: Tag = Tag::new("parsing");
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let before = thread_usage(&PARSING).ok_or("no counters of its own")?;
    /// let tree = PARSING.scope(|| "1 2 3".split(' ').collect::<Vec<_>>());
    /// let after = thread_usage(&PARSING).ok_or("no counters of its own")?;
    /// let done = after.since(&before);
    /// println!("{} bytes, of which {} stay", done.allocated_bytes, done.kept_bytes());
    /// # drop(tree);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            allocated_bytes: self.allocated_bytes.wrapping_sub(earlier.allocated_bytes),
            freed_bytes: self.freed_bytes.wrapping_sub(earlier.freed_bytes),
        }
    }

    /// Allocated less freed: negative where more was freed.
    #[must_use]
    pub fn kept_bytes(&self) -> i64 {
        self.allocated_bytes.wrapping_sub(self.freed_bytes) as i64
    }
}

/// What the calling thread has counted under `tag`: a few loads of the thread's own memory.
///
/// `None` while the thread has no counters of its own: more threads than slots, or at thread
/// exit.
///
/// # Examples
///
/// See [`ThreadUsage::since`].
#[must_use]
pub fn thread_usage(tag: impl Into<TagHandle>) -> Option<ThreadUsage> {
    let sums = thread::thread_sums(tag.into().number())?;
    Some(ThreadUsage { allocated_bytes: sums.allocated_bytes, freed_bytes: sums.freed_bytes })
}

/// As [`thread_usage`], over `tag` and all that are parts of it: some nanoseconds for each tag in
/// use.
///
/// A tag that becomes a part between two readings, under a number that another tag had before,
/// brings into their difference what the thread counted for that one.
///
/// # Examples
///
/// ```
/// use bursar_alloc::{Tag, TagHandle, thread_usage_subtree};
///
/// static TENANTS: Tag = Tag::new("tenants");
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let tenant = TagHandle::with_parent("tenants/42", &TENANTS)?;
/// let before = thread_usage_subtree(&TENANTS).ok_or("no counters of its own")?;
/// let session = tenant.scope(|| vec![0u8; 4096]);
/// let after = thread_usage_subtree(&TENANTS).ok_or("no counters of its own")?;
/// println!("{} bytes, whatever tenant has them", after.since(&before).kept_bytes());
/// # drop(session);
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn thread_usage_subtree(tag: impl Into<TagHandle>) -> Option<ThreadUsage> {
    // Held while it is read, so that its account does not pass to another tag.
    let tag = tag.into();
    let is_part = |number: &u8| {
        let mut is_part = false;
        TAGS.for_each_ancestor(*number, |ancestor| is_part |= ancestor == tag.number());
        is_part
    };
    let numbers = (1..=TAGS.used() as u8).filter(is_part).chain([tag.number()]);
    let mut total = ThreadUsage { allocated_bytes: 0, freed_bytes: 0 };
    for number in numbers {
        let sums = thread::thread_sums(number)?;
        total.allocated_bytes = total.allocated_bytes.wrapping_add(sums.allocated_bytes);
        total.freed_bytes = total.freed_bytes.wrapping_add(sums.freed_bytes);
    }
    Some(total)
}

/// As [`thread_usage`], over all tags: about 130 instructions where 8 are in use, and 1,200 where
/// 240 are.
#[must_use]
pub fn thread_usage_total() -> Option<ThreadUsage> {
    let sums = thread::thread_bytes()?;
    Some(ThreadUsage { allocated_bytes: sums.allocated_bytes, freed_bytes: sums.freed_bytes })
}
