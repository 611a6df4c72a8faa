//! Any size and alignment a layout can have, and any chain of reallocations: what the backend is
//! asked for is what the model says, up to the last byte before `isize::MAX`.
//!
//! The backend of this target writes down each call and what it gave. It refuses what is large,
//! so that only layouts, and no machine's memory, are the limit.

#![no_main]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::RefCell;
use std::collections::HashMap;
use std::slice;

use arbitrary::Arbitrary;
use bursar_alloc::{
    AccountingAllocator, Backend, BackendStats, Collect, CollectScope, Collected, System, Tag,
    TagUsage,
};
use libfuzzer_sys::fuzz_target;

static ALLOCATOR: AccountingAllocator<Recording> = AccountingAllocator::new(Recording);

static TAGS: [Tag; 3] = [Tag::new("layout/a"), Tag::new("layout/b"), Tag::new("layout/c")];

const MOST_OPERATIONS: usize = 256;
const MOST_BLOCKS: usize = 32;
/// Past these the backend says no.
const MOST_BYTES: usize = 256 << 10;
const MOST_ALIGN: usize = 64 << 10;

#[derive(Arbitrary, Debug)]
enum Operation {
    Allocate { size: Size, align_shift: u8, zeroed: bool, tag: u8, answer: Answer },
    Reallocate { block: u8, size: Size, tag: u8, answer: Answer },
    Free { block: u8, tag: u8 },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Size {
    Small(u8),
    /// Around the KiB from which on a block is not a byte longer.
    Line(i8),
    Any(u16),
    /// Anything a layout can have.
    Huge(u64),
    BelowTheLimit(u8),
}

impl Size {
    /// Not zero, since `GlobalAlloc` has no blocks of none, and right for a layout of `align`.
    fn bytes(self, align: usize) -> usize {
        let most = isize::MAX as usize - (align - 1);
        let bytes = match self {
            Self::Small(bytes) => usize::from(bytes),
            Self::Line(off) => 1024_usize.saturating_add_signed(isize::from(off)),
            Self::Any(bytes) => usize::from(bytes),
            Self::Huge(bytes) => bytes as usize % (most + 1),
            Self::BelowTheLimit(bytes) => most.saturating_sub(usize::from(bytes)),
        };
        bytes.clamp(1, most)
    }
}

/// What the backend does with the next call.
#[derive(Arbitrary, Clone, Copy, Debug, Default, PartialEq)]
enum Answer {
    /// A block that ends where its layout ends; AddressSanitizer watches beyond.
    #[default]
    Exact,
    /// A block with room behind it, in which it can grow without being moved.
    Roomy,
    Null,
}

/// What the allocator is to ask for when `size` bytes are asked of it: the model.
fn expected_outer(size: usize, align: usize) -> Layout {
    let len = if size < 1024 { size + 1 } else { size };
    Layout::from_size_align(len, align).expect("an outer layout is a layout")
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Alloc(Layout),
    AllocZeroed(Layout),
    /// The address, its layout, the new size.
    Realloc(usize, Layout, usize),
    Dealloc(usize, Layout),
}

/// A block that the backend has given, and how long it really is: what is behind its layout is
/// full of [`UNTOUCHED`].
#[derive(Clone, Copy, Debug)]
struct Given {
    start: *mut u8,
    layout: Layout,
    real: Layout,
}

const UNTOUCHED: u8 = 0xC5;

#[derive(Debug, Default)]
struct Record {
    answer: Answer,
    calls: Vec<Call>,
    live: HashMap<usize, Given>,
}

thread_local! {
    static RECORD: RefCell<Record> = RefCell::default();
}

/// The system's allocator, which holds its caller to its word.
#[derive(Debug)]
struct Recording;

impl Recording {
    fn record(call: Call) -> Answer {
        RECORD.with_borrow_mut(|record| {
            record.calls.push(call);
            record.answer
        })
    }

    /// A new block, zeroed up to the end of `layout`; null if it is too large.
    fn give(layout: Layout, answer: Answer) -> *mut u8 {
        // A layout that was put together unchecked may be none.
        let checked = Layout::from_size_align(layout.size(), layout.align());
        assert!(layout.size() != 0 && checked.is_ok(), "{layout:?}");
        if answer == Answer::Null || layout.size() > MOST_BYTES || layout.align() > MOST_ALIGN {
            return std::ptr::null_mut();
        }
        let room = if answer == Answer::Roomy { layout.size() + 64 } else { 0 };
        let real = Layout::from_size_align(layout.size() + room, layout.align());
        let real = real.expect("far from the limit");
        // SAFETY: the size is not zero.
        let start = unsafe { System.alloc_zeroed(real) };
        assert!(!start.is_null(), "the machine has no {real:?}");
        Given { start, layout, real }.note();
        start
    }

    /// What is there, of which the caller says that it is of `layout`; nothing was written
    /// behind that.
    fn known(start: *mut u8, layout: Layout) -> Given {
        let given = RECORD.with_borrow(|record| record.live.get(&start.addr()).copied());
        let mut given = given.unwrap_or_else(|| panic!("{start:?} is not live"));
        assert_eq!(given.layout, layout, "the layout of {start:?}");
        assert!(given.room().iter().all(|&byte| byte == UNTOUCHED), "behind {layout:?}");
        given
    }
}

impl Given {
    /// What is behind the layout: the backend's alone.
    fn room(&mut self) -> &mut [u8] {
        // SAFETY: the layout is not longer than the block really is.
        let room = unsafe { self.start.add(self.layout.size()) };
        let len = self.real.size() - self.layout.size();
        // SAFETY: the block is live, `give` has zeroed it, and nobody else looks behind its layout.
        unsafe { slice::from_raw_parts_mut(room, len) }
    }

    /// Fills the room, and puts the block where `known` finds it.
    fn note(mut self) {
        self.room().fill(UNTOUCHED);
        RECORD.with_borrow_mut(|record| record.live.insert(self.start.addr(), self));
    }

    fn take_back(self) {
        RECORD.with_borrow_mut(|record| record.live.remove(&self.start.addr()));
        // SAFETY: `give` allocated it with this layout, and it was live until now.
        unsafe { System.dealloc(self.start, self.real) };
    }
}

// SAFETY: blocks are the system allocator's own, at least as long and as aligned as asked for;
// null is a permitted answer.
unsafe impl GlobalAlloc for Recording {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::give(layout, Self::record(Call::Alloc(layout)))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::give(layout, Self::record(Call::AllocZeroed(layout)))
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        Self::record(Call::Dealloc(start.addr(), layout));
        Self::known(start, layout).take_back();
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let new = Layout::from_size_align(new_size, layout.align()).expect("a valid new size");
        let answer = Self::record(Call::Realloc(start.addr(), layout, new_size));
        let given = Self::known(start, layout);
        if answer == Answer::Roomy && new_size <= given.real.size() {
            Given { layout: new, ..given }.note();
            return start;
        }
        let moved = Self::give(new, answer);
        if !moved.is_null() {
            // SAFETY: both blocks are live, apart, and at least that long.
            unsafe { moved.copy_from_nonoverlapping(start, layout.size().min(new_size)) };
            given.take_back();
        }
        moved
    }
}

// SAFETY: as for `GlobalAlloc` above.
unsafe impl Backend for Recording {
    const NAME: &'static str = "recording";
    const COLLECTS: CollectScope = CollectScope::Nothing;

    fn stats() -> BackendStats {
        BackendStats::default()
    }

    fn collect(_: Collect) -> Collected {
        Collected::Unsupported
    }
}

/// Runs one call of the allocator, and returns the one call it made of the backend.
fn one_call<T>(answer: Answer, call: impl FnOnce() -> T) -> (T, Call) {
    RECORD.with_borrow_mut(|record| record.answer = answer);
    let result = call();
    let calls = RECORD.with_borrow_mut(|record| std::mem::take(&mut record.calls));
    let [made] = calls[..] else { panic!("one call makes one call: {calls:?}") };
    (result, made)
}

/// A live block of `ALLOCATOR`, filled with its pattern.
struct Block {
    start: *mut u8,
    layout: Layout,
    tag: usize,
    seed: u8,
}

impl Block {
    /// The bytes, which the backend has zeroed where nobody else has written.
    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the block is live, so long, and owned by `self`, mutably borrowed.
        unsafe { slice::from_raw_parts_mut(self.start, self.layout.size()) }
    }

    fn fill(&mut self) {
        let seed = self.seed;
        for (byte, index) in self.bytes().iter_mut().zip(0..) {
            *byte = pattern(seed, index);
        }
    }

    /// The first `len` bytes are as `fill` left them.
    fn check(&mut self, len: usize) {
        let seed = self.seed;
        let changed =
            self.bytes()[..len].iter().zip(0..).any(|(&byte, index)| byte != pattern(seed, index));
        assert!(!changed, "{:?} changed within its first {len} bytes", self.layout);
    }
}

/// The byte that a block of this seed has at `index`.
fn pattern(seed: u8, index: usize) -> u8 {
    // 251 is prime: a block moved by any power of two does not fit its pattern.
    seed.wrapping_add((index % 251) as u8)
}

/// What an account has to say: live bytes, live blocks, bytes ever allocated.
type Account = [u64; 3];

fn reported() -> [Account; TAGS.len()] {
    let account =
        |usage: TagUsage| [usage.live_bytes, usage.live_blocks, usage.allocated_bytes_total];
    TAGS.each_ref().map(|tag| account(bursar_alloc::tag_usage(tag)))
}

struct Model {
    blocks: Vec<Block>,
    accounts: [Account; TAGS.len()],
    made: u8,
}

impl Model {
    fn allocate(&mut self, layout: Layout, zeroed: bool, tag: usize, answer: Answer) {
        let outer = expected_outer(layout.size(), layout.align());
        let (start, call) = one_call(answer, || {
            TAGS[tag].scope(|| {
                if zeroed {
                    // SAFETY: the size is not zero.
                    unsafe { ALLOCATOR.alloc_zeroed(layout) }
                } else {
                    // SAFETY: the size is not zero.
                    unsafe { ALLOCATOR.alloc(layout) }
                }
            })
        });
        assert_eq!(call, if zeroed { Call::AllocZeroed(outer) } else { Call::Alloc(outer) });
        if start.is_null() {
            return;
        }
        assert_eq!(start.addr() % layout.align(), 0, "{layout:?} at {start:?}");
        let bytes = layout.size() as u64;
        let [live_bytes, live_blocks, total] = &mut self.accounts[tag];
        *live_bytes += bytes;
        *live_blocks += 1;
        *total += bytes;
        self.made = self.made.wrapping_add(1);
        let mut block = Block { start, layout, tag, seed: self.made };
        assert!(!zeroed || block.bytes().iter().all(|&byte| byte == 0), "zeroed: {layout:?}");
        block.fill();
        self.blocks.push(block);
    }

    fn reallocate(&mut self, index: usize, new_size: usize, entered: usize, answer: Answer) {
        let block = &mut self.blocks[index];
        let (start, layout) = (block.start, block.layout);
        let (old_size, align) = (layout.size(), layout.align());
        block.check(old_size);
        // The tag that happens to be entered has no say in it.
        let (moved, call) = one_call(answer, || {
            TAGS[entered].scope(|| {
                // SAFETY: the block is live and of this layout; the new size is right for it.
                unsafe { ALLOCATOR.realloc(start, layout, new_size) }
            })
        });
        let new_outer = expected_outer(new_size, align);
        let old_outer = expected_outer(old_size, align);
        assert_eq!(call, Call::Realloc(start.addr(), old_outer, new_outer.size()));
        if moved.is_null() {
            block.check(old_size);
            return;
        }
        assert_eq!(moved.addr() % align, 0, "{layout:?} to {new_size} at {moved:?}");
        block.start = moved;
        block.layout = Layout::from_size_align(new_size, align).expect("the allocator took it");
        block.check(old_size.min(new_size));
        block.fill();
        let [live_bytes, _, total] = &mut self.accounts[block.tag];
        *live_bytes = *live_bytes - old_size as u64 + new_size as u64;
        *total += new_size.saturating_sub(old_size) as u64;
    }

    fn free(&mut self, index: usize, entered: usize) {
        let mut block = self.blocks.swap_remove(index);
        block.check(block.layout.size());
        let ((), call) = one_call(Answer::Exact, || {
            TAGS[entered].scope(|| {
                // SAFETY: the block is live and of this layout, and out of the model.
                unsafe { ALLOCATOR.dealloc(block.start, block.layout) };
            });
        });
        let outer = expected_outer(block.layout.size(), block.layout.align());
        assert_eq!(call, Call::Dealloc(block.start.addr(), outer));
        let [live_bytes, live_blocks, _] = &mut self.accounts[block.tag];
        *live_bytes -= block.layout.size() as u64;
        *live_blocks -= 1;
    }

    fn apply(&mut self, operation: Operation) {
        let index_of = |block: u8, model: &Self| usize::from(block).checked_rem(model.blocks.len());
        match operation {
            Operation::Allocate { size, align_shift, zeroed, tag, answer } => {
                if self.blocks.len() < MOST_BLOCKS {
                    // Up to half of what can be addressed: then the largest size is one of itself.
                    let align = 1 << (u32::from(align_shift) % (usize::BITS - 1));
                    let layout = Layout::from_size_align(size.bytes(align), align);
                    let layout = layout.expect("within the limit of a layout");
                    self.allocate(layout, zeroed, usize::from(tag) % TAGS.len(), answer);
                }
            }
            Operation::Reallocate { block, size, tag, answer } => {
                if let Some(index) = index_of(block, self) {
                    let new_size = size.bytes(self.blocks[index].layout.align());
                    self.reallocate(index, new_size, usize::from(tag) % TAGS.len(), answer);
                }
            }
            Operation::Free { block, tag } => {
                if let Some(index) = index_of(block, self) {
                    self.free(index, usize::from(tag) % TAGS.len());
                }
            }
        }
    }
}

fuzz_target!(|operations: Vec<Operation>| {
    let mut model = Model { blocks: Vec::new(), accounts: reported(), made: 0 };
    for operation in operations.into_iter().take(MOST_OPERATIONS) {
        model.apply(operation);
        assert_eq!(reported(), model.accounts);
    }
    while !model.blocks.is_empty() {
        model.free(0, 0);
    }
    assert_eq!(reported(), model.accounts);
    assert!(model.accounts.iter().all(|&[bytes, blocks, _]| (bytes, blocks) == (0, 0)));
    assert!(RECORD.with_borrow(|record| record.live.is_empty()), "the backend has all back");
    assert_eq!(bursar_alloc::usage().unattributed_blocks_total, 0);
});
