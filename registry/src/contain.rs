//! User code that may panic where no panic may pass: in a destructor, or between two of them.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs `f`; `None` if it panicked. Its message went to the panic hook.
pub(crate) fn contain<T>(f: impl FnOnce() -> T) -> Option<T> {
    let payload = match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => return Some(value),
        Err(payload) => payload,
    };
    // A payload's own destructor may panic too; what that threw is left alone.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        let _ = ManuallyDrop::new(again);
    }
    None
}

/// Drops the items one by one, so that two destructors that panic are two panics and not the
/// end of the process. Answers how many did.
pub(crate) fn drop_each<T>(items: impl IntoIterator<Item = T>) -> u64 {
    items.into_iter().map(|item| u64::from(contain(|| drop(item)).is_none())).sum()
}

/// As [`drop_each`], for where a panic may pass: the first goes on when all items are gone.
pub(crate) fn drop_each_then_panic<T>(items: impl IntoIterator<Item = T>) {
    let mut panicked = None;
    for item in items {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(item))) {
            panicked.get_or_insert(payload);
        }
    }
    if let Some(payload) = panicked {
        resume_unwind(payload);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::PanicsWhenDropped;

    #[test]
    fn every_item_is_dropped_and_every_panic_counted() {
        assert_eq!(drop_each([Some(PanicsWhenDropped), None, Some(PanicsWhenDropped)]), 2);
    }

    #[test]
    fn a_payload_that_throws_another_of_its_kind_when_dropped_is_contained_too() {
        assert!(contain(PanicsWhenDropped::throw).is_none());
    }
}
