use std::hash::Hash;

use super::*;

/// A key that is found under another's hash.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key(&'static str);

fn join<'a>(flights: &'a Flights<Key, u32>, key: &'static str) -> Joined<'a, Key, u32> {
    flights.join(1, Key(key), Runner::Thread, |_| true, |_| None)
}

fn lead<'a>(flights: &'a Flights<Key, u32>, key: &'static str) -> Leader<'a, Key, u32> {
    match join(flights, key) {
        Joined::Leader(leader) => leader,
        other => panic!("{other:?}"),
    }
}

fn follow(flights: &Flights<Key, u32>, key: &'static str) -> Arc<Flight<u32>> {
    match join(flights, key) {
        Joined::Follower(flight, _) => flight,
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_keys_of_one_hash_do_not_get_each_others_value() {
    let flights = Flights::new();
    let (first, second) = (lead(&flights, "a"), lead(&flights, "b"));
    let (of_first, of_second) = (follow(&flights, "a"), follow(&flights, "b"));
    second.land(|key| assert_eq!(key, Key("b")), || 2);
    first.land(|key| assert_eq!(key, Key("a")), || 1);
    assert_eq!((of_first.wait(), of_second.wait()), (Some(1), Some(2)));
}

#[test]
fn threads_that_follow_a_load_that_fails_go_on_without_a_value() {
    let flights = Flights::new();
    let leader = lead(&flights, "a");
    let followed = [follow(&flights, "a"), follow(&flights, "a")];
    std::thread::scope(|scope| {
        let waiting = followed.map(|flight| scope.spawn(move || flight.wait()));
        drop(leader);
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap().is_none()));
    });
    // The next one does not find what has failed.
    drop(lead(&flights, "a"));
}

#[test]
fn no_copy_is_made_for_a_load_that_nobody_follows() {
    let flights = Flights::new();
    lead(&flights, "a").land(drop, || unreachable!());
    assert_eq!(lock(&flights.in_air).capacity(), 0, "and nothing is kept");
}

#[test]
fn storing_that_panics_lets_those_go_who_follow() {
    let flights = Flights::new();
    let leader = lead(&flights, "a");
    let followed = follow(&flights, "a");
    let land = || leader.land(|_| panic!("a key of the test"), || 1);
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(land)).is_err());
    assert_eq!(followed.wait(), None);
    drop(lead(&flights, "a"));
}
