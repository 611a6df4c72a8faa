//! Any sequence of allocations, reallocations, frees, tag scopes, tags made and given up, isolated
//! ones and their collection, on one thread after another: the blocks behave as blocks do, every
//! tag's account moves exactly as a model of it, and isolated tags' pages go with their blocks.
//!
//! The allocators are called directly and are not the program's own, so nothing but this target is
//! on the books. A sequence has one of them: the system's, into which AddressSanitizer sees, or
//! jemalloc, with which tags are isolated.

#![no_main]

#[path = "alloc_sequence/account.rs"]
mod account;
#[path = "alloc_sequence/block.rs"]
mod block;

use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_char;
use std::sync::Once;
use std::thread;

use account::{Account, reported};
use arbitrary::Arbitrary;
use block::Block;
use bursar_alloc::{
    AccountingAllocator, Charge, Collect, Jemalloc, System, Tag, TagGuard, TagHandle, tag_usage,
};
use libfuzzer_sys::fuzz_target;

static SYSTEM: AccountingAllocator<System> = AccountingAllocator::new(System);
static JEMALLOC: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

static TAGS: [Tag; 3] = [Tag::new("fuzz/a"), Tag::new("fuzz/b"), Tag::new("fuzz/c").isolated()];
/// What tags made at run time are called; the last is isolated.
const MADE: [&str; 3] = ["fuzz/made-a", "fuzz/made-b", "fuzz/made-c"];
/// The account of no tag, before those of `TAGS` and those of `MADE`.
const UNTAGGED: usize = 0;
const FIRST_MADE: usize = 1 + TAGS.len();
const ACCOUNTS: usize = FIRST_MADE + MADE.len();

const MOST_OPERATIONS: usize = 512;
const MOST_BLOCKS: usize = 128;
const MOST_THREADS: usize = 8;

#[derive(Arbitrary, Debug)]
enum Operation {
    Allocate {
        size: Size,
        align: Align,
        zeroed: bool,
    },
    AllocateTooMuch {
        below_the_limit: u16,
        align: Align,
    },
    Reallocate {
        block: u8,
        size: Size,
    },
    ReallocateTooMuch {
        block: u8,
    },
    Free {
        block: u8,
    },
    FreeOnAnotherThread {
        block: u8,
    },
    Enter {
        tag: u8,
    },
    Leave {
        guard: u8,
    },
    MakeTag {
        name: u8,
    },
    /// Gives the free pages of one tag back, with the thread's cache for it.
    Collect {
        tag: u8,
    },
    /// So many blocks in a row, each freed at once: a thread gets a cache for its tag by that.
    AllocateOften {
        size: u8,
    },
    GiveUpTag {
        handle: u8,
    },
    EnterMadeTag {
        handle: u8,
    },
    Charge {
        handle: u8,
        bytes: u16,
    },
    Uncharge {
        charge: u8,
    },
    /// All that follows happens on another thread.
    Hop,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Size {
    Small(u8),
    /// Around a power of two, where size classes and Bursar's own bookkeeping change.
    Boundary {
        shift: u8,
        off: i8,
    },
    Any(u16),
}

impl Size {
    /// In bytes, not zero: `GlobalAlloc` has no blocks of none.
    fn bytes(self) -> usize {
        match self {
            Self::Small(bytes) => usize::from(bytes).max(1),
            Self::Boundary { shift, off } => {
                (128_usize << (shift % 11)).saturating_add_signed(isize::from(off)).max(1)
            }
            Self::Any(bytes) => usize::from(bytes).max(1),
        }
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Align(u8);

impl Align {
    /// From 1 to two pages.
    fn bytes(self) -> usize {
        1 << (self.0 % 14)
    }
}

type Allocator = &'static (dyn GlobalAlloc + Sync);

/// The blocks and tags of one run, and what the accounts should be.
struct Model {
    allocator: Allocator,
    blocks: Vec<Block>,
    /// Each with its account.
    handles: Vec<(TagHandle, usize)>,
    charges: Vec<(Charge, usize)>,
    accounts: [Account; ACCOUNTS],
    threads: usize,
    made: u8,
}

/// The scopes of one thread.
struct Scopes {
    /// Each with the account that was current when it was entered.
    guards: Vec<(TagGuard, usize)>,
    current: usize,
}

impl Scopes {
    fn enter(&mut self, guard: TagGuard, account: usize) {
        self.guards.push((guard, self.current));
        self.current = account;
    }

    /// Leaves in any order: a guard puts back what it found.
    fn leave(&mut self, guard: u8) {
        if let Some(index) = usize::from(guard).checked_rem(self.guards.len()) {
            let (guard, outer) = self.guards.remove(index);
            drop(guard);
            self.current = outer;
        }
    }
}

impl Model {
    fn run_on_another_thread(&mut self, operations: impl Iterator<Item = Operation> + Send) {
        let operations: Box<dyn Iterator<Item = Operation> + Send> = Box::new(operations);
        let done = thread::scope(|scope| scope.spawn(|| self.run(operations)).join());
        assert!(done.is_ok(), "a failed assertion has aborted before");
    }

    /// Carries out the operations up to the next hop, and those after it on another thread.
    fn run(&mut self, mut operations: impl Iterator<Item = Operation> + Send) {
        let mut scopes = Scopes { guards: Vec::new(), current: UNTAGGED };
        while let Some(operation) = operations.next() {
            if matches!(operation, Operation::Hop) && self.threads < MOST_THREADS {
                self.threads += 1;
                return self.run_on_another_thread(operations);
            }
            self.apply(operation, &mut scopes);
            assert_eq!(reported(), self.expected());
        }
    }

    fn expected(&self) -> [Account; ACCOUNTS] {
        let mut expected = self.accounts;
        for account in &mut expected[FIRST_MADE..] {
            *account = account.without_total();
        }
        expected
    }

    fn apply(&mut self, operation: Operation, scopes: &mut Scopes) {
        match operation {
            Operation::Allocate { size, align, zeroed } => {
                self.allocate(size.bytes(), align.bytes(), zeroed, scopes.current);
            }
            Operation::AllocateTooMuch { below_the_limit, align } => {
                let most = isize::MAX as usize - (align.bytes() - 1);
                let size = most - usize::from(below_the_limit);
                let layout = Layout::from_size_align(size, align.bytes());
                let layout = layout.expect("within the limit of a layout");
                let block = Block::allocate(self.allocator, layout, false, scopes.current, 0);
                assert!(block.is_none(), "no machine has {size} bytes");
            }
            Operation::Reallocate { block, size } => {
                let Some(index) = self.index_of(block) else {
                    return;
                };
                let block = &mut self.blocks[index];
                let (old_bytes, new_bytes) = (block.layout.size(), size.bytes());
                if block.reallocate(new_bytes) {
                    self.accounts[block.account].reallocate(old_bytes, new_bytes);
                }
            }
            Operation::ReallocateTooMuch { block } => {
                let Some(index) = self.index_of(block) else {
                    return;
                };
                let block = &mut self.blocks[index];
                let most = isize::MAX as usize - (block.layout.align() - 1);
                assert!(!block.reallocate(most), "no machine has {most} bytes");
            }
            Operation::Free { block } => {
                if let Some(block) = self.take(block) {
                    block.free();
                }
            }
            Operation::FreeOnAnotherThread { block } => {
                if self.threads < MOST_THREADS
                    && let Some(block) = self.take(block)
                {
                    self.threads += 1;
                    // Joined, so that the thread's own memory is gone when leaks are counted.
                    let freed = thread::scope(|scope| scope.spawn(|| block.free()).join());
                    assert!(freed.is_ok(), "freeing on another thread panicked");
                }
            }
            Operation::Enter { tag } => {
                let tag = usize::from(tag) % TAGS.len();
                scopes.enter(TAGS[tag].enter(), 1 + tag);
            }
            Operation::Leave { guard } => scopes.leave(guard),
            Operation::MakeTag { name } => {
                let name = usize::from(name) % MADE.len();
                let is_last = name == MADE.len() - 1;
                let make = if is_last { TagHandle::isolated } else { TagHandle::new };
                let tag = make(MADE[name]).expect("few tags are in use");
                self.handles.push((tag, FIRST_MADE + name));
            }
            Operation::Collect { tag } => {
                TAGS[usize::from(tag) % TAGS.len()].collect(Collect::Purge);
            }
            Operation::AllocateOften { size } => {
                let size = usize::from(size).max(1);
                for _ in 0..MOST_BLOCKS {
                    self.allocate(size, 1, false, scopes.current);
                    if let Some(block) = self.blocks.len().checked_sub(1) {
                        let block = self.take(block as u8).expect("there is one");
                        block.free();
                    }
                }
            }
            Operation::GiveUpTag { handle } => {
                if let Some(index) = usize::from(handle).checked_rem(self.handles.len()) {
                    self.handles.swap_remove(index);
                }
            }
            Operation::EnterMadeTag { handle } => {
                if let Some(index) = usize::from(handle).checked_rem(self.handles.len()) {
                    let (tag, account) = &self.handles[index];
                    scopes.enter(tag.enter(), *account);
                }
            }
            Operation::Charge { handle, bytes } => {
                if let Some(index) = usize::from(handle).checked_rem(self.handles.len()) {
                    let (tag, account) = &self.handles[index];
                    self.accounts[*account].charged_bytes += u64::from(bytes);
                    self.charges.push((tag.charge(u64::from(bytes)), *account));
                }
            }
            Operation::Uncharge { charge } => {
                if let Some(index) = usize::from(charge).checked_rem(self.charges.len()) {
                    let (charge, account) = self.charges.swap_remove(index);
                    self.accounts[account].charged_bytes -= charge.bytes();
                }
            }
            // As many hops as there may be have been made.
            Operation::Hop => {}
        }
    }

    fn allocate(&mut self, size: usize, align: usize, zeroed: bool, account: usize) {
        if self.blocks.len() == MOST_BLOCKS {
            return;
        }
        self.made = self.made.wrapping_add(1);
        let layout = Layout::from_size_align(size, align).expect("small sizes fit");
        let block = Block::allocate(self.allocator, layout, zeroed, account, self.made);
        if let Some(block) = block {
            self.accounts[account].allocate(size);
            self.blocks.push(block);
        }
    }

    fn index_of(&self, block: u8) -> Option<usize> {
        usize::from(block).checked_rem(self.blocks.len())
    }

    /// Takes a block out of the model and off its account.
    fn take(&mut self, block: u8) -> Option<Block> {
        let index = self.index_of(block)?;
        let block = self.blocks.swap_remove(index);
        self.accounts[block.account].free(block.layout.size());
        Some(block)
    }
}

/// AddressSanitizer asks this at its start: a block that is too large is null, as it is without
/// the sanitizer, and no error.
// SAFETY: the sanitizer's own name and signature for it, and nothing else defines it.
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const c_char {
    c"allocator_may_return_null=1".as_ptr()
}

fuzz_target!(|input: (bool, Vec<Operation>)| run(input.0, input.1));

/// Memory of a tag's own comes from the backend that counts first.
fn use_jemalloc_first() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let layout = Layout::new::<u64>();
        let block = Block::allocate(&JEMALLOC, layout, false, UNTAGGED, 0).expect("memory");
        block.free();
    });
}

fn run(isolates: bool, operations: Vec<Operation>) {
    use_jemalloc_first();
    let before = reported();
    let mut model = Model {
        allocator: if isolates { &JEMALLOC } else { &SYSTEM },
        blocks: Vec::new(),
        handles: Vec::new(),
        charges: Vec::new(),
        accounts: before,
        threads: 0,
        made: 0,
    };
    // On a thread of its own, whose end leaves whatever scopes left out of order have entered.
    model.run_on_another_thread(operations.into_iter().take(MOST_OPERATIONS));
    while let Some(block) = model.take(0) {
        block.free();
    }
    let after = reported();
    assert_eq!(after, model.expected());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (after.live_bytes, after.live_blocks),
            (before.live_bytes, before.live_blocks),
            "all was freed"
        );
    }
    drop(model);
    let isolated = &TAGS[TAGS.len() - 1];
    isolated.collect(Collect::Purge);
    assert_eq!(tag_usage(isolated).active_bytes, Some(0), "no thread and no block is left");
    let usage = bursar_alloc::usage();
    let left = usage.tags.iter().find(|tag| MADE.contains(&&*tag.name));
    assert_eq!(left, None, "nothing names it, and no block bears it");
}
