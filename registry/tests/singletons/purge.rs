//! What a purge drops, what it leaves, and what comes back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bursar::{
    Bursar, Entry, ManualClock, PressureLevel, PurgeOutcome, PurgeRequest, Singletons, Stage, Tag,
};

use super::{SHELL_BYTES, entry, purge, subtree_bytes};

#[test]
fn a_purge_drops_idle_rebuildable_values_only_and_their_bytes_come_back() {
    static TAG: Tag = Tag::new("single/purge");
    let singletons = Singletons::new(&TAG);
    let define = |name| singletons.define(name, || vec![0u8; 10_000]).unwrap();
    let get = |name| singletons.get::<Vec<u8>>(name).unwrap().unwrap();
    ["idle", "held", "watched", "unbuilt", "replaced"].into_iter().for_each(define);
    singletons.get_or_init("built", || vec![0u8; 10_000]).unwrap();
    singletons.set("replaced", vec![0u8; 10_000]).unwrap();
    drop(get("idle"));
    let held = get("held");
    let watched = Arc::downgrade(&get("watched"));

    let purgeable = Arc::clone(Entry::from(&singletons).purgeable());
    // A weak handle may become a strong one at any time: it is only found out by the purge.
    assert_eq!(purgeable.purgeable_bytes(), 2 * (10_000 + SHELL_BYTES));
    let before = subtree_bytes(&singletons);
    let freed = 10_000 + SHELL_BYTES;
    assert_eq!(purge(&singletons, u64::MAX), PurgeOutcome::Freed(freed));
    assert_eq!(before - subtree_bytes(&singletons), freed);
    assert_eq!(purge(&singletons, u64::MAX), PurgeOutcome::Empty);

    let is_built = |name| entry(&singletons, name).is_built;
    assert!(!is_built("idle") && !is_built("unbuilt"));
    assert!(["held", "watched", "built", "replaced"].into_iter().all(is_built));
    assert!(Arc::ptr_eq(&held, &get("held")), "never two of one");
    assert!(Arc::ptr_eq(&watched.upgrade().unwrap(), &get("watched")));
    assert_eq!(get("idle").len(), 10_000);
    assert_eq!(entry(&singletons, "idle").builds_total, 2);
    drop(singletons);
    assert_eq!(purgeable.purgeable_bytes(), 0, "one that is gone has nothing to free");
}

#[test]
fn a_purge_drops_the_least_recently_used_first_and_no_more_than_it_was_asked_for() {
    static TAG: Tag = Tag::new("single/order");
    let clock = Arc::new(ManualClock::default());
    let singletons = Singletons::builder(&TAG).clock(clock.clone()).build().unwrap();
    for name in ["a", "b", "c"] {
        singletons.define(name, || vec![0u8; 1000]).unwrap();
    }
    for name in ["b", "c", "a", "b"] {
        clock.advance(Duration::from_secs(1));
        singletons.get::<Vec<u8>>(name).unwrap();
    }
    assert_eq!(entry(&singletons, "b").created_at, Some(Duration::from_secs(1)));
    assert_eq!(entry(&singletons, "b").last_used_at, Some(Duration::from_secs(4)));
    let built = || singletons.stats().entries.into_iter().filter(|it| it.is_built);
    let built = || built().map(|it| it.name).collect::<String>();

    assert_eq!(purge(&singletons, 1), PurgeOutcome::Freed(1000 + SHELL_BYTES));
    assert_eq!(built(), "ab");
    let mut late = PurgeRequest::new(u64::MAX, PressureLevel::Critical);
    late.deadline = Some(Instant::now());
    assert_eq!(Entry::from(&singletons).purgeable().purge(&late), PurgeOutcome::Busy);
    assert_eq!(built(), "ab");
    assert_eq!(purge(&singletons, 1001 + SHELL_BYTES), PurgeOutcome::Freed(2000 + 2 * SHELL_BYTES));
    assert_eq!(built(), "");
}

#[test]
fn a_cleanup_releases_them_and_measures_what_their_own_tags_gave_back() {
    static TAG: Tag = Tag::new("single/cleanup");
    // The only Bursar of this program: one runs at a time.
    let bursar = Bursar::builder().budget("64MiB").threadless(true).start().unwrap();
    let singletons = Singletons::new(&TAG);
    singletons.define("model", || vec![1u8; 60 << 20]).unwrap();
    singletons.get::<Vec<u8>>("model").unwrap();
    let _registration = bursar.register(&singletons).unwrap();

    let report = bursar.reclaim(PressureLevel::Critical).unwrap();
    let stage = report.stages.iter().find(|stage| stage.stage == Stage::Release).unwrap();
    let purge = &stage.purges[0];
    let bytes = (60 << 20) + SHELL_BYTES;
    assert_eq!((&*purge.name, purge.claimed_bytes), ("single/cleanup", bytes));
    assert_eq!(purge.measured_bytes, Some(bytes));
    assert!(!entry(&singletons, "model").is_built);
}

#[test]
fn a_purge_while_others_look_up_never_takes_what_someone_holds() {
    static TAG: Tag = Tag::new("single/raced");
    let singletons = Singletons::new(&TAG);
    singletons.define("one", || vec![0u8; 100]).unwrap();
    let get = || singletons.get::<Vec<u8>>("one").unwrap().unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let held = get();
                    assert!(Arc::ptr_eq(&held, &get()), "as long as it is held there is no other");
                    drop(held);
                    std::thread::yield_now();
                }
            });
        }
        let mut dropped = 0;
        while dropped < 2000 {
            drop(get());
            dropped += u32::from(matches!(purge(&singletons, u64::MAX), PurgeOutcome::Freed(_)));
        }
        is_done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn names_past_the_own_tags_are_under_the_given_one_and_are_purged_all_the_same() {
    static TAG: Tag = Tag::new("single/many");
    let singletons = Singletons::builder(&TAG).max_tags(2).build().unwrap();
    let empty = subtree_bytes(&singletons);
    let names: Vec<String> = (0..5000).map(|n| format!("name-{n:04}")).collect();
    for name in &names {
        singletons.define(name, || vec![0u8; 100]).unwrap();
        singletons.get::<Vec<u8>>(name).unwrap();
    }
    let stats = singletons.stats();
    assert_eq!(stats.entries.len(), 5000);
    assert!(stats.entries.iter().map(|it| &it.name).eq(&names), "in order");
    assert_eq!(stats.entries.iter().filter(|it| it.deep_bytes.is_some()).count(), 2);

    let freed = 5000 * (100 + SHELL_BYTES);
    assert_eq!(Entry::from(&singletons).purgeable().purgeable_bytes(), freed);
    let before = subtree_bytes(&singletons);
    assert_eq!(purge(&singletons, u64::MAX), PurgeOutcome::Freed(freed));
    assert_eq!(before - subtree_bytes(&singletons), freed);
    singletons.clear();
    assert_eq!(subtree_bytes(&singletons), empty);
    // Its tags are free again.
    singletons.set("late", 1u8).unwrap();
    assert!(entry(&singletons, "late").deep_bytes.is_some());
}

#[test]
fn a_destructor_that_panics_leaves_everything_working() {
    static TAG: Tag = Tag::new("single/bad-drop");

    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as bombs do");
        }
    }
    let singletons = Singletons::new(&TAG);
    singletons.define("bomb", || Bomb).unwrap();
    let attempt = |f: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(f)).is_err());
    singletons.get::<Bomb>("bomb").unwrap();
    attempt(&|| assert_eq!(purge(&singletons, u64::MAX), PurgeOutcome::Empty));
    assert!(!entry(&singletons, "bomb").is_built);
    singletons.get::<Bomb>("bomb").unwrap();
    attempt(&|| assert!(singletons.remove("bomb").is_err()));
    singletons.set("bomb", Bomb).unwrap();
    attempt(&|| drop(singletons.set("bomb", Bomb)));
    attempt(&|| singletons.clear());
    assert!(singletons.stats().entries.is_empty());
    assert_eq!(*singletons.get_or_init("bomb", || 1u8).unwrap(), 1);
}
