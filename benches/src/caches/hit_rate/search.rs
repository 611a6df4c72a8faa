//! Which capacity of a cache comes to so many bytes.

/// A try at another capacity could not come much nearer: bytes that a search may be off, as a
/// share of those looked for.
const TOLERANCE: f64 = 0.002;
/// Bytes grow about as capacities do: so many tries follow that, the others halve what is left.
const PROPORTIONAL_TRIES: usize = 4;
const TRIES: usize = 14;

/// The capacity, of those tried, whose bytes are nearest to `target_bytes`.
///
/// `bytes_at` tells the bytes of a capacity: more of them for a larger one, by and large. A cache
/// that takes its memory in great steps may come no nearer than half a step.
pub(super) fn nearest_capacity<E>(
    target_bytes: u64,
    first_guess: usize,
    mut bytes_at: impl FnMut(usize) -> Result<u64, E>,
) -> Result<usize, E> {
    // What was tried last on either side.
    let (mut below, mut above) = (0, usize::MAX);
    let mut best: Option<(u64, usize)> = None;
    let mut capacity = first_guess.max(1);
    for tried in 1..=TRIES {
        let bytes = bytes_at(capacity)?;
        let off_bytes = bytes.abs_diff(target_bytes);
        if best.is_none_or(|(nearest, _)| off_bytes < nearest) {
            best = Some((off_bytes, capacity));
        }
        if off_bytes as f64 <= TOLERANCE * target_bytes as f64 {
            break;
        }
        match bytes < target_bytes {
            true => below = capacity,
            false => above = capacity,
        }
        if above - below <= 1 {
            break;
        }
        let by_share = (capacity as f64 * target_bytes as f64 / bytes.max(1) as f64) as usize;
        let next = match above < usize::MAX && tried >= PROPORTIONAL_TRIES {
            true => below.midpoint(above),
            false => by_share,
        };
        capacity = next.clamp(below + 1, above - 1);
    }
    Ok(best.map_or(first_guess, |(_, capacity)| capacity))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The capacity found, and what was tried for it.
    fn found(target_bytes: u64, bytes_at: impl Fn(usize) -> u64) -> (usize, Vec<usize>) {
        let mut tried = Vec::new();
        let capacity = nearest_capacity(target_bytes, 1_000, |capacity| {
            tried.push(capacity);
            Ok::<_, ()>(bytes_at(capacity))
        });
        (capacity.unwrap(), tried)
    }

    #[test]
    fn bytes_in_proportion_are_found_at_the_second_try() {
        let (capacity, tried) = found(500_000, |capacity| capacity as u64 * 1_100);
        assert_eq!((capacity, tried), (454, vec![1_000, 454]));
    }

    #[test]
    fn a_guess_that_is_right_is_not_followed_by_another() {
        assert_eq!(found(1_100_000, |capacity| capacity as u64 * 1_100), (1_000, vec![1_000]));
    }

    #[test]
    fn memory_that_is_there_whatever_the_capacity_is_allowed_for() {
        let bytes_at = |capacity| 300_000 + capacity as u64 * 500;
        let (capacity, tried) = found(600_000, bytes_at);
        assert!(bytes_at(capacity).abs_diff(600_000) <= 1_200, "{capacity} of {tried:?}");
    }

    #[test]
    fn of_memory_in_steps_the_nearest_is_taken() {
        let bytes_at = |capacity: usize| capacity.next_power_of_two() as u64 * 100;
        // Between 102,400 and 204,800.
        assert_eq!(bytes_at(found(120_000, bytes_at).0), 102_400);
        assert_eq!(bytes_at(found(190_000, bytes_at).0), 204_800);
    }

    #[test]
    fn the_search_ends_where_there_is_nothing_to_find() {
        assert_eq!(found(50, |_| 1_000).0, 1_000);
        let (capacity, tried) = found(1_000_000, |_| 0);
        assert!(capacity >= 1 && tried.len() <= TRIES, "{tried:?}");
    }

    #[test]
    fn a_try_that_fails_ends_the_search() {
        assert_eq!(nearest_capacity(1, 1, |_| Err("out of order")), Err("out of order"));
    }
}
