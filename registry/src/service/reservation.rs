//! [`Reservation`]: room in the budget for work that knows how much it needs.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::status::Shared;

/// Bytes of the budget that nobody else is promised, until it is dropped. Made by
/// [`Bursar::try_reserve`](crate::Bursar::try_reserve).
///
/// It allocates nothing and forbids nothing: it is for those who ask before they begin. What the
/// work comes to hold is counted by the allocator as well, so for as long as it is not
/// [settled](Self::settle), it counts twice: then others are refused too early, never too late.
///
/// `Send` and `Sync`.
#[must_use = "nothing is reserved once it is dropped"]
pub struct Reservation {
    shared: Arc<Shared>,
    bytes: u64,
    /// Its part in the sum of what is reserved and not held yet. Both change under the lock: changes
    /// that overtake each other would take the sum below zero, which reads as 256 TiB.
    outstanding_bytes: Mutex<u64>,
}

impl Reservation {
    /// Reserves `bytes` beside what `held_bytes` reads.
    ///
    /// # Errors
    ///
    /// What would have fitted.
    pub(crate) fn try_new(
        shared: &Arc<Shared>,
        bytes: u64,
        held_bytes: impl Fn() -> u64,
    ) -> Result<Self, u64> {
        shared.room().try_reserve(bytes, held_bytes)?;
        let outstanding_bytes = Mutex::new(bytes);
        Ok(Self { shared: Arc::clone(shared), bytes, outstanding_bytes })
    }

    /// What was reserved.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What of it is not held yet: what it keeps from others beside what the allocator counts.
    #[must_use]
    pub fn outstanding_bytes(&self) -> u64 {
        *self.lock()
    }

    /// Says that `held_bytes` of it are held by now, on the heap or by a
    /// [`Charge`](crate::Charge), so that only the rest stays outstanding. For a request, its
    /// [`net_bytes`](crate::RequestUsage::net_bytes) so far, in which what others freed for it
    /// counts as held. A lock of its own and an atomic operation.
    ///
    /// It says how things stand, and may go up and down: what was held and is freed again is
    /// outstanding again, since the work may need it a second time. Below zero is as zero, and
    /// more than was reserved as all of it. Settle after the bytes are allocated, and before they
    /// are freed where that can be: in between, others may be given what is freed.
    pub fn settle(&self, held_bytes: i64) {
        let held_bytes = u64::try_from(held_bytes).unwrap_or(0);
        let rest = self.bytes.saturating_sub(held_bytes);
        let mut outstanding_bytes = self.lock();
        if rest != *outstanding_bytes {
            self.shared.room().change(*outstanding_bytes, rest);
            *outstanding_bytes = rest;
        }
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // Nothing under it panics.
        self.outstanding_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let outstanding_bytes = *self.lock();
        self.shared.room().change(outstanding_bytes, 0);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("bytes", &self.bytes)
            .field("outstanding_bytes", &self.outstanding_bytes())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use proptest::prelude::*;

    use super::*;

    fn shared(bound_bytes: u64) -> Arc<Shared> {
        let shared = Arc::new(Shared::default());
        shared.room().set_bound(bound_bytes);
        shared
    }

    #[test]
    fn of_threads_that_ask_at_once_just_as_many_are_admitted_as_there_is_room_for() {
        const THREADS: u64 = 8;
        const EACH: u64 = 50;
        let shared = shared(100 * 7 + 1);
        let all_are_here = Barrier::new(THREADS as usize);
        let admitted: Vec<Reservation> = thread::scope(|threads| {
            let ask = || {
                all_are_here.wait();
                (0..EACH).filter_map(|_| Reservation::try_new(&shared, 7, || 0).ok()).collect()
            };
            let asking: Vec<_> = (0..THREADS).map(|_| threads.spawn(ask)).collect();
            asking
                .into_iter()
                .flat_map(|asks: thread::ScopedJoinHandle<'_, Vec<_>>| asks.join().unwrap())
                .collect()
        });
        assert_eq!(admitted.len(), 100);
        assert_eq!(shared.room().reserved_bytes(), 700);
        drop(admitted);
        assert_eq!(shared.room().reserved_bytes(), 0);
    }

    #[test]
    fn what_is_held_and_reserved_never_passes_the_bound_while_threads_reserve_hold_and_settle() {
        const BOUND: u64 = 1000;
        let (shared, held) = (shared(BOUND), AtomicU64::new(0));
        thread::scope(|threads| {
            for thread in 1..=4 {
                let (shared, held) = (&shared, &held);
                threads.spawn(move || {
                    for round in 0..2000 {
                        let bytes = 100 + (thread * 37 + round * 11) % 300;
                        let read = || held.load(Ordering::Relaxed);
                        let Ok(reservation) = Reservation::try_new(shared, bytes, read) else {
                            continue;
                        };
                        let now = held.fetch_add(bytes, Ordering::Relaxed) + bytes;
                        assert!(now < BOUND, "{now} are held");
                        reservation.settle(bytes as i64);
                        held.fetch_sub(bytes, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(shared.room().reserved_bytes(), 0);
    }

    #[test]
    fn what_is_freed_again_is_outstanding_again_within_what_was_reserved() {
        let shared = shared(1000);
        let reservation = Reservation::try_new(&shared, 100, || 0).unwrap();
        for (held_bytes, outstanding_bytes) in
            [(30, 70), (100, 0), (40, 60), (0, 100), (-5, 100), (i64::MAX, 0), (i64::MIN, 100)]
        {
            reservation.settle(held_bytes);
            assert_eq!(reservation.outstanding_bytes(), outstanding_bytes);
            assert_eq!(shared.room().reserved_bytes(), outstanding_bytes);
        }
        assert_eq!(reservation.bytes(), 100);
    }

    #[test]
    fn a_reservation_that_many_threads_settle_is_never_more_than_itself_and_leaves_nothing() {
        let shared = shared(10_000);
        let reservation = Reservation::try_new(&shared, 1000, || 0).unwrap();
        thread::scope(|threads| {
            for thread in 0..4 {
                let (shared, reservation) = (&shared, &reservation);
                threads.spawn(move || {
                    for step in 0..20_000 {
                        reservation.settle((thread * 331 + step * 7) % 1200);
                        let reserved_bytes = shared.room().reserved_bytes();
                        assert!(reserved_bytes <= 1000, "{reserved_bytes} at step {step}");
                    }
                });
            }
        });
        assert_eq!(shared.room().reserved_bytes(), reservation.outstanding_bytes());
        drop(reservation);
        assert_eq!(shared.room().reserved_bytes(), 0);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Reserve(u64),
        Settle(usize, i64),
        Drop(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u64..400).prop_map(Step::Reserve),
            (any::<usize>(), -100i64..500).prop_map(|(index, held)| Step::Settle(index, held)),
            any::<usize>().prop_map(Step::Drop),
        ]
    }

    proptest! {
        #[test]
        fn the_sum_is_what_the_living_have_outstanding_and_zero_when_all_are_gone(
            steps in prop::collection::vec(step(), 1..60),
        ) {
            let shared = shared(1000);
            let mut living: Vec<(Reservation, u64)> = Vec::new();
            for step in steps {
                let sum: u64 = living.iter().map(|(_, rest)| rest).sum();
                match step {
                    Step::Reserve(bytes) => {
                        let reservation = Reservation::try_new(&shared, bytes, || 0);
                        prop_assert_eq!(reservation.is_ok(), sum + bytes < 1000);
                        living.extend(reservation.ok().map(|reservation| (reservation, bytes)));
                    }
                    Step::Settle(index, held) if !living.is_empty() => {
                        let index = index % living.len();
                        let (reservation, rest) = &mut living[index];
                        reservation.settle(held);
                        *rest = reservation.bytes().saturating_sub(held.max(0).unsigned_abs());
                    }
                    Step::Drop(index) if !living.is_empty() => {
                        drop(living.swap_remove(index % living.len()));
                    }
                    Step::Settle(..) | Step::Drop(_) => {}
                }
                let sum: u64 = living.iter().map(|(_, rest)| rest).sum();
                prop_assert_eq!(shared.room().reserved_bytes(), sum);
            }
            living.clear();
            prop_assert_eq!(shared.room().reserved_bytes(), 0);
        }
    }
}
