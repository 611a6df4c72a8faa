//! The flag and the wake: whoever empties the headroom is heard of.

use super::explore;
use crate::fuel::Fuel;
use crate::primitive::{AtomicU64, Ordering, Thread};

/// Two watermarks, each passed by one of two draws.
const WATERMARKS: [u64; 2] = [5, 10];
const DRAW_BYTES: u64 = 6;

/// The fuel, and a sum in place of shards.
#[derive(Debug)]
struct World {
    fuel: Fuel,
    counted: AtomicU64,
    thread: &'static Thread,
}

impl World {
    fn new() -> Self {
        let thread = Box::leak(Box::new(Thread::new()));
        Self { fuel: Fuel::new(), counted: AtomicU64::new(0), thread }
    }

    fn watched() -> Self {
        let world = Self::new();
        world.fuel.set_waiter(Some(world.thread), 0);
        world.scan();
        world
    }

    fn draw(&self) {
        self.counted.fetch_add(DRAW_BYTES, Ordering::Relaxed);
        self.fuel.draw(DRAW_BYTES as i64);
    }

    /// Makes the room below the next watermark the headroom; false if all are passed.
    fn scan(&self) -> bool {
        let begun_at = self.fuel.begin_scan();
        let counted = self.counted.load(Ordering::Relaxed);
        let next = WATERMARKS.into_iter().find(|&watermark| counted < watermark);
        self.fuel.finish_scan(begun_at, next.map_or(0, |watermark| watermark - counted));
        next.is_some()
    }
}

#[test]
fn a_waiter_that_parks_while_the_flag_is_down_hears_that_the_limit_is_passed() {
    fn wait(world: &World) {
        loop {
            if !world.fuel.take_pending() {
                world.thread.park();
            } else if !world.scan() {
                break;
            }
        }
    }
    explore(World::watched, [World::draw, World::draw, wait], |_| {});
}

#[test]
fn a_waiter_that_parks_before_each_look_at_the_flag_hears_it_too() {
    fn wait(world: &World) {
        loop {
            world.thread.park();
            world.fuel.take_pending();
            if !world.scan() {
                break;
            }
        }
    }
    explore(World::watched, [World::draw, World::draw, wait], |_| {});
}

#[test]
fn a_watch_that_begins_while_threads_draw_hears_it_too() {
    fn watch(world: &World) {
        let thread = Box::leak(Box::new(Thread::new()));
        world.fuel.set_waiter(Some(thread), 0);
        world.fuel.take_pending();
        while world.scan() {
            thread.park();
            world.fuel.take_pending();
        }
    }
    explore(World::new, [World::draw, World::draw, watch], |_| {});
}

#[test]
fn of_two_threads_that_empty_the_headroom_one_wakes() {
    explore(World::watched, [World::draw, World::draw], |world| {
        assert_eq!(world.thread.times_unparked(), 1);
        assert!(world.fuel.take_pending());
        assert!(!world.fuel.take_pending());
    });
}
