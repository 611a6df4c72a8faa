//! When a thread's next sample is due: a Poisson process over the bytes that it allocates.

use std::cell::Cell;

use crate::primitive::{AtomicU64, Ordering};

/// The mean number of bytes from one sample to the next, or zero: no samples are taken.
static INTERVAL_BYTES: AtomicU64 = AtomicU64::new(0);

/// What the next thread to sample begins its random numbers with.
static SEED: AtomicU64 = AtomicU64::new(0);

/// 2^64 over the golden ratio: steps of it spread evenly.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Sets the interval for all threads, each from its next allowance on; zero: no more samples.
pub(crate) fn set_interval_bytes(bytes: u64) {
    INTERVAL_BYTES.store(bytes, Ordering::Relaxed);
}

/// The interval in force, or zero.
pub(crate) fn interval_bytes() -> u64 {
    INTERVAL_BYTES.load(Ordering::Relaxed)
}

/// The bytes that one thread has left until its next sample.
///
/// The distances between samples are drawn from an exponential distribution. That has no memory,
/// so it matters neither where on a thread they begin nor that they are counted by thread: all
/// bytes that are allocated have the same chance. Looked at only where fuel runs out.
#[derive(Debug)]
pub(crate) struct Countdown {
    left: Cell<i64>,
    /// The interval that `left` was drawn for.
    interval_bytes: Cell<u64>,
    /// The state of the random numbers; zero until it has been seeded.
    random: Cell<u64>,
}

impl Countdown {
    pub(crate) const fn new() -> Self {
        Self { left: Cell::new(i64::MAX), interval_bytes: Cell::new(0), random: Cell::new(0) }
    }

    /// The bytes until the next sample, at least one.
    pub(crate) fn left(&self) -> i64 {
        self.left.get()
    }

    /// Passes the bytes that were allocated since the last time. If the sample was due in them,
    /// the interval that it was drawn by, and the next one is drawn.
    pub(crate) fn pass(&self, bytes: i64) -> Option<u64> {
        self.pass_at(interval_bytes(), bytes)
    }

    fn pass_at(&self, interval: u64, bytes: i64) -> Option<u64> {
        if interval != self.interval_bytes.replace(interval) {
            self.left.set(self.draw(interval));
            return None;
        }
        if interval == 0 {
            return None;
        }
        let left = self.left.get().saturating_sub(bytes);
        if left > 0 {
            self.left.set(left);
            return None;
        }
        self.left.set(self.draw(interval));
        Some(interval)
    }

    /// Draws lots: true with this probability.
    pub(crate) fn draw_lots(&self, probability: f64) -> bool {
        self.uniform() <= probability
    }

    /// By inversion: minus the logarithm of a uniform number, times the mean.
    fn draw(&self, interval: u64) -> i64 {
        if interval == 0 {
            return i64::MAX;
        }
        // Rounded up: a byte is hit or not, and a block has at least one.
        (-self.uniform().ln() * interval as f64).ceil().clamp(1.0, (i64::MAX / 2) as f64) as i64
    }

    /// A random number above 0, and 1 at most.
    fn uniform(&self) -> f64 {
        let mut state = self.random.get();
        if state == 0 {
            // Where the thread's own memory lies, too: that differs from run to run.
            state = SEED.fetch_add(GOLDEN, Ordering::Relaxed) ^ (&raw const *self).addr() as u64;
        }
        // SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
        state = state.wrapping_add(GOLDEN);
        self.random.set(state);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // The 53 bits that a double has.
        ((mixed >> 11) + 1) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: u64 = 10_000;
    /// Miri takes its time for each: there, that nothing is undefined has to do.
    const DRAWS: usize = if cfg!(miri) { 100 } else { 100_000 };

    fn counting() -> Countdown {
        let countdown = Countdown { interval_bytes: Cell::new(INTERVAL), ..Countdown::new() };
        countdown.left.set(countdown.draw(INTERVAL));
        countdown
    }

    #[test]
    fn distances_are_exponential_with_the_interval_as_their_mean() {
        let countdown = counting();
        let draws: Vec<i64> = (0..DRAWS).map(|_| countdown.draw(INTERVAL)).collect();
        assert!(draws.iter().all(|&draw| draw >= 1));
        if cfg!(miri) {
            return;
        }
        let mean = draws.iter().sum::<i64>() as f64 / draws.len() as f64;
        // The standard error of the mean of so many is 32; of the share below 0.16 %.
        assert!((mean - INTERVAL as f64).abs() < 200.0, "{mean}");
        let up_to_the_mean = draws.iter().filter(|&&draw| draw <= INTERVAL as i64).count();
        let share = up_to_the_mean as f64 / draws.len() as f64;
        assert!((share - (1.0 - (-1.0f64).exp())).abs() < 0.01, "{share}");
    }

    #[test]
    fn lots_fall_as_often_as_they_should() {
        let countdown = counting();
        let won = (0..DRAWS).filter(|_| countdown.draw_lots(0.25)).count();
        assert!(cfg!(miri) || (24_000..26_000).contains(&won), "{won}");
        assert!(!(0..DRAWS).any(|_| countdown.draw_lots(0.0)));
        assert!((0..DRAWS).all(|_| countdown.draw_lots(1.0)));
    }

    #[test]
    fn two_threads_draw_differently() {
        let draws = |countdown: Countdown| -> Vec<i64> {
            (0..10).map(|_| countdown.draw(INTERVAL)).collect()
        };
        assert_ne!(draws(counting()), draws(counting()));
    }

    #[test]
    fn a_sample_is_due_where_the_bytes_drawn_are_passed() {
        let countdown = Countdown::new();
        assert_eq!(countdown.pass_at(INTERVAL, 1 << 40), None, "what was before it is on");
        for _ in 0..DRAWS / 100 {
            let left = countdown.left();
            assert_eq!(countdown.pass_at(INTERVAL, left - 1), None);
            assert_eq!(countdown.left(), 1);
            assert_eq!(countdown.pass_at(INTERVAL, 1), Some(INTERVAL));
        }
        let passed = countdown.pass_at(INTERVAL, i64::MAX);
        assert_eq!(passed, Some(INTERVAL), "a block is sampled once, however large");
    }

    #[test]
    fn off_nothing_is_due_and_on_again_nothing_of_what_was_meanwhile() {
        let countdown = Countdown::new();
        assert_eq!(countdown.pass_at(0, 1 << 40), None);
        assert_eq!(countdown.left(), i64::MAX);
        assert_eq!(countdown.pass_at(INTERVAL, 1 << 40), None);
        assert!(countdown.left() < i64::MAX);
        assert_eq!(countdown.pass_at(0, 1 << 40), None);
        assert_eq!(countdown.left(), i64::MAX);
        assert_eq!(countdown.pass_at(INTERVAL, 1 << 40), None);
    }
}
