//! The allocator's core under a model checker, loom: small ledgers and tables, two or three
//! threads, every interleaving of their steps within a bound of preemptions, and at each load
//! every value that the memory model lets it return.
//!
//! ```sh
//! RUSTFLAGS="--cfg bursar_loom" cargo test --release -p bursar-alloc --no-default-features \
//!     --lib --target-dir target/loom model::
//! ```
//!
//! `LOOM_MAX_PREEMPTIONS` sets another bound. Not explored is a load that is satisfied before
//! one that precedes it in its thread by a store of another thread that has not happened yet
//! (load buffering); and no more than the last seven values of each atomic are remembered.

mod fuel;
mod ledger;
mod recycling;
mod wake;

use std::cell::Cell;
use std::fmt::Debug;
use std::rc::Rc;

use crate::shard::TagSums;

/// How often a thread is interrupted in one run, at most. Most bugs take one or two.
const MAX_PREEMPTIONS: usize = 3;

/// Runs the parts against each other in every way, each on a thread of its own, and then
/// `at_rest`, which has seen all that they did.
fn explore<W: Debug + 'static, const PARTS: usize>(
    world: fn() -> W,
    parts: [fn(&W); PARTS],
    at_rest: fn(&W),
) {
    let mut checker = loom::model::Builder::new();
    checker.preemption_bound.get_or_insert(MAX_PREEMPTIONS);
    checker.max_branches = 10_000;
    let runs = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let r2 = runs.clone();
    checker.check(move || {
        r2.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let world = Rc::new(world());
        // Touches every atomic: see `primitive::modelled::Lazy`.
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
        // Not by `join`, whose order would be explored as well.
        while running.get() > 0 {
            loom::thread::park();
        }
        at_rest(&world);
    });
    println!("RUNS {}", runs.load(std::sync::atomic::Ordering::Relaxed));
}

/// What a block of so many bytes counts when it is allocated.
fn allocated(bytes: u64) -> TagSums {
    TagSums { allocated_bytes: bytes, allocated_blocks: 1, ..TagSums::default() }
}

/// What it counts when it is freed.
fn freed(bytes: u64) -> TagSums {
    TagSums { freed_bytes: bytes, freed_blocks: 1, ..TagSums::default() }
}
