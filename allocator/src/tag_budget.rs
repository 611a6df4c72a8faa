//! Budgets of single tags.

use crate::tag::Tag;
use crate::tag_handle::TagHandle;
use crate::thread::TAGS;

impl Tag {
    /// Gives the tag and its parts a budget of their own, or none: live bytes and charged bytes
    /// together. It stops nobody from allocating: a [`Watch`](crate::Watch) has its flag raised
    /// when the budget is used up, and [`TagUsage`](crate::TagUsage) shows it beside the usage.
    ///
    /// Takes a lock: not for the hot path.
    ///
    /// # Examples
    ///
    /// ```
    /// use bursar_alloc::{Tag, tag_usage};
    ///
    /// static UPLOADS: Tag = Tag::new("uploads");
    ///
    /// UPLOADS.set_budget_bytes(Some(16 << 20));
    /// assert_eq!(tag_usage(&UPLOADS).budget_bytes, Some(16 << 20));
    /// ```
    pub fn set_budget_bytes(&'static self, bytes: Option<u64>) {
        TAGS.set_budget_bytes(self.number(), bytes);
    }
}

impl TagHandle {
    /// As [`Tag::set_budget_bytes`]. The budget ends with the tag.
    pub fn set_budget_bytes(&self, bytes: Option<u64>) {
        TAGS.set_budget_bytes(self.number(), bytes);
    }
}
