//! The allocator's core under a model checker, loom: books of a few slots and tags, two or three
//! threads, every interleaving of their steps, and at each load every value that the memory
//! model lets it return.
//!
//! ```sh
//! RUSTFLAGS="--cfg bursar_loom" cargo test --release -p bursar-alloc --no-default-features \
//!     --features profile --lib --target-dir target/loom model::
//! ```
//!
//! Within bounds: a thread is preempted no more than [`MAX_PREEMPTIONS`] times in a run, or
//! `LOOM_MAX_PREEMPTIONS` times. And loom has no load return what is stored only after it in
//! every interleaving (load buffering), and knows of each atomic the last seven values.

mod fuel;
mod ledger;
mod primitive;
mod recycling;
#[cfg(feature = "profile")]
mod samples;
mod wake;

use std::cell::Cell;
use std::fmt::Debug;
use std::rc::Rc;

use crate::shard::TagSums;

/// Each ordering that a model needs fails within so many when it is weakened.
const MAX_PREEMPTIONS: usize = 2;
/// Steps of one run: enough for any that ends.
const MAX_BRANCHES: usize = 10_000;

/// Runs the parts against each other in every way, each on a thread of its own, and after each
/// run `at_rest`, which sees all that they did. Plain cells in the world are what an observer
/// outside would know: loom runs all threads on one.
fn explore<W: Debug + 'static, const PARTS: usize>(
    world: fn() -> W,
    parts: [fn(&W); PARTS],
    at_rest: fn(&W),
) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound.get_or_insert(MAX_PREEMPTIONS);
    checker.max_branches = MAX_BRANCHES;
    checker.check(move || {
        let world = Rc::new(world());
        // Touches every atomic: see `Lazy`.
        let _ = format!("{world:?}");
        let main = loom::thread::current();
        let running = Rc::new(Cell::new(PARTS));
        for part in parts {
            let (world, running, main) = (Rc::clone(&world), Rc::clone(&running), main.clone());
            loom::thread::spawn(move || {
                part(&world);
                running.set(running.get() - 1);
                main.unpark();
            });
        }
        // Not by `join`: in what order the threads end is nothing to explore.
        while running.get() > 0 {
            loom::thread::park();
        }
        at_rest(&world);
    });
}

/// What a block of so many bytes counts when it is allocated.
fn allocated(bytes: u64) -> TagSums {
    TagSums { allocated_bytes: bytes, allocated_blocks: 1, ..TagSums::default() }
}

/// What it counts when it is freed.
fn freed(bytes: u64) -> TagSums {
    TagSums { freed_bytes: bytes, freed_blocks: 1, ..TagSums::default() }
}
