//! The budget's cheap check: an allowance that a thread counts down as it allocates, refuelled
//! from a global headroom. When the headroom is gone, a flag is set and a thread is woken.
//!
//! The invariant, with `sum` taken over all shards:
//!
//! > live bytes <= sum at the last scan + volume drawn since that scan began + outstanding
//! > allowances + one block in flight a thread
//!
//! A scan reads the headroom, then sums, then adds the difference to the room it found, so draws
//! made while it summed are kept. Frees are credited at the next scan. What is drawn is counted
//! before, so a scan that begins with the draw sums it: unseen by the sum is only what a thread
//! has burnt since its last draw, and that is within its allowance as it was drawn.

use std::cell::Cell;

use crate::primitive::{AtomicBool, AtomicI64, AtomicRef, CachePadded, Ordering, Thread};

/// A thread's first allowance, and its allowance while the headroom is gone.
pub(crate) const MIN_ALLOWANCE_BYTES: i64 = 4 << 10;
/// The largest allowance while no budget is watched.
const UNWATCHED_ALLOWANCE_BYTES: i64 = 64 << 10;
/// The largest allowance of all.
const MAX_ALLOWANCE_BYTES: i64 = 256 << 10;
/// An allowance is at most this part of the headroom, so that it tightens near a watermark.
const HEADROOM_PER_ALLOWANCE: i64 = 16;
/// Half of the range, so that no draw or scan can overflow it.
const UNLIMITED: i64 = i64::MAX / 2;

/// The headroom, and whom to wake when it is gone.
#[derive(Debug)]
pub(crate) struct Fuel {
    /// Bytes that may be drawn before the next watermark. Negative once it is passed.
    headroom: CachePadded<AtomicI64>,
    /// Largest allowance for one thread.
    allowance_cap: AtomicI64,
    /// The headroom ran out, and nobody has taken notice yet.
    pending: AtomicBool,
    /// The thread to wake. Its handle is leaked, so that a late wake is never a use after free;
    /// one word, so that reading it never locks.
    waiter: AtomicRef<Thread>,
}

impl Fuel {
    pub(crate) const fn new() -> Self {
        Self {
            headroom: CachePadded::new(AtomicI64::new(UNLIMITED)),
            allowance_cap: AtomicI64::new(UNWATCHED_ALLOWANCE_BYTES),
            pending: AtomicBool::new(false),
            waiter: AtomicRef::empty(),
        }
    }

    /// The allowance to draw for a thread whose last one was `last` bytes: they begin small and
    /// double, up to the cap and to a small part of the headroom.
    pub(crate) fn next_allowance(&self, last: i64) -> i64 {
        let by_headroom = self.headroom.load(Ordering::Relaxed) / HEADROOM_PER_ALLOWANCE;
        let cap = self.allowance_cap.load(Ordering::Relaxed).min(by_headroom);
        last.saturating_mul(2).min(cap).max(MIN_ALLOWANCE_BYTES)
    }

    /// Takes `bytes`, which are counted already, out of the headroom. If none is left, raises the
    /// flag and wakes the waiter, unless the flag is up.
    pub(crate) fn draw(&self, bytes: i64) {
        // Release: pairs with the acquire in `begin_scan`, so that a scan with this draw in its
        // headroom has the bytes in its sum. Acquire: pairs with the release in `finish_scan`, so
        // that a flag which was taken before that scan is not taken for up.
        let before = self.headroom.fetch_sub(bytes, Ordering::AcqRel);
        if before <= bytes && !self.pending.load(Ordering::Relaxed) {
            self.raise();
        }
    }

    #[cold]
    fn raise(&self) {
        // Release: pairs with the acquire in `take_pending`; the scan that follows it sees at
        // least this draw. Only the thread that raises the flag wakes.
        if self.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        // `unpark` is one of the few calls that std permits inside a global allocator.
        if let Some(waiter) = self.waiter.get() {
            waiter.unpark();
        }
    }

    /// Puts back what a thread did not use.
    pub(crate) fn give_back(&self, bytes: i64) {
        // Release: pairs with the acquire in `begin_scan`, so that a scan sums what was used.
        self.headroom.fetch_add(bytes, Ordering::Release);
    }

    /// Whether the headroom has run out since this was last called.
    pub(crate) fn take_pending(&self) -> bool {
        // Acquire: pairs with the release in `raise`. A swap before the scan, so that a draw
        // after it raises the flag anew.
        self.pending.swap(false, Ordering::AcqRel)
    }

    /// The headroom at the beginning of a scan.
    pub(crate) fn begin_scan(&self) -> i64 {
        // Acquire: pairs with the releases in `draw` and `give_back`.
        self.headroom.load(Ordering::Acquire)
    }

    /// Sets the headroom to `room_bytes` less what was drawn since the scan began. Scans are
    /// serialised by their caller.
    pub(crate) fn finish_scan(&self, begun_at: i64, room_bytes: u64) {
        let room = i64::try_from(room_bytes).unwrap_or(UNLIMITED).min(UNLIMITED);
        // Release: pairs with the acquire in `draw`.
        let before = self.headroom.fetch_add(room.wrapping_sub(begun_at), Ordering::Release);
        // Draws that used up the new headroom may have found enough in the old one.
        let drawn = begun_at.wrapping_sub(before);
        if drawn > 0 && drawn >= room {
            self.raise();
        }
    }

    /// Names the thread to wake, if there is one, and scales allowances to the budget.
    pub(crate) fn set_waiter(&self, waiter: Option<&'static Thread>, budget_bytes: u64) {
        let cap = i64::try_from(budget_bytes / 1024).unwrap_or(MAX_ALLOWANCE_BYTES);
        let cap = cap.clamp(MIN_ALLOWANCE_BYTES, MAX_ALLOWANCE_BYTES);
        self.allowance_cap.store(cap, Ordering::Relaxed);
        self.waiter.set(waiter);
    }

    /// Watches no budget from now on.
    pub(crate) fn clear_waiter(&self) {
        self.waiter.set(None);
        self.allowance_cap.store(UNWATCHED_ALLOWANCE_BYTES, Ordering::Relaxed);
        self.finish_scan(self.begin_scan(), UNLIMITED as u64);
        self.pending.store(false, Ordering::Relaxed);
    }
}

/// A thread's own fuel.
#[derive(Debug)]
pub(crate) struct Tank {
    /// Bytes the thread may allocate before it looks at the headroom, less one: so the sign alone
    /// tells whether there are any, and a subtraction leaves the sign behind by itself.
    fuel: Cell<i64>,
    /// The last allowance drawn.
    allowance: Cell<i64>,
    /// What was put into the tank of it.
    granted: Cell<i64>,
}

/// What an empty tank has.
const EMPTY: i64 = -1;

impl Tank {
    pub(crate) const fn empty() -> Self {
        Self { fuel: Cell::new(EMPTY), allowance: Cell::new(0), granted: Cell::new(0) }
    }

    /// Takes `bytes` out; false if the tank is used up and a [`refill`](Self::refill) is due.
    #[inline(always)]
    pub(crate) fn burn(&self, bytes: usize) -> bool {
        // Cannot wrap: no block is larger than isize::MAX, and there is no less than EMPTY here.
        self.fuel.set(self.fuel.get().wrapping_sub(bytes as i64));
        self.has_fuel()
    }

    /// Whether anything is left.
    #[inline(always)]
    pub(crate) fn has_fuel(&self) -> bool {
        self.fuel.get() >= 0
    }

    /// Bytes burnt since the last refill.
    #[cfg_attr(not(feature = "profile"), cfg_attr(not(test), expect(dead_code)))]
    pub(crate) fn burnt(&self) -> i64 {
        EMPTY + self.granted.get() - self.fuel.get()
    }

    /// Draws what was burnt past the last allowance and, if the tank may keep any, the next one,
    /// of which it keeps `most` bytes at most.
    pub(crate) fn refill(&self, fuel: &Fuel, most: Option<i64>) {
        let owed = EMPTY - self.fuel.get();
        let allowance = most.map_or(0, |_| fuel.next_allowance(self.allowance.get()));
        let granted = most.map_or(0, |most| allowance.min(most));
        self.allowance.set(allowance);
        self.granted.set(granted);
        self.fuel.set(EMPTY + granted);
        fuel.draw(owed.saturating_add(granted));
    }

    /// Gives back what is left.
    pub(crate) fn drain(&self, fuel: &Fuel) {
        fuel.give_back(self.fuel.replace(EMPTY) - EMPTY);
        self.granted.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fuel_with_headroom(bytes: u64) -> Fuel {
        let fuel = Fuel::new();
        fuel.finish_scan(fuel.begin_scan(), bytes);
        fuel
    }

    #[test]
    fn the_draw_that_empties_the_headroom_raises_the_flag_once() {
        let fuel = fuel_with_headroom(1000);
        fuel.draw(999);
        assert!(!fuel.take_pending());
        fuel.draw(1);
        assert!(fuel.take_pending());
        assert!(!fuel.take_pending());
        fuel.draw(1);
        assert!(fuel.take_pending(), "each draw past the headroom raises it anew");
    }

    #[test]
    fn draws_made_while_a_scan_sums_are_kept() {
        let fuel = fuel_with_headroom(1000);
        let begun_at = fuel.begin_scan();
        fuel.draw(300);
        fuel.finish_scan(begun_at, 5000);
        assert_eq!(fuel.begin_scan(), 4700);
    }

    #[test]
    fn a_scan_whose_new_headroom_was_used_up_meanwhile_raises_the_flag() {
        let fuel = fuel_with_headroom(1000);
        let begun_at = fuel.begin_scan();
        fuel.draw(300);
        assert!(!fuel.take_pending(), "the old headroom is not used up");
        fuel.finish_scan(begun_at, 300);
        assert!(fuel.take_pending());
        fuel.finish_scan(fuel.begin_scan(), 0);
        assert!(!fuel.take_pending(), "nothing was drawn");
    }

    #[test]
    fn a_tank_draws_its_allowances_and_what_it_owes_and_gives_back_what_is_left() {
        let fuel = fuel_with_headroom(1 << 20);
        let tank = Tank::empty();
        assert!(!tank.has_fuel());
        assert!(!tank.burn(100));
        tank.refill(&fuel, Some(i64::MAX));
        assert_eq!(fuel.begin_scan(), (1 << 20) - 100 - MIN_ALLOWANCE_BYTES);
        assert!(tank.burn(4095), "a byte of the allowance is left");
        assert!(!tank.burn(11));
        tank.refill(&fuel, None);
        assert_eq!(fuel.begin_scan(), (1 << 20) - 100 - 4095 - 11, "and 10 were owed");
        assert!(!tank.has_fuel());

        tank.refill(&fuel, Some(i64::MAX));
        assert!(tank.burn(96));
        tank.drain(&fuel);
        assert_eq!(fuel.begin_scan(), (1 << 20) - 100 - 4095 - 11 - 96);
    }

    #[test]
    fn a_tank_keeps_no_more_than_it_may_and_says_what_was_burnt_since() {
        let fuel = fuel_with_headroom(1 << 20);
        let tank = Tank::empty();
        tank.burn(30);
        assert_eq!(tank.burnt(), 30);
        tank.refill(&fuel, Some(100));
        assert_eq!(tank.burnt(), 0);
        assert!(tank.burn(99));
        assert!(!tank.burn(500), "the hundredth byte is in this block");
        assert_eq!(tank.burnt(), 599);
        assert_eq!(fuel.begin_scan(), (1 << 20) - 130);
        tank.refill(&fuel, Some(i64::MAX));
        assert_eq!(fuel.begin_scan(), (1 << 20) - 629 - 2 * MIN_ALLOWANCE_BYTES, "it has doubled");
        tank.drain(&fuel);
        assert_eq!((tank.burnt(), fuel.begin_scan()), (0, (1 << 20) - 629));
    }

    #[test]
    fn allowances_double_up_to_the_cap_and_shrink_near_the_watermark() {
        let fuel = Fuel::new();
        let mut allowance = 0;
        for _ in 0..10 {
            allowance = fuel.next_allowance(allowance);
        }
        assert_eq!(allowance, UNWATCHED_ALLOWANCE_BYTES);

        let fuel = fuel_with_headroom(16 * 10_000);
        assert_eq!(fuel.next_allowance(allowance), 10_000);
        fuel.draw(1 << 20);
        assert_eq!(fuel.next_allowance(allowance), MIN_ALLOWANCE_BYTES);
    }

    #[test]
    fn a_room_past_the_range_is_as_good_as_unlimited() {
        let fuel = fuel_with_headroom(u64::MAX);
        assert_eq!(fuel.begin_scan(), UNLIMITED);
    }
}
