//! What a service makes once and shares: built on first use, by one thread; each with its bytes;
//! and what can be built again is dropped under pressure while nobody has it.
//!
//! `cargo run --release --example singletons`

use std::collections::HashMap;

use bursar::{AccountingAllocator, Bursar, Error, Jemalloc, PressureLevel, Singletons, Tag};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

static SHARED: Tag = Tag::new("shared");

type Words = HashMap<String, u64>;

struct Settings {
    greeting: &'static str,
}

fn main() -> Result<(), Error> {
    let bursar = Bursar::builder().budget("64MiB").threadless(true).start()?;
    let shared = Singletons::new(&SHARED);
    let _registration = bursar.register(&shared)?;

    // Built by whoever asks first; never dropped by a cleanup.
    let settings = || shared.get_or_init("settings", || Settings { greeting: "hello" });
    // Built on first use, dropped when memory is short, built again.
    shared.define("words", || -> Words {
        (0..400_000).map(|n| (format!("word number {n}"), n)).collect()
    })?;
    let look_up = |word: &str| -> Result<Option<u64>, Error> {
        let words = shared.get::<Words>("words")?;
        Ok(words.and_then(|words| words.get(word).copied()))
    };

    let threads = 4;
    std::thread::scope(|scope| {
        for n in 0..threads {
            scope.spawn(move || look_up(&format!("word number {n}")));
        }
    });
    println!("{}: word number 7 is {:?}", settings()?.greeting, look_up("word number 7")?);
    show(&shared, &format!("after {threads} threads looked up at once"));

    let report = bursar.reclaim(PressureLevel::Critical)?;
    println!("\n{report}");
    show(&shared, "after a cleanup");

    println!("\nword number 8 is {:?}", look_up("word number 8")?);
    show(&shared, "after the next look-up");

    // A build that comes to want itself is an error, not a hang.
    let chicken = shared.try_get_or_init("chicken", || {
        shared
            .try_get_or_init("egg", || shared.get_or_init("chicken", || 1).map(|n| *n))
            .map(|n| *n)
            .map_err(Error::from)
    });
    println!("\n{}", chicken.map_err(Error::from).expect_err("which came first?"));
    Ok(())
}

fn show(shared: &Singletons, when: &str) {
    println!("{when}:");
    for entry in shared.stats().entries {
        let state = if entry.is_built { "built" } else { "not built" };
        println!(
            "  {:8} {state:9} {:>10} bytes, built {} times, looked up {} times",
            entry.name,
            entry.deep_bytes.unwrap_or(0),
            entry.builds_total,
            entry.accesses_total
        );
    }
}
