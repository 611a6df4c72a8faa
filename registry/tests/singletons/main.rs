//! Singletons over the real allocator.

mod builds;
mod model;
mod purge;

use std::sync::Arc;
use std::time::Duration;

use bursar::{
    AccountingAllocator, Entry, Error, ManualClock, PressureLevel, PurgeOutcome, PurgeRequest,
    RateLimit, SingletonStats, Singletons, System, Tag, TagHandle, tag_usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// What an `Arc<Vec<u8>>` takes beside the vector's buffer.
const SHELL_BYTES: u64 = (2 * size_of::<usize>() + size_of::<Vec<u8>>()) as u64;

/// What the monitor's thread calls.
fn purge(singletons: &Singletons, target_bytes: u64) -> PurgeOutcome {
    let request = PurgeRequest::new(target_bytes, PressureLevel::Critical);
    Entry::from(singletons).purgeable().purge(&request)
}

fn entry(singletons: &Singletons, name: &str) -> SingletonStats {
    singletons.stats().entry(name).unwrap().clone()
}

/// What it holds at rest. A thread's first look-up leaves a node of `arc-swap`'s for good: one is
/// made before.
fn subtree_bytes(singletons: &Singletons) -> u64 {
    singletons.get_or_init("look-up", || 0u8).unwrap();
    singletons.remove("look-up").unwrap();
    tag_usage(singletons.tag()).subtree_live_bytes
}

#[test]
fn a_value_is_built_once_and_every_handle_is_to_it() {
    static TAG: Tag = Tag::new("single/once");
    let singletons = Singletons::new(&TAG);
    let first = singletons.get_or_init("n", || 7u32).unwrap();
    let again = singletons.clone().get_or_init("n", || -> u32 { unreachable!() }).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
    assert!(Arc::ptr_eq(&first, &singletons.get("n").unwrap().unwrap()));
    let stats = entry(&singletons, "n");
    assert_eq!((stats.accesses_total, stats.builds_total, stats.handles), (3, 1, 2));
    assert_eq!((&*stats.type_name, stats.is_built, stats.is_rebuildable), ("u32", true, false));
}

#[test]
fn values_are_set_found_replaced_removed_and_cleared() {
    static TAG: Tag = Tag::new("single/basics");
    let singletons = Singletons::new(&TAG);
    assert_eq!(singletons.get::<u32>("n").unwrap(), None);
    assert!(!singletons.contains("n").unwrap());
    assert_eq!(singletons.set("n", 1u32).unwrap(), None);
    assert_eq!(singletons.set("n", 2u32).unwrap().as_deref(), Some(&1));
    assert_eq!(singletons.get::<u32>("n").unwrap().as_deref(), Some(&2));
    assert!(singletons.contains("n").unwrap());
    assert!(singletons.remove("n").unwrap());
    assert!(!singletons.remove("n").unwrap());
    assert!(!singletons.contains("n").unwrap());

    singletons.set("a", 1u8).unwrap();
    singletons.define("b", || 2u8).unwrap();
    assert!(singletons.contains("b").unwrap(), "a definition counts");
    singletons.clear();
    assert!(singletons.stats().entries.is_empty());
}

#[test]
fn a_name_holds_one_type_until_it_is_removed() {
    static TAG: Tag = Tag::new("single/types");
    let singletons = Singletons::new(&TAG);
    singletons.set("n", 1u32).unwrap();
    let wrong = Error::WrongType { name: "n".to_owned(), held: "u32", asked: "i64" };
    assert_eq!(singletons.get::<i64>("n").unwrap_err(), wrong);
    assert_eq!(singletons.set("n", 1i64).unwrap_err(), wrong);
    assert_eq!(singletons.get_or_init("n", || -> i64 { unreachable!() }).unwrap_err(), wrong);
    let taken = Error::NameTaken { name: "n".to_owned() };
    assert_eq!(singletons.define("n", || 1u32).unwrap_err(), taken);
    assert_eq!(singletons.get::<u32>("n").unwrap().as_deref(), Some(&1), "nothing has changed");

    singletons.define("defined", || 1u32).unwrap();
    assert!(matches!(singletons.get::<i64>("defined"), Err(Error::WrongType { .. })));
    singletons.remove("n").unwrap();
    assert_eq!(singletons.set("n", 1i64).unwrap(), None);
}

#[test]
fn a_bad_name_is_refused_by_every_call() {
    static TAG: Tag = Tag::new("single/names");
    let singletons = Singletons::new(&TAG);
    for name in ["", "two words", "\u{e9}", &"n".repeat(65)] {
        let errors = [
            singletons.get::<u8>(name).unwrap_err(),
            singletons.get_or_init(name, || 1u8).unwrap_err(),
            singletons.try_get_or_init(name, || Ok::<u8, Error>(1)).unwrap_err().into(),
            singletons.define(name, || 1u8).unwrap_err(),
            singletons.set(name, 1u8).unwrap_err(),
            singletons.contains(name).unwrap_err(),
            singletons.remove(name).unwrap_err(),
            Singletons::builder(&TAG).name(name.to_owned()).build().unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error, Error::InvalidName { given: name.to_owned() });
        }
    }
    let longest = "n".repeat(64);
    singletons.get_or_init(&longest, || 1u8).unwrap();
    assert_eq!(entry(&singletons, &longest).deep_bytes, None, "too long for a tag of its own");
}

#[test]
fn deep_bytes_are_what_the_factory_left_allocated() {
    static TAG: Tag = Tag::new("single/deep");
    let singletons = Singletons::new(&TAG);
    let build = || {
        drop(std::hint::black_box(vec![0u8; 100_000]));
        // Nested: its bytes are its own.
        singletons.get_or_init("part", || vec![1u8; 500]).unwrap();
        vec![0u8; 10_000]
    };
    singletons.get_or_init("whole", build).unwrap();
    assert_eq!(entry(&singletons, "whole").deep_bytes, Some(10_000 + SHELL_BYTES));
    assert_eq!(entry(&singletons, "part").deep_bytes, Some(500 + SHELL_BYTES));
    assert_eq!(singletons.stats().deep_bytes(), 10_500 + 2 * SHELL_BYTES);

    let made_elsewhere = vec![0u8; 5000];
    singletons.set("given", made_elsewhere).unwrap();
    assert_eq!(entry(&singletons, "given").deep_bytes, Some(SHELL_BYTES));
    let part = tag_usage(TagHandle::new("single/deep/whole").unwrap());
    assert_eq!(part.parent.as_deref(), Some("single/deep"));
}

#[test]
fn handles_stay_valid_and_hold_the_memory_until_the_last_is_dropped() {
    static TAG: Tag = Tag::new("single/handles");
    let singletons = Singletons::new(&TAG);
    let empty = subtree_bytes(&singletons);
    let handle = singletons.get_or_init("buffer", || vec![7u8; 10_000]).unwrap();
    singletons.remove("buffer").unwrap();
    assert_eq!((handle.len(), handle[9999]), (10_000, 7));
    assert_eq!(subtree_bytes(&singletons), empty + 10_000 + SHELL_BYTES);
    drop(handle);
    assert_eq!(subtree_bytes(&singletons), empty);
}

#[test]
fn calls_beyond_the_rate_limit_are_refused_and_counted() {
    static TAG: Tag = Tag::new("single/limited");
    let clock = Arc::new(ManualClock::default());
    let limit = RateLimit { operations: 3, per: Duration::from_secs(1) };
    let builder = Singletons::builder(&TAG).name("config").clock(clock.clone());
    let singletons = builder.rate_limit(limit).build().unwrap();
    singletons.set("n", 1u32).unwrap();
    clock.advance(Duration::from_millis(600));
    assert!(singletons.contains("n").unwrap());
    assert!(singletons.get::<u32>("n").unwrap().is_some());
    let error = singletons.get_or_init("n", || 1u32).unwrap_err();
    assert_eq!(
        error.to_string(),
        "\"config\" was called more than 3 times within 1s; try again later"
    );
    assert_eq!(singletons.remove("n").unwrap_err(), error);
    assert_eq!(singletons.stats().refused_total, 2);

    clock.advance(Duration::from_millis(400));
    assert!(singletons.get::<u32>("n").is_ok(), "the first call is a second ago");
    assert!(singletons.get::<u32>("n").is_err());
    singletons.reset_stats();
    let stats = singletons.stats();
    assert_eq!((stats.refused_total, stats.entries[0].accesses_total), (0, 0));
    assert!(singletons.get::<u32>("n").is_err(), "the limit goes on as it was");
    singletons.clear();

    clock.advance(Duration::from_secs(1));
    let limited = || singletons.contains("n").map(|_| vec![0u8; 100]);
    singletons.try_get_or_init("times", limited).unwrap();
    assert_eq!(entry(&singletons, "times").deep_bytes, Some(100 + SHELL_BYTES));

    let none = RateLimit { operations: 0, per: Duration::from_secs(1) };
    let error = Singletons::builder(&TAG).rate_limit(none).build().unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "rate_limit.operations", .. }));
}

#[test]
fn destructors_may_call_back_in() {
    static TAG: Tag = Tag::new("single/reentrant");

    struct Meddler(Singletons);
    impl Drop for Meddler {
        fn drop(&mut self) {
            self.0.set("dropped", 1u32).unwrap();
            let _ = self.0.get::<Meddler>("a").map(drop);
            assert!(self.0.stats().entry("dropped").is_some());
            self.0.remove("dropped").unwrap();
        }
    }
    let singletons = Singletons::new(&TAG);
    let meddler = || Meddler(singletons.clone());
    singletons.set("a", meddler()).unwrap();
    drop(singletons.set("a", meddler()).unwrap());
    singletons.remove("a").unwrap();
    singletons.set("b", 1u8).unwrap();
    assert!(singletons.set("b", meddler()).is_err(), "dropped since it is of another type");
    let own = singletons.clone();
    singletons.define("c", move || Meddler(own.clone())).unwrap();
    drop(singletons.get::<Meddler>("c").unwrap());
    assert!(matches!(purge(&singletons, u64::MAX), PurgeOutcome::Freed(_)));
    drop(singletons.get::<Meddler>("c").unwrap());
    singletons.set("a", meddler()).unwrap();
    singletons.clear();
    assert!(singletons.stats().entries.is_empty());
}

#[cfg(feature = "serde")]
#[test]
fn statistics_go_to_json_and_back() {
    static TAG: Tag = Tag::new("single/json");
    let singletons = Singletons::new(&TAG);
    singletons.get_or_init("n", || 7u32).unwrap();
    let stats = singletons.stats();
    let json = serde_json::to_string(&stats).unwrap();
    assert!(json.contains("\"name\":\"n\",\"type_name\":\"u32\""), "{json}");
    assert_eq!(serde_json::from_str::<bursar::SingletonsStats>(&json).unwrap(), stats);
}
