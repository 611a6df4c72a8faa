//! Bursar's accounts, for the workloads that ask for some.

use std::hint::black_box;
use std::sync::LazyLock;

use bursar_alloc::Tag;
use bursar_benches::{Accounts, Snapshot};

/// As many tags as a process can have.
const MOST_TAGS: usize = 240;

/// One of [`TAGS`] by its name, as a program has it: a static of its own.
static SCOPE: Tag = Tag::new("bench/0");
static TAGS: LazyLock<Vec<Tag>> = LazyLock::new(|| {
    let tag = |number| {
        let name = format!("bench/{number}").leak();
        Tag::try_new(name).expect("the name is of allowed characters")
    };
    (0..MOST_TAGS).map(tag).collect()
});

/// The accounts of this process.
#[derive(Debug)]
pub(crate) struct Bursar;

impl Accounts for Bursar {
    fn enter_and_leave(&self, count: u64) {
        for _ in 0..count {
            let guard = black_box(SCOPE.enter());
            drop(guard);
        }
    }

    fn use_tags(&self, tags: usize) {
        for tag in &TAGS[..tags] {
            tag.scope(|| drop(black_box(Box::new(tags))));
        }
    }

    fn snapshots(&self, count: u64) -> Snapshot {
        for _ in 1..count {
            drop(black_box(bursar_alloc::usage()));
        }
        let usage = bursar_alloc::usage();
        let tags = usage.tags.len().saturating_sub(usage.overflowed_tags);
        // The first is what was allocated with no tag entered.
        Snapshot { tags: tags.saturating_sub(1), slots: usage.thread_slots_in_use }
    }
}
