//! Being woken when the headroom is used up.

use std::hint::black_box;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bursar_alloc::{Tag, TagHandle, Watch, tags_over_budget};

/// One watch in a process at a time; these tests take turns.
static TURN: Mutex<()> = Mutex::new(());

#[expect(clippy::disallowed_methods, reason = "a test, not the path of an allocation")]
fn take_turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn the_waiter_is_woken_once_the_headroom_is_used_up() {
    let _turn = take_turn();
    let watch = Watch::start(std::thread::current(), 64 << 20).unwrap();
    // Room that the neighbours in this process do not use up, however much they go through.
    watch.scan(|_| 1 << 50);
    let _ = watch.take_pending();
    assert!(!watch.take_pending());

    watch.scan(|_| 8 << 20);
    std::thread::spawn(|| {
        for _ in 0..200 {
            drop(black_box(vec![0u8; 64 << 10]));
        }
    });
    // Returns when woken; with the wake lost, never.
    while !watch.take_pending() {
        std::thread::park();
    }
}

#[test]
fn a_second_watch_is_refused_until_the_first_is_dropped() {
    let _turn = take_turn();
    let first = Watch::start(std::thread::current(), 1 << 20).unwrap();
    assert!(Watch::start(std::thread::current(), 1 << 20).is_none());
    drop(first);
    assert!(Watch::start(std::thread::current(), 1 << 20).is_some());
}

#[test]
fn without_a_waiter_the_flag_is_there_to_be_asked() {
    let _turn = take_turn();
    let watch = Watch::start(None, 64 << 20).unwrap();
    watch.scan(|_| 1 << 50);
    let _ = watch.take_pending();
    watch.scan(|_| 1 << 20);
    drop(black_box(vec![0u8; 2 << 20]));
    assert!(watch.take_pending());
}

#[test]
fn a_scan_answers_the_live_bytes_it_summed() {
    let _turn = take_turn();
    let watch = Watch::start(std::thread::current(), 1 << 30).unwrap();
    let block = black_box(vec![0u8; 48 << 20]);
    let mut seen = 0;
    let live_bytes = watch.scan(|live_bytes| {
        seen = live_bytes;
        1 << 30
    });
    assert_eq!(live_bytes, seen);
    assert!(live_bytes >= block.len() as u64);
}

#[test]
fn a_charge_outside_the_heap_uses_up_the_headroom() {
    static MAPPED: Tag = Tag::new("watching/mapped");
    let _turn = take_turn();
    let watch = Watch::start(std::thread::current(), 1 << 30).unwrap();
    watch.scan(|_| 1 << 50);
    let _ = watch.take_pending();
    let below = MAPPED.charge(1 << 48);
    assert!(!watch.take_pending());
    let past = MAPPED.charge(1 << 51);
    assert!(watch.take_pending());
    drop((below, past));
}

#[test]
fn a_tag_past_its_own_budget_raises_the_flag_long_before_the_whole_budget_does() {
    let _turn = take_turn();
    const WHOLE: u64 = 64 << 40;
    let whole = TagHandle::new("watching/tenant").unwrap();
    let part = TagHandle::with_parent("watching/tenant/part", &whole).unwrap();
    whole.set_budget_bytes(Some(4 << 20));
    let watch = Watch::start(std::thread::current(), WHOLE).unwrap();
    watch.scan(|_| WHOLE);
    let _ = watch.take_pending();
    // What a part holds is its parent's. The floor is a 64th of the whole budget, and the whole
    // so much that no neighbour in this process draws a quarter of it.
    let charge = part.charge(WHOLE / 64 / 4 * 3);
    assert!(!watch.take_pending());
    // Well past it: a neighbour's end gives unused fuel back.
    let past = part.charge(WHOLE / 64);
    assert!(watch.take_pending());
    let over = tags_over_budget();
    assert_eq!(over.iter().map(|tag| &*tag.name).collect::<Vec<_>>(), ["watching/tenant"]);
    assert!(over[0].subtree_bytes() > 4 << 20);

    whole.set_budget_bytes(None);
    watch.scan(|_| WHOLE);
    // Raised by a neighbour before the scan, perhaps.
    let _ = watch.take_pending();
    let much = part.charge(WHOLE / 2);
    assert!(!watch.take_pending(), "without a budget of its own it may have all of it");
    drop((charge, past, much));
}
