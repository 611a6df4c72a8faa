//! Where live samples are kept: a table of fixed size that is never locked.
//!
//! Three parts, all of plain words: a bit for each slot, the slots, and an index that finds a
//! block's slot by its address. The lowest free slot is taken, so that a table which is hardly used
//! touches little of its memory. A slot and an index entry are written by whoever has claimed them
//! alone: the thread that allocates a block, and later the one that frees or resizes it, which has
//! heard of the block from the first, however it did. So a block is always found, and the only
//! races are for free places and with whoever reads all of it.

use crate::primitive::{AtomicU64, Ordering, fence};

/// Words of a slot: a KiB. A model checker follows each of them.
const SLOT_WORDS: usize = if cfg!(bursar_loom) { STACK + 2 } else { 128 };
/// Odd while the slot is being written.
const VERSION: usize = 0;
/// Zero in a slot that has no sample.
const ADDRESS: usize = 1;
const SIZE: usize = 2;
const INTERVAL: usize = 3;
/// The tag, and from bit 8 on how many addresses the stack has; one more than fit if it has more.
const TAG_AND_DEPTH: usize = 4;
const STACK: usize = 5;
/// The most addresses of a stack.
pub(crate) const MAX_DEPTH: usize = SLOT_WORDS - STACK;

/// Fewer are of no use.
pub(crate) const MIN_SLOTS: usize = 16;

/// An index entry is a slot's number and one more, above an address of so many bits.
const ADDRESS_BITS: u32 = 48;
const ADDRESS_MASK: u64 = (1 << ADDRESS_BITS) - 1;
/// The most slots whose numbers fit above it.
const MAX_SLOTS: usize = (1 << (64 - ADDRESS_BITS)) - 2;
/// An address is looked for in so many entries from where its hash leads. With half of all entries
/// in use it is a matter of luck past reckoning that none of them is free.
const WINDOW: usize = if cfg!(bursar_loom) { 4 } else { 32 };

/// What is kept of a sampled block beside its stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) address: usize,
    pub(crate) size: usize,
    pub(crate) tag: u8,
    /// By which it was sampled.
    pub(crate) interval_bytes: u64,
}

/// A slot whose block is not in the index: nobody finds it, and whoever has this has it alone.
#[derive(Debug)]
#[must_use = "it is to be put into the index, or released"]
pub(crate) struct Claimed(usize);

/// The table.
#[derive(Debug)]
pub(crate) struct Table<'words> {
    taken: &'words [AtomicU64],
    index: &'words [AtomicU64],
    slots: &'words [AtomicU64],
}

/// How many words a table of so many slots takes.
pub(crate) fn words_of(slots: usize) -> usize {
    bitmap_words(slots) + index_words(slots) + slots * SLOT_WORDS
}

/// The most slots of a table that takes so many bytes at most.
pub(crate) fn slots_within(bytes: usize) -> usize {
    let most = (bytes / (SLOT_WORDS * size_of::<u64>())).min(MAX_SLOTS);
    // Less for the index and the bits, which are a few per cent.
    (0..=most).rev().find(|&slots| words_of(slots) * size_of::<u64>() <= bytes).unwrap_or(0)
}

const fn bitmap_words(slots: usize) -> usize {
    slots.div_ceil(64)
}

/// Twice as many entries as slots, and a power of two.
const fn index_words(slots: usize) -> usize {
    (2 * slots).next_power_of_two()
}

impl<'words> Table<'words> {
    /// A table of so many slots in these words, which are zero, and [`words_of`] so many.
    pub(crate) fn over(words: &'words [AtomicU64], slots: usize) -> Self {
        let (taken, rest) = words.split_at(bitmap_words(slots));
        let (index, slots) = rest.split_at(index_words(slots));
        Self { taken, index, slots }
    }

    /// How many samples there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.slots.len() / SLOT_WORDS
    }

    /// Claims a slot and writes a sample into it, whose stack `capture` writes: it is handed what
    /// keeps one address, until that answers false. `None` if all slots are taken.
    pub(crate) fn claim(
        &self,
        block: Block,
        capture: impl FnOnce(&mut dyn FnMut(usize) -> bool),
    ) -> Option<Claimed> {
        let slot = self.free_slot()?;
        self.write(&slot, |words| {
            let mut depth = 0;
            capture(&mut |address| {
                if let Some(word) = words.get(STACK + depth) {
                    word.store(address as u64, Ordering::Relaxed);
                }
                depth += 1;
                depth <= MAX_DEPTH
            });
            words[INTERVAL].store(block.interval_bytes, Ordering::Relaxed);
            let tag_and_depth = u64::from(block.tag) | (depth as u64) << 8;
            words[TAG_AND_DEPTH].store(tag_and_depth, Ordering::Relaxed);
            words[SIZE].store(block.size as u64, Ordering::Relaxed);
            words[ADDRESS].store(block.address as u64, Ordering::Relaxed);
        });
        Some(slot)
    }

    /// Lets the slot be found by its block's address; it is handed back if there is no entry for
    /// that.
    pub(crate) fn publish(&self, slot: Claimed) -> Result<(), Claimed> {
        let address = self.words(&slot)[ADDRESS].load(Ordering::Relaxed);
        if address > ADDRESS_MASK {
            return Err(slot);
        }
        let entry = (slot.0 as u64 + 1) << ADDRESS_BITS | address;
        // Relaxed: nothing is read through an entry but by those who have the block, and so have
        // heard of what was done before it was handed on.
        let claim = |place: &AtomicU64| {
            place.load(Ordering::Relaxed) == 0
                && place.compare_exchange(0, entry, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if self.window(address).any(claim) { Ok(()) } else { Err(slot) }
    }

    /// Takes the block's slot out of the index. For the one who has the block.
    pub(crate) fn take(&self, address: usize) -> Option<Claimed> {
        let (place, slot) = self.find(address)?;
        place.store(0, Ordering::Relaxed);
        Some(slot)
    }

    /// Gives the block another tag. For the one who has the block.
    pub(crate) fn retag(&self, address: usize, tag: u8) {
        // It stays in the index, where nobody else looks for it.
        if let Some((_, slot)) = self.find(address) {
            self.change(&slot, Block { tag, ..self.block(&slot) });
        }
    }

    /// What is kept of the block at this address. For the one who has the block.
    pub(crate) fn block_at(&self, address: usize) -> Option<Block> {
        self.find(address).map(|(_, slot)| self.block(&slot))
    }

    /// The block's entry in the index, and its slot.
    fn find(&self, address: usize) -> Option<(&AtomicU64, Claimed)> {
        let address = address as u64;
        self.window(address).find_map(|place| {
            let entry = place.load(Ordering::Relaxed);
            let is_its = entry != 0 && entry & ADDRESS_MASK == address;
            is_its.then(|| (place, Claimed((entry >> ADDRESS_BITS) as usize - 1)))
        })
    }

    /// What the slot has, without its stack.
    pub(crate) fn block(&self, slot: &Claimed) -> Block {
        block_in(self.words(slot))
    }

    /// Changes what the slot has, but not its stack.
    pub(crate) fn change(&self, slot: &Claimed, block: Block) {
        self.write(slot, |words| {
            let depth = words[TAG_AND_DEPTH].load(Ordering::Relaxed) >> 8;
            words[TAG_AND_DEPTH].store(u64::from(block.tag) | depth << 8, Ordering::Relaxed);
            words[SIZE].store(block.size as u64, Ordering::Relaxed);
            words[ADDRESS].store(block.address as u64, Ordering::Relaxed);
        });
    }

    /// Gives the slot up.
    pub(crate) fn release(&self, slot: Claimed) {
        self.write(&slot, |words| words[ADDRESS].store(0, Ordering::Relaxed));
        let (word, bit) = (slot.0 / 64, 1 << (slot.0 % 64));
        // Release: pairs with the acquire in `free_slot`, so that the next one who writes the slot
        // writes after this.
        self.taken[word].fetch_and(!bit, Ordering::Release);
    }

    /// Calls `f` with each sample there is, its stack, and whether that was deeper than what was
    /// kept. A sample that is being written meanwhile is left out.
    pub(crate) fn for_each(&self, mut f: impl FnMut(Block, &[usize], bool)) {
        let mut stack = [0; MAX_DEPTH];
        for (number, words) in self.slots.chunks_exact(SLOT_WORDS).enumerate() {
            if !self.is_taken(number) {
                continue;
            }
            if let Some((block, depth)) = read(words, &mut stack) {
                f(block, &stack[..depth.min(MAX_DEPTH)], depth > MAX_DEPTH);
            }
        }
    }

    /// How many slots are taken.
    pub(crate) fn len(&self) -> usize {
        let taken = self.taken.iter().map(|taken| taken.load(Ordering::Relaxed).count_ones());
        taken.sum::<u32>() as usize
    }

    fn is_taken(&self, number: usize) -> bool {
        // Only a hint: what is in the slot says by itself whether it can be read.
        self.taken[number / 64].load(Ordering::Relaxed) >> (number % 64) & 1 == 1
    }

    fn free_slot(&self) -> Option<Claimed> {
        for (index, taken) in self.taken.iter().enumerate() {
            loop {
                let bit = taken.load(Ordering::Relaxed).trailing_ones();
                let number = 64 * index + bit as usize;
                if bit == 64 || number >= self.capacity() {
                    break;
                }
                // Acquire: pairs with the release in `release`.
                if taken.fetch_or(1 << bit, Ordering::Acquire) >> bit & 1 == 0 {
                    return Some(Claimed(number));
                }
            }
        }
        None
    }

    fn words(&self, slot: &Claimed) -> &[AtomicU64] {
        &self.slots[slot.0 * SLOT_WORDS..][..SLOT_WORDS]
    }

    /// Has `f` write a slot, so that who reads it meanwhile finds out.
    fn write(&self, slot: &Claimed, f: impl FnOnce(&[AtomicU64])) {
        let words = self.words(slot);
        let version = words[VERSION].load(Ordering::Relaxed);
        words[VERSION].store(version.wrapping_add(1), Ordering::Relaxed);
        // Pairs with the acquire fence in `read`: who has seen one of the words written below sees
        // an odd version there, or a later one.
        fence(Ordering::Release);
        f(words);
        // Release: pairs with the acquire in `read`, which then sees all words as they are now.
        words[VERSION].store(version.wrapping_add(2), Ordering::Release);
    }

    /// The entries that an address can be in.
    fn window(&self, address: u64) -> impl Iterator<Item = &AtomicU64> {
        // Multiplied by 2^64 over the golden ratio, the upper half is well mixed.
        let start = (address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize;
        let mask = self.index.len() - 1;
        (0..WINDOW.min(self.index.len())).map(move |step| &self.index[(start + step) & mask])
    }
}

fn block_in(words: &[AtomicU64]) -> Block {
    let word = |index: usize| words[index].load(Ordering::Relaxed);
    Block {
        address: word(ADDRESS) as usize,
        size: word(SIZE) as usize,
        tag: word(TAG_AND_DEPTH) as u8,
        interval_bytes: word(INTERVAL),
    }
}

/// Reads a slot and, into `stack`, its stack, whose depth is returned. `None` if it has no sample,
/// or is being written.
fn read(words: &[AtomicU64], stack: &mut [usize; MAX_DEPTH]) -> Option<(Block, usize)> {
    // Acquire: pairs with the release at the end of `write`.
    let version = words[VERSION].load(Ordering::Acquire);
    if version % 2 == 1 {
        return None;
    }
    let block = block_in(words);
    let depth = (words[TAG_AND_DEPTH].load(Ordering::Relaxed) >> 8) as usize;
    for (address, word) in stack.iter_mut().zip(words.iter().skip(STACK)).take(depth) {
        *address = word.load(Ordering::Relaxed) as usize;
    }
    // Pairs with the release fence in `write`.
    fence(Ordering::Acquire);
    let is_whole = words[VERSION].load(Ordering::Relaxed) == version;
    (is_whole && block.address != 0).then_some((block, depth))
}

#[cfg(all(test, not(bursar_loom)))]
mod tests;
