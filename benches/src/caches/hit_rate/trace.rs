//! Requests to a cache: keys of a Zipf distribution, the same in every run.

use std::error::Error;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use rand_distr::{Distribution, Zipf};

/// Of every trace: the generator's own algorithm never changes.
const SEED: u64 = 5;

/// How many keys and requests a trace has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Keys that may be popular. Those of scans come on top.
    pub(super) keys: u64,
    pub(super) requests: usize,
}

/// What makes a trace more than draws from a Zipf distribution.
#[derive(Debug, Clone, Copy)]
enum Course {
    /// Nothing.
    Steady,
    /// Now and then a run of keys that are asked for once and never again.
    Scanned,
    /// Now and then other keys are the popular ones.
    Shifting,
}

/// A kind of trace.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) title: &'static str,
    exponent: f64,
    course: Course,
}

impl Kind {
    const fn new(title: &'static str, exponent: f64, course: Course) -> Self {
        Self { title, exponent, course }
    }
}

pub(super) const KINDS: [Kind; 4] = [
    Kind::new("Zipf 0.8", 0.8, Course::Steady),
    Kind::new("Zipf 1.0", 1.0, Course::Steady),
    Kind::new("Zipf 1.0, a third of it scans", 1.0, Course::Scanned),
    Kind::new("Zipf 1.0, shifting ten times", 1.0, Course::Shifting),
];

/// Scans, evenly over a trace, each half as long as what comes before it.
const SCANS: usize = 40;
/// Times that the popular keys are others, the first included.
const SHIFTS: usize = 10;

/// Keys in the order in which they are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trace {
    pub(super) keys: Vec<u64>,
}

impl Trace {
    /// The one trace of this kind and extent.
    pub(super) fn of(kind: &Kind, extent: Extent) -> Result<Self, Box<dyn Error>> {
        let zipf = Zipf::new(extent.keys as f64, kind.exponent)?;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        // Ranks are counted from one, keys from zero.
        let mut popular = || zipf.sample(&mut random) as u64 - 1;
        let mut never_before = extent.keys..;
        let key_at = |at: usize| match kind.course {
            Course::Scanned if is_scan(at, extent) => never_before.next().unwrap_or(u64::MAX),
            Course::Scanned | Course::Steady => popular(),
            Course::Shifting => {
                let shift = (at * SHIFTS / extent.requests) as u64;
                (popular() + shift * extent.keys / SHIFTS as u64) % extent.keys
            }
        };
        Ok(Self { keys: (0..extent.requests).map(key_at).collect() })
    }

    /// The requests whose hits are counted: those before fill the cache.
    pub(super) fn first_counted(&self) -> usize {
        self.keys.len() / 5
    }
}

/// Whether the request at `at` is of the last third of its stretch.
fn is_scan(at: usize, extent: Extent) -> bool {
    let stretch = (extent.requests / SCANS).max(1);
    at % stretch >= stretch * 2 / 3
}

/// Bytes of the value of a key: as large for popular keys as for others.
pub(super) fn value_bytes(key: u64) -> usize {
    // The high bits of a product with an odd number are as good as random.
    let mixed = key.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    LEAST_VALUE_BYTES + mixed as usize % (MOST_VALUE_BYTES - LEAST_VALUE_BYTES + 1)
}

const LEAST_VALUE_BYTES: usize = 50;
pub(super) const MOST_VALUE_BYTES: usize = 2_000;

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    const EXTENT: Extent = Extent { keys: 1_000, requests: 40_000 };

    fn traces() -> [Trace; 4] {
        KINDS.each_ref().map(|kind| Trace::of(kind, EXTENT).unwrap())
    }

    fn share_of(key: u64, keys: &[u64]) -> f64 {
        keys.iter().filter(|&&asked| asked == key).count() as f64 / keys.len() as f64
    }

    #[test]
    fn a_trace_is_the_same_each_time_and_each_kind_has_another() {
        let traces = traces();
        assert_eq!(traces, self::traces());
        for (index, trace) in traces.iter().enumerate() {
            assert_eq!(trace.keys.len(), EXTENT.requests);
            assert!(traces[..index].iter().all(|other| other != trace));
        }
    }

    #[test]
    fn a_trace_is_the_same_in_every_run() {
        let first = traces().map(|trace| trace.keys[..6].to_vec());
        assert_eq!(first[0], [15, 1, 93, 59, 612, 678]);
    }

    #[test]
    fn keys_are_asked_for_as_often_as_their_rank_says() {
        let [flat, steep, ..] = traces();
        // Of 1,000 keys the first has 1 / (1 + 1/2^s + 1/3^s + ...) of all requests.
        let first =
            |exponent: f64| 1.0 / (1..=1000).map(|k| f64::from(k).powf(-exponent)).sum::<f64>();
        assert!((share_of(0, &flat.keys) - first(0.8)).abs() < 0.01);
        assert!((share_of(0, &steep.keys) - first(1.0)).abs() < 0.01);
        assert!(flat.keys.iter().chain(&steep.keys).all(|&key| key < EXTENT.keys));
    }

    #[test]
    fn a_third_of_a_scanned_trace_is_asked_for_once_and_stands_together() {
        let [.., scanned, _] = traces();
        let scans: Vec<u64> =
            scanned.keys.iter().copied().filter(|&key| key >= EXTENT.keys).collect();
        assert!(scans.len().abs_diff(EXTENT.requests / 3) <= 2 * SCANS, "{}", scans.len());
        assert_eq!(scans.iter().collect::<HashSet<_>>().len(), scans.len());
        let runs = scanned.keys.chunk_by(|one, next| one + 1 == *next && *one >= EXTENT.keys);
        assert_eq!(runs.filter(|run| run.len() > 100).count(), SCANS);
    }

    #[test]
    fn the_most_popular_key_of_a_shifting_trace_is_another_in_each_tenth() {
        let [.., shifting] = traces();
        let most_popular = |keys: &[u64]| {
            let mut asked = HashMap::new();
            keys.iter().for_each(|&key| *asked.entry(key).or_insert(0) += 1);
            asked.into_iter().max_by_key(|&(_, times)| times).map(|(key, _)| key)
        };
        for (shift, keys) in shifting.keys.chunks(EXTENT.requests / SHIFTS).enumerate() {
            assert_eq!(most_popular(keys), Some(shift as u64 * 100));
        }
    }

    #[test]
    fn values_are_of_all_sizes_and_of_the_same_size_each_time() {
        let sizes: Vec<usize> = (0..100_000).map(value_bytes).collect();
        assert_eq!(sizes.iter().min(), Some(&LEAST_VALUE_BYTES));
        assert_eq!(sizes.iter().max(), Some(&MOST_VALUE_BYTES));
        for some in [&sizes[..1_000], &sizes[50_000..]] {
            let mean = some.iter().sum::<usize>() / some.len();
            assert!((975..=1075).contains(&mean), "{mean}");
        }
    }
}
