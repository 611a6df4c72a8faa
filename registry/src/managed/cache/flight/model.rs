//! Flights under a model checker, loom: two or three threads that want one key, in every
//! interleaving of their steps. A thread that is left waiting fails the model.
//!
//! ```sh
//! RUSTFLAGS="--cfg bursar_cache_loom" cargo test --release -p bursar --no-default-features \
//!     --lib --target-dir target/loom flight::model::
//! ```

use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

use super::*;

/// Each thread is preempted no more than so many times in a run, or `LOOM_MAX_PREEMPTIONS` times.
const MAX_PREEMPTIONS: usize = 2;

const KEY: u8 = 1;
const VALUE: u32 = 7;

/// A cache of one entry, and what an observer outside knows: counters that loom does not see.
struct World {
    flights: Flights<u8, u32>,
    entry: Mutex<Option<u32>>,
    loads: AtomicU32,
    values: AtomicU32,
}

impl World {
    fn new() -> Self {
        Self {
            flights: Flights::new(),
            entry: Mutex::new(None),
            loads: AtomicU32::new(0),
            values: AtomicU32::new(0),
        }
    }

    fn look_up(&self) -> Option<u32> {
        *lock(&self.entry)
    }

    fn load(&self) -> u32 {
        self.loads.fetch_add(1, Ordering::Relaxed);
        VALUE
    }

    fn land(&self, leader: Leader<'_, u8, u32>) -> u32 {
        let value = self.load();
        leader.land(|_| *lock(&self.entry) = Some(value), || value);
        value
    }

    fn got(&self, value: u32) {
        assert_eq!(value, VALUE);
        self.values.fetch_add(1, Ordering::Relaxed);
    }
}

/// Looks the key up as a cache does, and waits for another's load by `wait`. `fails` says whether
/// a load that it leads fails, in which case there is no value.
fn look_up(world: &World, fails: bool, wait: fn(Arc<Flight<u32>>) -> Option<u32>) {
    if let Some(value) = world.look_up() {
        return world.got(value);
    }
    match world.flights.join(1, KEY, Runner::Thread, |_| true, |_| world.look_up()) {
        Joined::Found(value) => world.got(value),
        Joined::Leader(leader) if fails => drop(leader),
        Joined::Leader(leader) => world.got(world.land(leader)),
        Joined::Follower(flight, _) => world.got(wait(flight).unwrap_or_else(|| world.load())),
        Joined::Alone(_) => unreachable!("every flight may be followed"),
    }
}

/// A future's executor: a thread that sleeps until it is woken.
struct Sleeper {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        *lock(&self.is_woken) = true;
        self.woken.notify_one();
    }
}

fn wait_by_future(flight: Arc<Flight<u32>>) -> Option<u32> {
    let sleeper = Arc::new(Sleeper { is_woken: Mutex::new(false), woken: Condvar::new() });
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut wait = Wait::new(flight);
    loop {
        if let Poll::Ready(ended) = Pin::new(&mut wait).poll(&mut Context::from_waker(&waker)) {
            return ended;
        }
        let mut is_woken = lock(&sleeper.is_woken);
        while !*is_woken {
            is_woken = sleeper.woken.wait(is_woken).unwrap_or_else(PoisonError::into_inner);
        }
        *is_woken = false;
    }
}

/// Runs the parts against each other in every way, and after each run `at_rest`.
fn explore<const PARTS: usize>(parts: [fn(&World); PARTS], at_rest: fn(&World)) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound.get_or_insert(MAX_PREEMPTIONS);
    checker.check(move || {
        let world = Arc::new(World::new());
        let threads = parts.map(|part| {
            let world = Arc::clone(&world);
            loom::thread::spawn(move || part(&world))
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(lock(&world.flights.in_air).is_empty(), "no load is under way any more");
        at_rest(&world);
    });
}

#[test]
fn of_threads_that_want_one_key_one_loads_and_all_get_the_value() {
    let part: fn(&World) = |world| look_up(world, false, |flight| flight.wait());
    explore([part, part, part], |world| {
        assert_eq!(world.loads.load(Ordering::Relaxed), 1);
        assert_eq!(world.values.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn a_future_that_waits_is_woken_when_the_load_ends() {
    let thread: fn(&World) = |world| look_up(world, false, |flight| flight.wait());
    let future: fn(&World) = |world| look_up(world, false, wait_by_future);
    explore([thread, future, future], |world| {
        assert_eq!(world.loads.load(Ordering::Relaxed), 1);
        assert_eq!(world.values.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn a_load_that_fails_leaves_nobody_waiting() {
    let failing: fn(&World) = |world| look_up(world, true, |flight| flight.wait());
    let thread: fn(&World) = |world| look_up(world, false, |flight| flight.wait());
    let future: fn(&World) = |world| look_up(world, false, wait_by_future);
    explore([failing, thread, future], |world| {
        // The failing one may have followed, too.
        let values = world.values.load(Ordering::Relaxed);
        assert!((2..=3).contains(&values), "{values}");
    });
}
