//! Bytes outside the heap, and blocks whose charge moves.

use bursar_alloc::{Charge, Retag, Tag, TagHandle, charged_bytes, tag_usage, usage};
use std::hint::black_box;

fn charged(tag: &'static Tag) -> u64 {
    tag_usage(tag).charged_bytes
}

fn live(tag: &'static Tag) -> (u64, u64) {
    let used = tag_usage(tag);
    (used.live_bytes, used.live_blocks)
}

#[test]
fn a_charge_counts_until_it_is_dropped_and_apart_from_live_bytes() {
    static TAG: Tag = Tag::new("charges/basic");
    let mut first = TAG.charge(1000);
    let second = TagHandle::from(&TAG).charge(20);
    assert_eq!((charged(&TAG), tag_usage(&TAG).live_bytes), (1020, 0));
    assert!(charged_bytes() >= 1020 && usage().charged_bytes >= 1020);

    first.set_bytes(5000);
    assert_eq!((charged(&TAG), first.bytes()), (5020, 5000));
    first.set_bytes(1);
    assert_eq!(charged(&TAG), 21);
    std::thread::spawn(move || drop(first)).join().unwrap();
    assert_eq!(charged(&TAG), 20);
    drop(second);
    assert_eq!(charged(&TAG), 0);
}

#[test]
fn charges_past_what_can_be_counted_stay_at_the_most_and_come_off_whole() {
    static TAG: Tag = Tag::new("charges/absurd");
    let charges: Vec<Charge> = [u64::MAX - 10, 30, 7].map(|bytes| TAG.charge(bytes)).into();
    assert_eq!(charged(&TAG), u64::MAX);
    assert_eq!(charges.iter().map(Charge::bytes).collect::<Vec<_>>(), [u64::MAX - 10, 10, 0]);
    drop(charges);
    assert_eq!(charged(&TAG), 0);
}

#[test]
fn a_charge_keeps_its_tag_in_use() {
    let tag = TagHandle::new("charges/made").unwrap();
    let charge = tag.charge(64);
    drop(tag);
    assert_eq!(tag_usage(charge.tag()).charged_bytes, 64);
    let is_listed = || usage().tags.iter().any(|tag| tag.name == "charges/made");
    assert!(is_listed());
    drop(charge);
    assert!(!is_listed());
}

#[test]
fn a_retag_moves_the_charge_of_whatever_owns_one_block() {
    static FROM: Tag = Tag::new("retag/from");
    static TO: Tag = Tag::new("retag/to");
    trait Named {}
    impl Named for [u8; 48] {}

    let _guard = FROM.enter();
    let mut vector = Vec::<u32>::with_capacity(25);
    let mut string = String::with_capacity(2000);
    let mut boxed = Box::new([0u64; 5]);
    let mut slice = vec![1u8; 70_000].into_boxed_slice();
    let mut object: Box<dyn Named> = Box::new([0u8; 48]);
    let mut text: Box<str> = "seven b".into();
    assert_eq!(live(&FROM), (100 + 2000 + 40 + 70_000 + 48 + 7, 6));

    string.push_str("kept");
    vector.retag(&TO);
    string.retag(&TO);
    boxed.retag(&TO);
    slice.retag(&TO);
    object.retag(&TO);
    text.retag(&TO);
    assert_eq!(live(&FROM), (0, 0));
    assert_eq!(live(&TO), (100 + 2000 + 40 + 70_000 + 48 + 7, 6));
    assert_eq!((&*string, &*text), ("kept", "seven b"));
    assert!(slice.iter().all(|&byte| byte == 1));

    // Growth stays with the new tag, across the line between trailer and map too.
    vector.reserve_exact(1000);
    assert_eq!(live(&TO).0, 4000 + 2000 + 40 + 70_000 + 48 + 7);
    drop((vector, string, boxed, slice, object, text));
    assert_eq!((live(&FROM), live(&TO)), ((0, 0), (0, 0)));
}

#[test]
fn a_retag_of_no_bytes_and_to_the_same_tag_changes_nothing() {
    static TAG: Tag = Tag::new("retag/nothing");
    Vec::<u64>::new().retag(&TAG);
    Vec::<()>::with_capacity(10).retag(&TAG);
    String::new().retag(&TAG);
    Box::new(()).retag(&TAG);
    assert_eq!(tag_usage(&TAG).allocated_bytes_total, 0);

    let mut buffer = TAG.scope(|| black_box(Vec::<u8>::with_capacity(10)));
    buffer.retag(&TAG);
    assert_eq!(live(&TAG), (10, 1));
    drop(buffer);
    assert_eq!(live(&TAG), (0, 0));
}

#[test]
fn a_buffer_may_be_retagged_to_a_tag_made_at_run_time_which_then_stays_for_it() {
    static REQUEST: Tag = Tag::new("retag/request");
    let mut body = REQUEST.scope(|| black_box(vec![0u8; 3000]));
    body.retag(TagHandle::new("retag/made").unwrap());
    let made = TagHandle::new("retag/made").unwrap();
    assert_eq!(tag_usage(&made).live_bytes, 3000);
    drop(body);
    assert_eq!((tag_usage(&made).live_bytes, live(&REQUEST)), (0, (0, 0)));
}
