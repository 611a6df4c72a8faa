//! The ways of isolated blocks, over a backend that keeps books of its partitions.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Barrier, MutexGuard, mpsc};
use std::thread;

use super::testing::{self, Parted};
use super::*;
use crate::{AccountingAllocator, tag_usage, usage};

static ALLOCATOR: AccountingAllocator<Parted> = AccountingAllocator::new(Parted);

/// The slots, and what fails, are the test's that has this.
fn alone() -> MutexGuard<'static, ()> {
    let alone = testing::alone();
    // From the first counted allocation on, the backend is known.
    Block::new(1).free();
    alone
}

/// A block of `ALLOCATOR`'s, owned, filled with a byte.
#[derive(Debug)]
struct Block(*mut u8, Layout);

// SAFETY: a block is memory that its owner alone may touch.
unsafe impl Send for Block {}

impl Block {
    fn try_new(size: usize, align: usize) -> Option<Self> {
        let layout = Layout::from_size_align(size, align).unwrap();
        // SAFETY: the size is not zero.
        let ptr = unsafe { ALLOCATOR.alloc(layout) };
        if ptr.is_null() {
            return None;
        }
        // SAFETY: so many bytes were allocated.
        unsafe { ptr.write_bytes(7, size) };
        Some(Self(ptr, layout))
    }

    fn new(size: usize) -> Self {
        Self::try_new(size, 8).expect("memory")
    }

    fn zeroed(size: usize) -> Self {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: the size is not zero.
        let ptr = unsafe { ALLOCATOR.alloc_zeroed(layout) };
        // SAFETY: so many bytes were allocated, and are initialised.
        let bytes = unsafe { std::slice::from_raw_parts(ptr, size) };
        let looked_at = if cfg!(miri) { 97 } else { 1 };
        assert!(bytes.iter().step_by(looked_at).all(|&byte| byte == 0));
        Self(ptr, layout)
    }

    /// Whether it was done. If not, the block is as it was.
    fn resize(&mut self, new_size: usize) -> bool {
        // SAFETY: the block is live and of this layout; the new size is not zero, and the callers
        // keep it from overflowing when rounded up to the alignment.
        let ptr = unsafe { ALLOCATOR.realloc(self.0, self.1, new_size) };
        if !ptr.is_null() {
            *self = Self(ptr, Layout::from_size_align(new_size, self.1.align()).unwrap());
        }
        !ptr.is_null()
    }

    /// The partition that it is in.
    fn partition(&self) -> Option<u32> {
        testing::lock().partition_of(self.0)
    }

    fn free(self) {
        // SAFETY: the block is live and of this layout.
        unsafe { ALLOCATOR.dealloc(self.0, self.1) };
    }
}

/// How many blocks are in the tag's partition, those in caches included.
fn blocks_of(tag: &TagHandle) -> usize {
    let partition = partition_of(TAGS.slot(tag.number())).expect("the tag is isolated");
    testing::lock().partitions[&partition]
}

/// Enough for a thread to have a cache.
fn use_often(tag: &TagHandle) {
    tag.scope(|| (0..100).for_each(|_| Block::new(100).free()));
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes there")]
fn every_call_goes_to_the_tags_partition_whatever_tag_is_entered_by_then() {
    let _alone = alone();
    let tag = TagHandle::isolated("isolate/calls").unwrap();
    let own = partition_of(TAGS.slot(tag.number()));
    assert!(own.is_some());
    for round in 0..6 {
        if round == 3 {
            // From now on by way of a cache.
            use_often(&tag);
        }
        let mut blocks = tag
            .scope(|| [Block::new(10), Block::zeroed(1000), Block::new(1023), Block::zeroed(5000)]);
        for (block, size) in blocks.iter_mut().zip([1023, 1024, 10, 1023]) {
            assert_eq!(block.partition(), own, "round {round}");
            assert!(block.resize(size));
            assert_eq!(block.partition(), own, "round {round}, resized");
        }
        let plain = Block::new(10);
        assert_eq!(plain.partition(), None);
        plain.free();
        blocks.into_iter().for_each(Block::free);
    }
    assert_eq!((tag_usage(&tag).live_bytes, tag_usage(&tag).live_blocks), (0, 0));
    assert_eq!(tag.collect(Collect::Purge), Collected::Done);
    assert_eq!(blocks_of(&tag), 0);
}

#[test]
#[cfg_attr(miri, ignore = "Miri ends where there is no memory")]
fn what_cannot_be_had_is_null_and_a_block_that_cannot_grow_stays_as_it_was() {
    let _alone = alone();
    let tag = TagHandle::isolated("isolate/too-much").unwrap();
    for align in [1, 8, 8192] {
        let too_much = isize::MAX as usize - (align - 1);
        let none = tag.scope(|| Block::try_new(too_much, align).is_none());
        assert!(none, "no machine has {too_much} bytes");
        for size in [100, 1023, 5000] {
            let mut block = tag.scope(|| Block::try_new(size, align)).expect("memory");
            assert!(block.0.addr().is_multiple_of(align));
            assert!(!block.resize(too_much));
            assert_eq!(tag_usage(&tag).live_bytes, size as u64);
            assert!(block.partition().is_some());
            block.free();
        }
    }
    assert_eq!(tag_usage(&tag).live_blocks, 0);
}

#[test]
fn blocks_that_go_from_thread_to_thread_go_back_to_their_partition_and_the_caches_end() {
    let _alone = alone();
    const BLOCKS: usize = if cfg!(miri) { 150 } else { 5000 };
    let tag = &TagHandle::isolated("isolate/threads").unwrap();
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<Block>();
        let freeing = scope.spawn(move || {
            use_often(tag);
            receiver.into_iter().for_each(Block::free);
        });
        let making = scope.spawn(move || {
            let _guard = tag.enter();
            for block in 0..BLOCKS {
                sender.send(Block::new(1 + block % 1500)).unwrap();
            }
        });
        // The scope itself would not wait for the ends of their thread-locals.
        making.join().unwrap();
        freeing.join().unwrap();
    });
    assert_eq!((tag_usage(tag).live_blocks, blocks_of(tag)), (0, 0));
    assert_eq!(usage().isolation_caches_in_use, 0);
}

#[test]
fn a_thread_goes_on_with_its_cache_when_the_slot_goes_to_another_tag() {
    let _alone = alone();
    let used = thread::spawn(|| {
        let names = ["isolate/first", "isolate/second"];
        let used = names.map(|name| {
            let tag = TagHandle::isolated(name).unwrap();
            use_often(&tag);
            (tag.number(), TAGS.slot(tag.number()), blocks_of(&tag))
        });
        assert_eq!(usage().isolation_caches_in_use, 1);
        used
    });
    let [first, second] = used.join().unwrap();
    assert_eq!(first, second, "number, slot, and what the cache has");
    assert!(first.2 > 0);
    assert_eq!(usage().isolation_caches_in_use, 0);
}

#[test]
fn of_threads_that_first_name_a_tag_at_once_one_makes_its_partition() {
    let _alone = alone();
    for round in 0..if cfg!(miri) { 3 } else { 100 } {
        let name = format!("isolate/raced-{round}");
        let everyone_is_here = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    everyone_is_here.wait();
                    let tag = TagHandle::isolated(&name).unwrap();
                    everyone_is_here.wait();
                    let block = tag.scope(|| Block::new(10));
                    assert_eq!(block.partition(), partition_of(TAGS.slot(tag.number())));
                    block.free();
                });
            }
        });
    }
    let slots = (1..=MAX_ISOLATED_TAGS as u8).filter(|&slot| partition_of(slot).is_some());
    assert_eq!(testing::lock().partitions.len(), slots.count());
}

#[test]
fn a_tag_whose_partition_could_not_be_made_lies_among_the_others_until_it_is_named_again() {
    let _alone = alone();
    // The first of slots may have a partition by now: one that no test has had.
    let tags: Vec<_> = (0..10).map(|tag| format!("isolate/failed-{tag}")).collect();
    let tags: Vec<_> = tags
        .iter()
        .map(|name| {
            testing::lock().fail_to_make = 1;
            TagHandle::isolated(name).unwrap()
        })
        .collect();
    testing::lock().fail_to_make = 0;
    let tag = tags.last().unwrap();
    assert_eq!(tag_usage(tag).isolation, Isolation::Exhausted);
    let block = tag.scope(|| Block::new(100));
    assert_eq!(block.partition(), None);
    block.free();
    assert_eq!(tag.collect(Collect::Purge), Collected::Unsupported);

    let again = TagHandle::new(&tag.name()).unwrap();
    assert_eq!(tag_usage(&again).isolation, Isolation::Arena);
    let refreshes = testing::lock().refreshes;
    let _figures = usage();
    assert_eq!(testing::lock().refreshes, refreshes + 1);
    let block = tag.scope(|| Block::new(100));
    assert!(block.partition().is_some(), "by whatever handle it was entered");
    block.free();
    assert_eq!(tag_usage(tag).live_blocks, 0);
}
