//! Takes the container's limit to where the plan wants it.

use crate::container::Container;
use std::io;

/// What a limit that comes down leaves above what is used: a share of the limit,
/// less than Bursar leaves of it, so that there is always a next step down.
const ROOM: u64 = 12;

/// The limit in force, and how often it was changed.
#[derive(Debug)]
pub(crate) struct Limiter {
    goals: Vec<u64>,
    pub(crate) bytes: u64,
    pub(crate) changes: u64,
}

impl Limiter {
    /// Begins with the first of `goals`, one for each second.
    pub(crate) fn new(goals: Vec<u64>) -> Self {
        Self { bytes: goals.first().copied().unwrap_or(0), goals, changes: 0 }
    }

    /// Changes the limit, if it is not what it should be in this second.
    pub(crate) fn step(&mut self, second: usize, container: &Container) {
        let used = container.figures().usage();
        let Some((goal, used)) = self.goals.get(second).copied().zip(used) else { return };
        let next = next(self.bytes, goal, used);
        if next != self.bytes && self.set(next, container).is_ok() {
            self.changes += 1;
        }
    }

    /// Refused is what cannot be reclaimed: it is tried again in a second.
    fn set(&mut self, bytes: u64, container: &Container) -> io::Result<()> {
        container.set_limit(bytes)?;
        self.bytes = bytes;
        Ok(())
    }
}

/// Up at once; down step by step, as whoever resizes a container in use has to:
/// no lower than leaves some room above what is used.
fn next(limit: u64, goal: u64, used: u64) -> u64 {
    if goal >= limit {
        return goal;
    }
    let pages = (used + limit / ROOM) >> 12 << 12;
    pages.clamp(goal, limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_limit_goes_up_at_once() {
        assert_eq!(next(96 * MIB, 160 * MIB, 95 * MIB), 160 * MIB);
    }

    #[test]
    fn a_limit_comes_down_no_lower_than_leaves_room_above_what_is_used() {
        assert_eq!(next(120 * MIB, 96 * MIB, 20 * MIB), 96 * MIB);
        assert_eq!(next(120 * MIB, 96 * MIB, 100 * MIB), 110 * MIB);
        assert_eq!(next(120 * MIB, 96 * MIB, 119 * MIB), 120 * MIB);
    }
}
