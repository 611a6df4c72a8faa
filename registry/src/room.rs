//! [`Room`]: what of the budget is promised to reservations.

use std::sync::atomic::{AtomicU64, Ordering};

/// The sum of what is reserved and not held yet, and the bound for it and what is held together.
///
/// The sum is the low bits of one word. The others count how often it was lowered: a lowered sum
/// means that more is held, and two that are equal with such a change between them must not be
/// taken for the same.
#[derive(Debug, Default)]
pub(crate) struct Room {
    reserved: AtomicU64,
    /// What is held and what is reserved together stay below.
    bound_bytes: AtomicU64,
}

const SUM_BITS: u32 = 48;
/// The most that can be reserved: 256 TiB.
const MAX_SUM: u64 = (1 << SUM_BITS) - 1;
const LOWERED_ONCE: u64 = 1 << SUM_BITS;

impl Room {
    /// Sets the bound. What is reserved by then stays so.
    pub(crate) fn set_bound(&self, bound_bytes: u64) {
        // Relaxed: it says nothing of any other memory.
        self.bound_bytes.store(bound_bytes, Ordering::Relaxed);
    }

    /// Whether there could be room for so many bytes, were nothing held and nothing reserved.
    #[cfg(feature = "tower")]
    pub(crate) fn can_ever_hold(&self, bytes: u64) -> bool {
        bytes <= self.most_bytes()
    }

    fn most_bytes(&self) -> u64 {
        self.bound_bytes.load(Ordering::Relaxed).saturating_sub(1).min(MAX_SUM)
    }

    /// What is reserved and not held yet.
    pub(crate) fn reserved_bytes(&self) -> u64 {
        self.reserved.load(Ordering::Relaxed) & MAX_SUM
    }

    /// Reserves `bytes`, if they fit beside what `held_bytes` reads.
    ///
    /// # Errors
    ///
    /// What would have fitted.
    pub(crate) fn try_reserve(&self, bytes: u64, held_bytes: impl Fn() -> u64) -> Result<(), u64> {
        // Acquire, here and below: pairs with the release in `change`. What a settled reservation
        // holds is either still in this sum, or seen by the reading that comes after.
        let mut seen = self.reserved.load(Ordering::Acquire);
        loop {
            let reserved = seen & MAX_SUM;
            let most = self.most_bytes();
            let taken = held_bytes().saturating_add(reserved);
            let free_bytes = most.saturating_sub(taken);
            if bytes > free_bytes || taken > most {
                return Err(free_bytes);
            }
            let exchange = self.reserved.compare_exchange_weak(
                seen,
                seen + bytes,
                Ordering::Relaxed,
                Ordering::Acquire,
            );
            match exchange {
                Ok(_) => return Ok(()),
                Err(now) => seen = now,
            }
        }
    }

    /// Has one reservation's part in the sum be `to` in place of `from`.
    pub(crate) fn change(&self, from: u64, to: u64) {
        let lowered = if to < from { LOWERED_ONCE } else { 0 };
        let difference = lowered.wrapping_add(to).wrapping_sub(from);
        // Release: pairs with the acquire in `try_reserve`.
        self.reserved.fetch_add(difference, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn room(bound_bytes: u64) -> Room {
        let room = Room::default();
        room.set_bound(bound_bytes);
        room
    }

    #[test]
    fn what_is_held_and_reserved_stays_below_the_bound() {
        let room = room(100);
        assert_eq!(room.try_reserve(60, || 30), Ok(()));
        assert_eq!(room.try_reserve(10, || 30), Err(9));
        assert_eq!(room.try_reserve(9, || 30), Ok(()));
        assert_eq!((room.try_reserve(1, || 30), room.try_reserve(0, || 30)), (Err(0), Ok(())));
        assert_eq!(room.try_reserve(0, || 31), Err(0), "past the bound nothing is admitted");
        assert_eq!(room.reserved_bytes(), 69);
    }

    #[test]
    fn figures_at_the_ends_of_their_range_do_not_wrap() {
        let room = room(u64::MAX);
        assert_eq!(room.try_reserve(u64::MAX, || 0), Err(MAX_SUM));
        assert_eq!(room.try_reserve(1, || u64::MAX), Err(0));
        assert_eq!(room.try_reserve(MAX_SUM, || 0), Ok(()));
        assert_eq!(room.try_reserve(1, || 0), Err(0));
        room.change(MAX_SUM, 0);
        assert_eq!(room.reserved_bytes(), 0);
        assert_eq!(Room::default().try_reserve(1, || 0), Err(0), "without a bound there is none");
    }

    #[test]
    fn what_is_settled_while_another_looks_is_not_overlooked_though_the_sum_is_the_same() {
        let room = room(101);
        assert_eq!(room.try_reserve(50, || 0), Ok(()));
        // The first reading is from before: then 50 come to be held, and 50 more are reserved.
        let looks = Cell::new(0);
        let held_bytes = || match looks.replace(looks.get() + 1) {
            0 => {
                room.change(50, 0);
                assert_eq!(room.try_reserve(50, || 50), Ok(()));
                0
            }
            _ => 50,
        };
        assert_eq!(room.try_reserve(50, held_bytes), Err(0));
        assert!(looks.get() >= 2);
    }
}
