//! One build at a time, builds that fail, and builds that come to want themselves.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};

use bursar::{Error, SingletonError, Singletons, Tag};

use super::{entry, subtree_bytes};

#[test]
fn of_eight_threads_at_once_one_builds_and_all_have_its_value() {
    static TAG: Tag = Tag::new("single/contended");
    let singletons = Singletons::new(&TAG);
    let (barrier, builds) = (Barrier::new(8), AtomicUsize::new(0));
    let build = || {
        builds.fetch_add(1, Ordering::Relaxed);
        vec![0u8; 1000]
    };
    let handles: Vec<_> = std::thread::scope(|scope| {
        let get = || {
            barrier.wait();
            singletons.get_or_init("buffer", build).unwrap()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(get)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(builds.into_inner(), 1);
    assert!(handles.iter().all(|handle| Arc::ptr_eq(handle, &handles[0])));
    assert_eq!(entry(&singletons, "buffer").builds_total, 1);
}

#[test]
fn a_failing_factory_leaves_nothing_behind_and_the_next_builds() {
    static TAG: Tag = Tag::new("single/failing");
    let singletons = Singletons::new(&TAG);
    let before = subtree_bytes(&singletons);
    let fail = || Err::<Vec<u8>, _>("no file");
    let error = singletons.try_get_or_init("file", fail).unwrap_err();
    assert_eq!(error, SingletonError::Build("no file"));
    assert!(!singletons.contains("file").unwrap());
    assert_eq!(subtree_bytes(&singletons), before);
    // Not even the type.
    assert_eq!(*singletons.get_or_init("file", || 1u8).unwrap(), 1);
}

#[test]
fn a_thread_that_waited_for_a_build_that_fails_builds_in_its_turn() {
    static TAG: Tag = Tag::new("single/second");
    let singletons = Singletons::new(&TAG);
    let (begun, waits_for_begun) = mpsc::channel();
    let (go_on, waits_for_go_on) = mpsc::channel();
    std::thread::scope(|scope| {
        let failing = scope.spawn(|| {
            singletons.try_get_or_init("n", move || {
                begun.send(()).unwrap();
                waits_for_go_on.recv().unwrap();
                Err::<u32, _>("too early")
            })
        });
        waits_for_begun.recv().unwrap();
        let waiting = scope.spawn(|| {
            go_on.send(()).unwrap();
            singletons.get_or_init("n", || 2u32)
        });
        assert!(failing.join().unwrap().is_err());
        assert_eq!(*waiting.join().unwrap().unwrap(), 2);
    });
    assert_eq!(singletons.get::<u32>("n").unwrap().as_deref(), Some(&2));
}

#[test]
fn a_panicking_factory_leaves_nothing_behind_and_its_panic_goes_on() {
    static TAG: Tag = Tag::new("single/panicking");
    let singletons = Singletons::new(&TAG);
    let before = subtree_bytes(&singletons);
    let build = || -> u32 { std::panic::resume_unwind(Box::new("out of ideas")) };
    let payload = catch_unwind(AssertUnwindSafe(|| singletons.get_or_init("n", build)));
    let payload = payload.unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"out of ideas"));
    drop(payload);
    assert!(!singletons.contains("n").unwrap());
    assert_eq!(subtree_bytes(&singletons), before);
    assert_eq!(*singletons.get_or_init("n", || 1u32).unwrap(), 1);

    let tries = Arc::new(AtomicUsize::new(0));
    let factory = move || match tries.fetch_add(1, Ordering::Relaxed) {
        0 => panic!("the first time"),
        tries => tries,
    };
    singletons.define("defined", factory).unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| singletons.get::<usize>("defined"))).is_err());
    assert!(singletons.contains("defined").unwrap(), "what is defined stays so");
    assert_eq!(singletons.get::<usize>("defined").unwrap().as_deref(), Some(&1));
}

/// The error of a build of `name` that wants `wanted`.
fn path_of(error: &Error) -> &str {
    match error {
        Error::RecursiveBuild { path, .. } => path,
        other => panic!("{other}"),
    }
}

#[test]
fn a_build_that_wants_itself_is_refused_and_told_by_which_way() {
    static TAG: Tag = Tag::new("single/recursive");
    let singletons = Singletons::new(&TAG);
    let wants = |name: &'static str, needs: &dyn Fn() -> Result<Arc<u32>, Error>| {
        singletons.try_get_or_init(name, || needs().map(|n| *n + 1)).map_err(Error::from)
    };
    let a = || singletons.get_or_init("a", || 0u32);
    let error = wants("a", &a).unwrap_err();
    assert_eq!(path_of(&error), "a -> a");
    assert_eq!(error.to_string(), "singleton \"a\" is needed to build itself: a -> a");
    let error = wants("a", &|| wants("b", &|| wants("c", &a))).unwrap_err();
    assert_eq!(path_of(&error), "a -> b -> c -> a");
    assert!(singletons.stats().entries.is_empty());

    // What does not turn back is no recursion, and a build may do without what it was refused.
    assert_eq!(*wants("x", &|| wants("y", &|| singletons.get_or_init("z", || 1))).unwrap(), 3);
    let lonely = || a().map_or(7, |n| *n);
    assert_eq!(*singletons.get_or_init("a", lonely).unwrap(), 7);
}

#[test]
fn a_recursion_through_definitions_and_other_singletons_is_refused_too() {
    static ONE: Tag = Tag::new("single/ring-one");
    static OTHER: Tag = Tag::new("single/ring-other");
    let (one, other) = (Singletons::new(&ONE), Singletons::new(&OTHER));
    let back = one.clone();
    other.define("back", move || back.get_or_init("there", || 1u32).map(|n| *n)).unwrap();
    let built = one.try_get_or_init("there", || {
        let back = other.get::<Result<u32, Error>>("back")?.unwrap();
        back.as_ref().clone()
    });
    let error = Error::from(built.unwrap_err());
    assert_eq!(path_of(&error), "there -> back -> there");
}

#[test]
fn threads_that_build_what_the_next_one_wants_get_an_error_in_place_of_a_deadlock() {
    static TAG: Tag = Tag::new("single/ring");
    for names in [&["a", "b"][..], &["a", "b", "c"]] {
        let singletons = Singletons::new(&TAG);
        let barrier = Barrier::new(names.len());
        let refused = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for (at, name) in names.iter().enumerate() {
                let next = names[(at + 1) % names.len()];
                let (singletons, barrier, refused) = (&singletons, &barrier, &refused);
                scope.spawn(move || {
                    let build = || {
                        barrier.wait();
                        match singletons.get_or_init(next, || -> u32 { unreachable!() }) {
                            Ok(next) => *next + 1,
                            Err(error) => {
                                assert_eq!(path_of(&error).matches(" -> ").count(), names.len());
                                refused.fetch_add(1, Ordering::Relaxed);
                                0u32
                            }
                        }
                    };
                    singletons.get_or_init(name, build).unwrap();
                });
            }
        });
        assert_eq!(refused.into_inner(), 1, "one closes the ring, the others have what they want");
        let mut values: Vec<u32> =
            names.iter().map(|name| *singletons.get::<u32>(name).unwrap().unwrap()).collect();
        values.sort_unstable();
        assert_eq!(values, (0..names.len() as u32).collect::<Vec<_>>());
    }
}

#[test]
fn of_many_threads_whose_builds_fail_or_not_one_leaves_its_value_or_none_does() {
    static TAG: Tag = Tag::new("single/failing-threads");
    let singletons = Singletons::new(&TAG);
    for round in 0..200 {
        let barrier = Barrier::new(4);
        // In some rounds all fail.
        let ask = |at: usize| {
            barrier.wait();
            singletons.try_get_or_init("n", || if at < round % 3 { Ok(at) } else { Err("fails") })
        };
        let ask = &ask;
        let built: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|at| scope.spawn(move || ask(at))).collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect()
        });
        let held = singletons.get::<usize>("n").unwrap();
        assert_eq!(held.is_some(), round % 3 > 0);
        assert!(built.iter().all(|handle| held.as_ref().is_some_and(|it| Arc::ptr_eq(it, handle))));
        assert_eq!(singletons.remove("n").unwrap(), held.is_some());
        assert!(singletons.stats().entries.is_empty(), "not even a name without a value");
    }
}

#[test]
fn a_set_while_a_build_is_under_way_wins_and_the_build_ends_for_its_own() {
    static TAG: Tag = Tag::new("single/overtaken");
    let singletons = Singletons::new(&TAG);
    let built = singletons
        .get_or_init("n", || {
            assert_eq!(singletons.get::<u32>("n").unwrap(), None, "not there yet");
            assert_eq!(singletons.set("n", 2u32).unwrap(), None);
            1u32
        })
        .unwrap();
    assert_eq!((*built, singletons.get::<u32>("n").unwrap().as_deref()), (1, Some(&2)));
}
