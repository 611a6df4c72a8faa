//! A thread's side of the books: its tag, its shard and its fuel; and the process's one ledger.
//!
//! The thread-local is const-initialised and has no destructor, so it can be used at any time in
//! a thread's life, before `main` and after other thread-locals are gone. A second one, touched
//! when a shard is claimed, has the destructor that gives the shard back; should it be too late
//! for destructors of thread-locals, [`exit`] has another.

use std::cell::Cell;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::backend::{Controls, note_installed};
use crate::fuel::Tank;
use crate::isolate::NOT_ISOLATED;
use crate::ledger::Ledger;
use crate::peak::{Outer, Peak};
#[cfg(feature = "profile")]
use crate::profile::Countdown;
use crate::shard::{ByteSums, Shard, TagSums};
use crate::tag_table::{OVERFLOW, TAG_NUMBERS, TagRef, TagTable};
use crate::{exit, fork, isolate};

/// Threads that can have a shard of their own at once; more than that share one. Miri tracks each
/// byte of the table at each borrow: it gets a small one.
pub(crate) const SLOTS: usize = if cfg!(miri) { 4 } else { 512 };

/// The process's books: 4 MiB of address space, of which only touched pages cost memory.
pub(crate) static LEDGER: Ledger<SLOTS, TAG_NUMBERS> = Ledger::new();

/// What is kept of each tag beside its counters.
pub(crate) static TAGS: TagTable<TAG_NUMBERS> = TagTable::new();

/// A thread that found no slot looks again after this many operations.
const OPERATIONS_BETWEEN_CLAIMS: u32 = 4096;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Has no shard, and looks for one after so many operations.
    Shardless(u32),
    /// Is the one writer of its shard.
    Owner,
    /// Has run its exit hook, and never claims again.
    Retired,
}

#[derive(Debug)]
struct ThreadState {
    /// The tag that allocations are charged to.
    tag: Cell<TagRef>,
    /// Has fuel only while the thread owns its shard, so that one test on the allocation path, and
    /// on that of a free, covers both.
    tank: Tank,
    /// The thread's own shard, or the shared one.
    shard: Cell<&'static Shard<TAG_NUMBERS>>,
    standing: Cell<Standing>,
    /// Looked at where the tank is refilled, never on the fast path.
    peak: Peak,
    /// Likewise.
    #[cfg(feature = "profile")]
    countdown: Countdown,
}

/// What lies between a sample that is due and the one before, in the mean, in bytes; or none is.
pub(crate) type Due = Option<u64>;

thread_local! {
    static THREAD: ThreadState = const {
        ThreadState {
            tag: Cell::new(TagRef::UNTAGGED),
            tank: Tank::empty(),
            shard: Cell::new(&LEDGER.shared),
            standing: Cell::new(Standing::Shardless(0)),
            peak: Peak::new(),
            #[cfg(feature = "profile")]
            countdown: Countdown::new(),
        }
    };
    /// The slot of the thread's tag, once more. Apart from the rest, which an allocation needs when
    /// the backend has answered: where that lies would else be kept in a register meanwhile.
    static SLOT: Cell<u8> = const { Cell::new(NOT_ISOLATED) };
    static EXIT_HOOK: ExitHook = const { ExitHook };
}

struct ExitHook;

impl Drop for ExitHook {
    fn drop(&mut self) {
        THREAD.with(ThreadState::retire);
        exit::disarm();
    }
}

impl exit::Leaver for ThreadState {
    fn leave() {
        THREAD.with(ThreadState::retire);
    }
}

/// The tag that the calling thread's allocations are charged to.
#[inline(always)]
pub(crate) fn current_tag() -> u8 {
    THREAD.with(|thread| thread.tag.get().number())
}

/// The slot of that tag's own memory, if it is isolated.
#[inline(always)]
pub(crate) fn current_slot() -> u8 {
    SLOT.with(Cell::get)
}

/// Whether the calling thread has a shard of its own, and so will run its exit hook.
pub(crate) fn owns_a_shard() -> bool {
    THREAD.with(|thread| thread.standing.get() == Standing::Owner)
}

/// Counts a new block of `tag`; false if the slow path is due: [`charge_slowly`].
#[inline(always)]
pub(crate) fn charge(tag: u8, bytes: usize) -> bool {
    THREAD.with(|thread| {
        let has_fuel = thread.tank.burn(bytes);
        if has_fuel {
            thread.shard.get().charge(tag, bytes);
        }
        has_fuel
    })
}

/// What [`charge`] left undone; and whether the block is to be sampled.
pub(crate) fn charge_slowly(tag: u8, bytes: usize, backend: &'static Controls) -> Due {
    THREAD.with(|thread| thread.draw_and_count(tag, bytes, 1, backend))
}

/// Counts a block of `tag` that grew by `bytes`; and whether it is to be sampled.
#[inline(always)]
pub(crate) fn grow(tag: u8, bytes: usize, backend: &'static Controls) -> Due {
    THREAD.with(|thread| {
        if thread.tank.burn(bytes) {
            thread.shard.get().grow(tag, bytes);
            return None;
        }
        thread.draw_and_count(tag, bytes, 0, backend)
    })
}

/// Draws lots: true with this probability.
#[cfg(feature = "profile")]
pub(crate) fn draw_lots(probability: f64) -> bool {
    THREAD.with(|thread| thread.countdown.draw_lots(probability))
}

/// Counts a freed block of `tag`; false if the slow path is due: [`uncharge_slowly`].
#[inline(always)]
pub(crate) fn uncharge(tag: u8, bytes: usize) -> bool {
    THREAD.with(|thread| {
        let has_fuel = thread.tank.has_fuel();
        if has_fuel {
            thread.shard.get().uncharge(tag, bytes);
        }
        has_fuel
    })
}

/// What [`uncharge`] left undone.
pub(crate) fn uncharge_slowly(tag: u8, bytes: usize) {
    THREAD.with(|thread| thread.claim_and_count(tag, bytes, 1));
}

/// Counts a block of `tag` that shrank by `bytes`.
#[inline(always)]
pub(crate) fn shrink(tag: u8, bytes: usize) {
    THREAD.with(|thread| {
        if thread.tank.has_fuel() {
            thread.shard.get().shrink(tag, bytes);
        } else {
            thread.claim_and_count(tag, bytes, 0);
        }
    });
}

/// Counts a block that goes from one tag to another. Charged before it is uncharged, so that no
/// reader misses it; the headroom has it already.
pub(crate) fn move_block(from: u8, to: u8, bytes: usize) {
    THREAD.with(|thread| {
        thread.claim_if_due();
        let bytes = bytes as u64;
        let new = TagSums { allocated_bytes: bytes, allocated_blocks: 1, ..TagSums::default() };
        thread.count(to, &new);
        let old = TagSums { freed_bytes: bytes, freed_blocks: 1, ..TagSums::default() };
        thread.count(from, &old);
    });
}

/// Makes `tag` the calling thread's, and returns the one before. What a reference counts as a
/// holder goes along with it, both ways.
///
/// The slot last: a signal handler that comes between the two and enters a tag leaves with the slot
/// of the tag that it found, and whoever has that tag's slot still to set sets the same.
#[inline]
pub(crate) fn replace_tag(tag: TagRef) -> TagRef {
    let outer = THREAD.with(|thread| thread.tag.replace(tag));
    // Pairs with a handler on this very thread.
    compiler_fence(Ordering::SeqCst);
    SLOT.with(|slot| slot.set(tag.slot()));
    outer
}

/// Sees to it that the thread's end leaves a tag that it then still has, whether it ever allocates
/// or not. Past the exit hook it is not left: the tag then stays in use.
pub(crate) fn leave_tag_at_exit() {
    let _ = EXIT_HOOK.try_with(|_| ());
}

/// Gives up what [`replace_tag`] returned.
#[inline]
pub(crate) fn leave_tag(tag: TagRef) {
    if tag.is_counted() {
        TAGS.account(tag.number()).release();
    }
}

/// What the calling thread has counted under `tag` since its shard was made, by whatever owner;
/// differences of two readings on one thread are that thread's alone. `None` while the thread
/// shares a shard with others.
pub(crate) fn thread_sums(tag: u8) -> Option<TagSums> {
    THREAD.with(|thread| {
        thread.claim_if_due();
        let shard = thread.shard.get();
        is_owned(shard).then(|| shard.tag(tag).read())
    })
}

/// The bytes that the calling thread has counted over all tags, otherwise as [`thread_sums`].
pub(crate) fn thread_bytes() -> Option<ByteSums> {
    THREAD.with(|thread| {
        thread.claim_if_due();
        thread.own_bytes()
    })
}

/// A section of the calling thread, under way.
#[derive(Debug)]
pub(crate) struct BegunSection {
    bytes: ByteSums,
    outer: Outer,
}

/// Begins a section; `None` while the thread shares a shard with others.
pub(crate) fn begin_section() -> Option<BegunSection> {
    THREAD.with(|thread| {
        thread.claim_if_due();
        let bytes = thread.own_bytes()?;
        Some(BegunSection { bytes, outer: thread.peak.begin(bytes.balance()) })
    })
}

/// Ends a section of the calling thread: the bytes counted in it, and the most that was kept at
/// once. `None` if the thread has given its shard back meanwhile.
pub(crate) fn end_section(section: BegunSection) -> Option<(ByteSums, u64)> {
    THREAD.with(|thread| {
        let now = thread.own_bytes()?;
        let highest = thread.peak.end(section.outer, now.balance());
        let done = now.since(&section.bytes);
        let kept = highest.wrapping_sub(section.bytes.balance());
        // Whatever sections ended out of order have left in the cells.
        let peak_bytes = u64::try_from(kept).unwrap_or(0).min(done.allocated_bytes);
        Some((done, peak_bytes))
    })
}

#[inline(always)]
fn is_owned(shard: &'static Shard<TAG_NUMBERS>) -> bool {
    !std::ptr::eq(shard, &LEDGER.shared)
}

impl ThreadState {
    #[cold]
    #[inline(never)]
    fn draw_and_count(
        &self,
        tag: u8,
        bytes: usize,
        blocks: u64,
        backend: &'static Controls,
    ) -> Due {
        note_installed(backend);
        // Once the backend has answered, and so has its own handlers in place: see `fork`.
        fork::register::<Self>();
        self.claim_if_due();
        let change = TagSums {
            allocated_bytes: bytes as u64,
            allocated_blocks: blocks,
            ..TagSums::default()
        };
        // Counted before it is drawn: a scan that sees the draw has to sum it.
        self.count(tag, &change);
        let due = self.refill(self.standing.get() == Standing::Owner);
        self.note_peak();
        due
    }

    /// Refills the tank, which may be left with fuel or not; and whether what was burnt since the
    /// last time had the byte in it that the next sample is due at.
    #[cfg(feature = "profile")]
    fn refill(&self, keeps_an_allowance: bool) -> Due {
        let due = self.countdown.pass(self.tank.burnt());
        // No further than to that byte, so that its block is the one that empties the tank.
        let most = keeps_an_allowance.then(|| self.countdown.left());
        self.tank.refill(&LEDGER.fuel, most);
        due
    }

    #[cfg(not(feature = "profile"))]
    fn refill(&self, keeps_an_allowance: bool) -> Due {
        self.tank.refill(&LEDGER.fuel, keeps_an_allowance.then_some(i64::MAX));
        None
    }

    /// With the block that used up the fuel in it: so what goes unseen until the next look is less
    /// than the allowance just drawn.
    fn note_peak(&self) {
        if self.peak.is_watched()
            && let Some(bytes) = self.own_bytes()
        {
            self.peak.note(bytes.balance());
        }
    }

    /// The bytes of the thread's own shard, if it has one. Numbers not yet given out have counted
    /// nothing in it: its owners, this one and those before, knew of a number before they counted
    /// under it.
    fn own_bytes(&self) -> Option<ByteSums> {
        let shard = self.shard.get();
        is_owned(shard).then(|| shard.sum_owned(TAGS.used() + 1, OVERFLOW))
    }

    #[cold]
    #[inline(never)]
    fn claim_and_count(&self, tag: u8, bytes: usize, blocks: u64) {
        self.claim_if_due();
        let change =
            TagSums { freed_bytes: bytes as u64, freed_blocks: blocks, ..TagSums::default() };
        self.count(tag, &change);
        if self.standing.get() == Standing::Owner {
            // The shard was claimed just now, and frees too want fuel to be on the fast path.
            self.refill(true);
        }
    }

    fn count(&self, tag: u8, change: &TagSums) {
        let shard = self.shard.get();
        if is_owned(shard) {
            shard.add_owned(tag, change);
        } else {
            shard.add_shared(tag, change);
        }
    }

    /// Claims a shard if the thread has none and may look for one now.
    fn claim_if_due(&self) {
        match self.standing.get() {
            Standing::Owner | Standing::Retired => {}
            Standing::Shardless(0) => self.claim(),
            Standing::Shardless(operations) => {
                self.standing.set(Standing::Shardless(operations - 1));
            }
        }
    }

    fn claim(&self) {
        // The hook first: should the thread be past it, it must not own a shard again. Touching
        // a thread-local does not use the global allocator, by std's promise for allocators.
        if EXIT_HOOK.try_with(|_| ()).is_err() {
            self.standing.set(Standing::Retired);
            return;
        }
        match LEDGER.claim() {
            Some(shard) => {
                self.shard.set(shard);
                self.standing.set(Standing::Owner);
            }
            None => self.standing.set(Standing::Shardless(OPERATIONS_BETWEEN_CLAIMS)),
        }
        exit::arm::<Self>();
    }

    /// Gives back the shard, the unused fuel and the caches for isolated tags, for good; and a tag
    /// that a leaked guard has left entered.
    fn retire(&self) {
        isolate::unmake_own_caches();
        leave_tag(replace_tag(TagRef::UNTAGGED));
        let shard = self.shard.replace(&LEDGER.shared);
        self.tank.drain(&LEDGER.fuel);
        if self.standing.replace(Standing::Retired) == Standing::Owner {
            shard.release();
        }
    }
}

impl fork::Survivor for ThreadState {
    fn before() {
        // In the child jemalloc, where it counts, has its own thread's automatic cache alone in the
        // lists that its caches are in.
        isolate::unmake_own_caches();
        TAGS.lock_for_fork();
    }

    fn in_parent() {
        TAGS.unlock_after_fork();
    }

    fn in_child() {
        TAGS.unlock_after_fork();
        let own = THREAD.with(|thread| thread.shard.get());
        LEDGER.release_all_but(is_owned(own).then_some(own));
        // Its thread is not here; that of a new watch will be.
        LEDGER.fuel.clear_waiter();
        isolate::forget_other_threads();
    }
}
