//! Nanoseconds of a look-up that finds its value, on one thread and on two.

use std::error::Error;
use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use bursar::{Cache, Tag};

use super::sharded_lru::ShardedLru;
use super::{Extent, Value, table};
use crate::measure::{Spread, Table, cell, compared, in_turns};
use crate::random::Random;

static CACHE: Tag = Tag::new("get/cache");
static LRU: Tag = Tag::new("get/lru");

const ENTRIES: usize = 10_000;
const VALUE_BYTES: usize = 100;
/// What a round looks up, on each thread.
const HITS: usize = 2_000_000;
const QUICK_HITS: usize = 20_000;
/// The keys of a thread, which it goes through again and again.
const ORDER_LEN: usize = 1 << 16;
const THREADS: [usize; 2] = [1, 2];

/// The table of hits: ours, those of the sharded lru, and the ratio of the two.
pub(super) fn measure(extent: Extent) -> Result<Table, Box<dyn Error>> {
    let hits = extent.of(HITS, QUICK_HITS);
    let (cache, lru) = (full_cache(), full_lru());
    let mut table =
        table(["a hit among 10,000, in ns", "Bursar's Cache", "sharded lru", "ratio", "bar"]);
    for threads in THREADS {
        eprintln!("{} rounds of hits, threads: {threads}", extent.rounds);
        let orders = orders(threads);
        let nanos = in_turns(extent.rounds, 2, |contestant| match contestant {
            0 => nanos_of_a_hit(&orders, hits, |key| cache.get(key)),
            _ => nanos_of_a_hit(&orders, hits, |key| lru.get(key)),
        })?;
        let [ours, bare] = [&nanos[0], &nanos[1]];
        table.add([
            format!("{threads} thread{}", if threads == 1 { "" } else { "s" }),
            cell(Spread::of(ours.iter().copied()), 1),
            cell(Spread::of(bare.iter().copied()), 1),
            cell(compared(ours, bare, |ours, bare| ours / bare), 2),
            "<= 1.30".to_owned(),
        ]);
    }
    Ok(table)
}

fn full_cache() -> Cache<u64, Value> {
    let cache = Cache::new(&CACHE);
    for key in 0..ENTRIES as u64 {
        cache.get_or_insert_with(key, || Value::from([0; VALUE_BYTES]));
    }
    cache
}

fn full_lru() -> ShardedLru {
    LRU.scope(|| {
        let lru = ShardedLru::unbounded();
        for key in 0..ENTRIES as u64 {
            lru.insert(key, Value::from([0; VALUE_BYTES]));
        }
        lru
    })
}

/// Keys in random order, others for each thread.
fn orders(threads: usize) -> Vec<Vec<u64>> {
    let mut random = Random::new();
    let mut order = || (0..ORDER_LEN).map(|_| random.between(0, ENTRIES - 1) as u64).collect();
    (0..threads).map(|_| order()).collect()
}

/// Of the slowest thread, while each of them looks up keys in an order of its own.
fn nanos_of_a_hit(
    orders: &[Vec<u64>],
    hits: usize,
    get: impl Fn(&u64) -> Option<Value> + Sync,
) -> Result<f64, Box<dyn Error>> {
    let all_ready = Barrier::new(orders.len());
    let run = |order: &[u64]| {
        all_ready.wait();
        look_up(order, hits, &get)
    };
    let times: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = orders.iter().map(|order| scope.spawn(|| run(order))).collect();
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    let mut slowest = Duration::ZERO;
    for time in times {
        let (time, misses) = time.map_err(|_| "a thread that looks keys up panicked")?;
        if misses > 0 {
            return Err(format!("{misses} of {hits} keys were not there").into());
        }
        slowest = slowest.max(time);
    }
    Ok(slowest.as_secs_f64() * 1e9 / hits as f64)
}

/// The time of so many look-ups, and how many of them found nothing.
fn look_up(
    order: &[u64],
    lookups: usize,
    get: impl Fn(&u64) -> Option<Value>,
) -> (Duration, usize) {
    let mut misses = 0;
    let begun = Instant::now();
    for key in order.iter().cycle().take(lookups) {
        misses += usize::from(black_box(get(key)).is_none());
    }
    (begun.elapsed(), misses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_missing_is_an_error_and_no_quick_hit() {
        let orders = orders(2);
        let value = Value::from([0]);
        let all = nanos_of_a_hit(&orders, 100, |_| Some(value.clone())).unwrap();
        assert!(all > 0.0);
        let absent = orders[1][0];
        let get = |key: &u64| (*key != absent).then(|| value.clone());
        let error = nanos_of_a_hit(&orders, ORDER_LEN, get).unwrap_err().to_string();
        assert!(error.contains("were not there"), "{error}");
    }

    #[test]
    fn threads_look_up_different_keys_and_all_of_them_are_held() {
        let orders = orders(2);
        assert_ne!(orders[0], orders[1]);
        let lru = full_lru();
        assert!(orders.iter().flatten().all(|key| lru.get(key).is_some()));
    }
}
