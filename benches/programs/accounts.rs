//! Bursar's accounts, for the workloads that ask for some.

use std::hint::black_box;
use std::sync::LazyLock;

use bursar_alloc::Tag;
use bursar_benches::{Accounts, Snapshot, TagOf};

/// As many tags as a process can have.
const MOST_TAGS: usize = 240;
const ISOLATED_TAGS: usize = 30;
/// Nothing is to be cleaned up.
const BUDGET: &str = "1GiB";

/// One of [`TAGS`] by its name, as a program has it: a static of its own.
static SCOPE: Tag = Tag::new("bench/0");
static TAGS: LazyLock<Vec<Tag>> = LazyLock::new(|| {
    let tag = |number| {
        let name = format!("bench/{number}").leak();
        Tag::try_new(name).expect("the name is of allowed characters")
    };
    (0..MOST_TAGS).map(tag).collect()
});
/// Without a thread of its own, which would take a slot.
static BURSAR: LazyLock<bursar::Bursar> = LazyLock::new(|| {
    let builder = bursar::Bursar::builder().budget(BUDGET).threadless(true);
    builder.start().expect("the accounting allocator is there")
});
static ISOLATED: LazyLock<Vec<Tag>> = LazyLock::new(|| {
    let tag = |number| {
        let name = format!("bench/isolated/{number}").leak();
        Tag::try_new(name).expect("the name is of allowed characters").isolated()
    };
    (0..ISOLATED_TAGS).map(tag).collect()
});

fn tag(which: TagOf) -> &'static Tag {
    match which {
        TagOf::Shared(number) => &TAGS[number],
        TagOf::Isolated(number) => &ISOLATED[number],
    }
}

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
        // Listed beside the tags is what has none, or came when there was none left.
        let is_tag = |name: &str| !matches!(name, "untagged" | "overflow");
        let tags = usage.tags.iter().filter(|tag| is_tag(&tag.name)).count();
        Snapshot { tags, slots: usage.thread_slots_in_use }
    }

    fn statistics(&self, count: u64) -> Snapshot {
        for _ in 0..count {
            drop(black_box(BURSAR.stats()));
        }
        self.snapshots(1)
    }

    fn within(&self, which: TagOf, work: &mut dyn FnMut()) {
        tag(which).scope(work);
    }

    fn live_bytes(&self, which: TagOf) -> u64 {
        bursar_alloc::tag_usage(tag(which)).live_bytes
    }
}
