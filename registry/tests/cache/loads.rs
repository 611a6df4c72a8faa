//! One loader a key, on threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use bursar::{Cache, Tag};

use crate::{Bytes, COUNTERS, fill};

#[test]
fn threads_that_miss_one_key_at_once_get_the_value_of_one_load() {
    static TAG: Tag = Tag::new("cache/one-load");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let loads = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let value = cache.get_or_insert_with(1, || {
                    loads.fetch_add(1, Ordering::Relaxed);
                    // Until all others have missed the key, too.
                    while cache.stats().misses_total < 8 {
                        std::thread::yield_now();
                    }
                    vec![7; 100].into()
                });
                assert_eq!(value.len(), 100);
            });
        }
    });
    let stats = cache.stats();
    assert_eq!((loads.into_inner(), stats.loads_total, stats.inserted_total), (1, 1, 1));
    assert_eq!((stats.hits_total, stats.misses_total), (0, 8));
    assert_eq!(stats.unattributed_bytes, 0);
}

#[test]
fn different_keys_load_at_the_same_time() {
    static TAG: Tag = Tag::new("cache/many-loads");
    let cache: Cache<u64, u64> = Cache::builder(&TAG).max_entries(10).build().unwrap();
    let all_inside = Barrier::new(4);
    std::thread::scope(|scope| {
        for key in 0..4 {
            let (cache, all_inside) = (&cache, &all_inside);
            scope.spawn(move || {
                cache.get_or_insert_with(key, || {
                    all_inside.wait();
                    key
                })
            });
        }
    });
    assert_eq!(cache.stats().loads_total, 4);
}

#[test]
fn a_load_that_fails_leaves_nothing_behind_and_the_next_tries_anew() {
    static TAG: Tag = Tag::new("cache/failing");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    let failed = cache.try_get_or_insert_with(1, || {
        let _lost = vec![0u8; 500];
        Err("no backend")
    });
    assert_eq!(failed, Err("no backend"));
    assert!(cache.is_empty());
    let loaded = cache.try_get_or_insert_with(1, || Ok::<Bytes, &str>(vec![1; 10].into()));
    assert_eq!(loaded.map(|value| value.len()), Ok(10));
    let stats = cache.stats();
    assert_eq!((stats.loads_total, stats.load_failures_total), (1, 1));
    assert_eq!(stats.unattributed_bytes, 0);
}

#[test]
fn a_load_that_panics_does_so_to_its_caller_and_the_next_tries_anew() {
    static TAG: Tag = Tag::new("cache/panicking-load");
    let cache: Cache<u64, u64> = Cache::new(&TAG);
    let panics = || cache.get_or_insert_with(1, || panic!("a loader of the test"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    assert_eq!(cache.get_or_insert_with(1, || 5), 5);
    let stats = cache.stats();
    assert_eq!((stats.loads_total, stats.load_failures_total), (1, 1));
}

#[test]
fn threads_that_miss_a_key_whose_load_panics_all_get_a_value_in_the_end() {
    static TAG: Tag = Tag::new("cache/panic-in-a-crowd");
    let cache: Cache<u64, u64> = Cache::new(&TAG);
    let first = AtomicU64::new(0);
    let load = || {
        let is_first = first.fetch_add(1, Ordering::Relaxed) == 0;
        while is_first && cache.stats().misses_total < 6 {
            std::thread::yield_now();
        }
        assert!(!is_first, "the first load of the test");
        3
    };
    let get = || catch_unwind(AssertUnwindSafe(|| cache.get_or_insert_with(1, load))).ok();
    let values: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..6).map(|_| scope.spawn(get)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(values.iter().filter(|value| **value == Some(3)).count(), 5);
    assert_eq!(cache.stats().load_failures_total, 1);
}

#[test]
fn a_loader_may_look_up_other_keys_and_its_own() {
    static TAG: Tag = Tag::new("cache/recursion");
    let cache: Cache<u64, u64> = Cache::new(&TAG);
    fn sum_to(cache: &Cache<u64, u64>, n: u64) -> u64 {
        cache.get_or_insert_with(n, || if n == 0 { 0 } else { n + sum_to(cache, n - 1) })
    }
    assert_eq!(sum_to(&cache, 40), 820);
    assert_eq!(cache.stats().entries, 41);

    let value = cache.get_or_insert_with(99, || 1 + cache.get_or_insert_with(99, || 1));
    assert_eq!((value, cache.get(&99)), (2, Some(2)), "the load that ends last stays");
}

#[test]
fn loads_that_want_each_others_keys_do_not_wait_for_each_other() {
    static TAG: Tag = Tag::new("cache/crossed");
    let cache: Cache<u64, u64> = Cache::new(&TAG);
    let both_inside = Barrier::new(2);
    let load = |own: u64, others: u64| {
        cache.get_or_insert_with(own, || {
            both_inside.wait();
            10 * own + cache.get_or_insert_with(others, || others)
        })
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| load(1, 2));
        let second = load(2, 1);
        (first.join(), second)
    });
    // Each made the other's value by itself, or found it made.
    assert!([12, 10 + 21].contains(&first.unwrap()));
    assert!([21, 20 + 12].contains(&second));
}

#[test]
fn insert_with_loads_though_there_is_a_value_and_returns_the_old_one() {
    static TAG: Tag = Tag::new("cache/insert-with");
    let cache: Cache<u64, Bytes> = Cache::new(&TAG);
    assert!(cache.insert_with(1, || vec![1; 100].into()).is_none());
    let old = cache.insert_with(1, || vec![2; 200].into());
    assert_eq!(old.map(|value| value.len()), Some(100));
    assert_eq!(cache.stats().weight_bytes, 200 + COUNTERS);
    assert_eq!((cache.stats().loads_total, cache.stats().replaced_total), (2, 1));
    fill(&cache, 1..2, 999);
    assert_eq!(cache.stats().weight_bytes, 200 + COUNTERS, "it was there");
}

#[test]
fn a_load_that_is_out_of_date_when_it_ends_is_handed_out_and_not_kept() {
    static TAG: Tag = Tag::new("cache/outdated");
    let cache: Cache<u64, &str> = Cache::new(&TAG);
    let load_while = |change: &dyn Fn()| {
        cache.get_or_insert_with(1, || {
            change();
            "old"
        })
    };
    let insert = || assert_eq!(cache.insert(1, "new"), None);
    assert_eq!((load_while(&insert), cache.remove(&1)), ("old", Some("new")));
    let remove = || assert_eq!(cache.remove(&1), None);
    assert_eq!((load_while(&remove), cache.get(&1)), ("old", None));
    assert_eq!((load_while(&|| cache.clear()), cache.get(&1)), ("old", None));
    let change_others = || assert_eq!((cache.remove(&2), cache.insert(3, "other")), (None, None));
    load_while(&change_others);
    assert_eq!(cache.get(&1), Some("old"), "what happens to other keys changes nothing");
    assert_eq!(cache.stats().loads_total, 4);
}
