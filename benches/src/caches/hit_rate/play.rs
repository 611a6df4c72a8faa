//! A trace played to a cache.

use std::error::Error;

use bursar::tag_usage;

use super::contestant::{Contestant, Seated};
use super::trace::Trace;

/// What a cache did with a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Played {
    hits: usize,
    lookups: usize,
    entries: u64,
    /// Of its tag when the trace was over: keys, values, tables and whatever else it has.
    pub(super) live_bytes: u64,
}

impl Played {
    pub(super) fn hit_percent(&self) -> f64 {
        100.0 * self.hits as f64 / self.lookups as f64
    }

    pub(super) fn bytes_an_entry(&self) -> f64 {
        self.live_bytes as f64 / self.entries as f64
    }
}

/// Plays a trace to a new cache of this capacity.
pub(super) fn play(
    contestant: Contestant,
    capacity: usize,
    trace: &Trace,
) -> Result<Played, Box<dyn Error>> {
    let Seated { tag, mut player } = (contestant.seat)(capacity)?;
    let (filling, counted) = trace.keys.split_at(trace.first_counted());
    let (hits, entries) = tag.scope(|| {
        for &key in filling {
            player.ask(key);
        }
        let hits = counted.iter().filter(|&&key| player.ask(key)).count();
        (hits, player.entries())
    });
    let live_bytes = tag_usage(&tag).live_bytes;
    // Freed under its tag as well, should it allocate to do so.
    tag.scope(|| drop(player));
    Ok(Played { hits, lookups: counted.len(), entries, live_bytes })
}

#[cfg(test)]
mod tests {
    use super::super::contestant::bounded_by_entries;
    use super::*;

    #[test]
    fn hits_are_counted_once_the_cache_has_had_its_time_to_fill() {
        // Ten keys, of which the third and fourth ones alone repeat what is still there.
        let keys = vec![1, 2, 1, 3, 1, 4, 5, 6, 7, 8];
        let lru = bounded_by_entries()[0];
        let played = play(lru, 2, &Trace { keys: keys.clone() }).unwrap();
        assert_eq!((played.hits, played.lookups, played.entries), (2, 8, 2));
        assert!((played.hit_percent() - 25.0).abs() < 1e-9);
        // With room for two, 2 is gone when it is asked for again, but not with room for three.
        let keys = vec![0, 0, 1, 2, 3, 1, 0, 0, 0, 0];
        let hits = |capacity| play(lru, capacity, &Trace { keys: keys.clone() }).unwrap().hits;
        assert_eq!([hits(2), hits(3)], [3, 4]);
    }

    #[test]
    fn a_cache_with_room_for_every_key_misses_none_that_it_has_had() {
        let keys: Vec<u64> = (0..100).cycle().take(1_000).collect();
        for contestant in bounded_by_entries() {
            let played = play(contestant, 2_000, &Trace { keys: keys.clone() }).unwrap();
            assert_eq!((played.hits, played.entries), (800, 100), "{}", contestant.title);
        }
    }
}
