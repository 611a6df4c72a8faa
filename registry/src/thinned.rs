//! [`Thinned`]: points over time that always span the whole run, in bounded memory.

use std::collections::VecDeque;
use std::time::Duration;

/// What a [`Thinned`] holds.
pub(crate) trait Point: Sized + Copy {
    fn at(&self) -> Duration;

    /// One point for two that share a place.
    fn merge(self, later: Self) -> Self;
}

/// At most `capacity` points, one for each `spacing` of time. When there are too many, the
/// spacing doubles and neighbours are merged, so that they span all that was pushed.
///
/// A push costs next to nothing, and once in `capacity` / 2 of them a pass over all.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Thinned<T> {
    capacity: usize,
    spacing: Duration,
    points: VecDeque<T>,
}

impl<T: Point> Thinned<T> {
    pub(crate) fn new(capacity: usize, spacing: Duration) -> Self {
        Self { capacity, spacing, points: VecDeque::new() }
    }

    /// Adds a point. One that is earlier than the last shares its place.
    pub(crate) fn push(&mut self, point: T) {
        let place = self.place(point.at());
        match self.points.back_mut() {
            Some(last) if place <= place_of(last.at(), self.spacing) => *last = last.merge(point),
            _ => {
                while self.points.len() >= self.capacity.max(2) {
                    self.thin();
                }
                self.points.push_back(point);
            }
        }
    }

    /// The time that a point stands for.
    #[cfg(feature = "serde")]
    pub(crate) fn spacing(&self) -> Duration {
        self.spacing
    }

    pub(crate) fn iter(&self) -> std::collections::vec_deque::Iter<'_, T> {
        self.points.iter()
    }

    fn place(&self, at: Duration) -> u128 {
        place_of(at, self.spacing)
    }

    fn thin(&mut self) {
        self.spacing = self.spacing.saturating_mul(2).max(Duration::from_nanos(1));
        let mut kept = 0;
        for index in 1..self.points.len() {
            let point = self.points[index];
            if self.place(point.at()) == self.place(self.points[kept].at()) {
                self.points[kept] = self.points[kept].merge(point);
            } else {
                kept += 1;
                self.points[kept] = point;
            }
        }
        self.points.truncate(kept + 1);
    }
}

fn place_of(at: Duration, spacing: Duration) -> u128 {
    at.as_nanos() / spacing.as_nanos().max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct Highest(Duration, u64);

    impl Point for Highest {
        fn at(&self) -> Duration {
            self.0
        }

        fn merge(self, later: Self) -> Self {
            if later.1 > self.1 { later } else { self }
        }
    }

    proptest! {
        #[test]
        fn points_stay_few_and_in_order_and_the_highest_is_always_among_them(
            steps in proptest::collection::vec((0u64..100_000, any::<u64>()), 1..400),
        ) {
            let mut thinned = Thinned::new(16, Duration::from_millis(100));
            let mut now = Duration::ZERO;
            for (step_ms, height) in &steps {
                now = now.saturating_add(Duration::from_millis(*step_ms));
                thinned.push(Highest(now, *height));
            }
            let points: Vec<_> = thinned.iter().collect();
            prop_assert!((1..=16).contains(&points.len()));
            prop_assert!(points.is_sorted_by(|a, b| a.0 < b.0));
            let highest = steps.iter().map(|step| step.1).max();
            prop_assert_eq!(points.iter().map(|point| point.1).max(), highest);
            prop_assert!(now - points[points.len() - 1].0 < thinned.spacing);
        }
    }

    #[test]
    fn a_time_past_all_bounds_is_taken_like_any_other() {
        let mut thinned = Thinned::new(4, Duration::from_millis(100));
        for at in [0, 1, u64::MAX / 2, u64::MAX - 1, u64::MAX, 3] {
            thinned.push(Highest(Duration::from_secs(at), at));
        }
        assert!(thinned.iter().count() <= 4);
        assert_eq!(thinned.iter().map(|point| point.1).max(), Some(u64::MAX));
    }
}
