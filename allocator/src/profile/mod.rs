//! The heap profile: a sample of all allocations, with their stacks, kept until they are freed.

mod site;

pub use site::{HeapSamples, HeapSite, StackEnd};

/// What is alive of the samples; `None` while sampling is off.
#[must_use]
pub fn heap_samples() -> Option<HeapSamples> {
    None
}
