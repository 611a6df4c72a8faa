//! Factories, resets, weighers and destructors that panic or use the pool themselves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bursar::{Pool, Tag};

use super::{as_purgeable, fill, panics, purge};

#[test]
fn a_panic_of_the_factory_reaches_who_acquires_and_leaves_the_pool_usable() {
    static TAG: Tag = Tag::new("pool/factory");
    let fails = Arc::new(AtomicBool::new(true));
    let pool = Pool::new(&TAG, {
        let fails = Arc::clone(&fails);
        move || {
            assert!(!fails.load(Ordering::Relaxed), "no object today");
            7
        }
    });
    assert!(panics(|| pool.acquire()));
    fails.store(false, Ordering::Relaxed);
    assert_eq!(*pool.acquire(), 7);
    let stats = pool.stats();
    assert_eq!((stats.panics_total, stats.created_total, stats.in_use), (1, 1, 0));
}

/// An object whose reset, weigher and destructor panic when told to.
#[derive(Default)]
struct Bomb {
    at_reset: bool,
    at_weighing: bool,
    at_drop: bool,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.at_drop, "in the destructor");
    }
}

fn bombs(tag: &'static Tag) -> Pool<Bomb> {
    Pool::builder(tag, Bomb::default)
        .reset(|bomb| assert!(!bomb.at_reset, "in the reset"))
        .weigher(|bomb| u64::from(!bomb.at_weighing).checked_sub(1).expect("in the weigher"))
        .max_entries(4)
        .build()
        .unwrap()
}

#[test]
fn an_object_whose_reset_weigher_or_destructor_panics_is_dropped_and_counted() {
    static TAG: Tag = Tag::new("pool/bombs");
    let pool = bombs(&TAG);
    pool.acquire().at_reset = true;
    pool.acquire().at_weighing = true;
    let mut both = pool.acquire();
    (both.at_reset, both.at_drop) = (true, true);
    drop(both);
    let stats = pool.stats();
    assert_eq!((stats.discarded_panicked_total, stats.idle, stats.in_use), (3, 0, 0));
    assert_eq!(stats.panics_total, 4);
}

#[test]
fn an_object_returned_by_a_panic_goes_back_even_if_its_reset_and_destructor_panic_too() {
    static TAG: Tag = Tag::new("pool/unwinding");
    let pool = bombs(&TAG);
    assert!(panics(|| {
        let _whole = pool.acquire();
        let mut broken = pool.acquire();
        (broken.at_reset, broken.at_drop) = (true, true);
        panic!("in the middle of its use");
    }));
    let stats = pool.stats();
    assert_eq!((stats.returned_total, stats.idle, stats.discarded_panicked_total), (2, 1, 1));
    assert_eq!(stats.panics_total, 2);
}

#[test]
fn destructors_that_panic_one_after_the_other_do_not_end_a_purge_or_the_process() {
    static TAG: Tag = Tag::new("pool/purged-bombs");
    let pool = bombs(&TAG);
    let purge_bombs = || {
        let mut in_use: Vec<_> = (0..4).map(|_| pool.acquire()).collect();
        in_use.iter_mut().for_each(|bomb| bomb.at_drop = true);
        drop(in_use);
        assert_eq!(pool.stats().idle, 4);
    };
    purge_bombs();
    purge(&*as_purgeable(&pool), u64::MAX);
    assert_eq!((pool.stats().idle, pool.stats().panics_total), (0, 4));
    purge_bombs();
    assert!(panics(move || {
        let _last = pool;
        panic!("and the pool is dropped by it");
    }));
}

#[test]
fn factories_resets_and_destructors_may_use_the_pool() {
    static TAG: Tag = Tag::new("pool/reentrant");
    static POOL: OnceLock<Pool<Nested>> = OnceLock::new();
    /// Each goes round once: what it acquires is built, reset and dropped in its turn.
    static BUILT: AtomicBool = AtomicBool::new(false);
    static RESET: AtomicBool = AtomicBool::new(false);
    static DROPPED: AtomicBool = AtomicBool::new(false);

    struct Nested;
    impl Drop for Nested {
        fn drop(&mut self) {
            use_the_pool(&DROPPED);
        }
    }
    fn use_the_pool(been_here: &AtomicBool) {
        if !been_here.swap(true, Ordering::Relaxed)
            && let Some(pool) = POOL.get()
        {
            drop(pool.acquire());
            drop(pool.acquire().detach());
            pool.clear();
        }
    }
    let factory = || {
        use_the_pool(&BUILT);
        Nested
    };
    let pool = Pool::builder(&TAG, factory).reset(|_| use_the_pool(&RESET)).max_entries(2);
    let pool = POOL.get_or_init(|| pool.build().unwrap());
    fill(pool, 5);
    pool.clear();
    let went_round = [&BUILT, &RESET, &DROPPED].map(|flag| flag.load(Ordering::Relaxed));
    assert_eq!(went_round, [true; 3]);
    let stats = pool.stats();
    assert_eq!((stats.idle, stats.in_use, stats.panics_total), (0, 0, 0));
}
