//! Blocks that change hands across the border of a tag's own memory.

use std::hint::black_box;

use bursar_alloc::{Collect, Retag, Tag, tag_usage};

use crate::active_bytes;

#[test]
fn a_block_that_comes_to_an_isolated_tag_or_leaves_it_is_copied_there() {
    static OWN: Tag = Tag::new("retag/own").isolated();
    static PLAIN: Tag = Tag::new("retag/plain");
    for len in [1, 100, 1023, 1024, 50_000] {
        let content: Vec<u8> = (0..len).map(|index| index as u8).collect();
        let mut block = PLAIN.scope(|| content.clone());
        block.retag(&OWN);
        assert_eq!(tag_usage(&PLAIN).live_blocks, 0);
        let own = tag_usage(&OWN);
        assert_eq!((own.live_bytes, own.live_blocks), (len as u64, 1));
        assert!(active_bytes(&own) >= len as u64, "{own:?}");
        assert_eq!(block, content);

        block.retag(&PLAIN);
        OWN.collect(Collect::Purge);
        assert_eq!(active_bytes(&tag_usage(&OWN)), 0);
        assert_eq!((tag_usage(&PLAIN).live_bytes, &block), (len as u64, &content));
    }
}

#[test]
fn vectors_strings_and_boxes_are_themselves_after_the_move() {
    static OWN: Tag = Tag::new("retag/owner").isolated();
    let mut vector: Vec<u64> = Vec::with_capacity(100);
    vector.extend(0..50);
    vector.retag(&OWN);
    vector.extend(50..200);
    assert!(vector.iter().copied().eq(0..200));

    let mut string = "naïve".repeat(10);
    string.retag(&OWN);
    string.push('!');
    assert_eq!(string, "naïve".repeat(10) + "!");

    let mut boxed = Box::new((7u64, vec![1u8, 2, 3]));
    boxed.retag(&OWN);
    assert_eq!(*boxed, (7, vec![1, 2, 3]));
    assert!(tag_usage(&OWN).live_bytes >= 1600 + 50 + 32);
    drop((vector, string, boxed));
    assert_eq!(tag_usage(&OWN).live_blocks, 0);
    OWN.collect(Collect::Purge);
    assert_eq!(active_bytes(&tag_usage(&OWN)), 0);
}

#[test]
fn a_box_of_an_unsized_type_stays_where_it_is_and_is_charged_all_the_same() {
    static OWN: Tag = Tag::new("retag/unsized").isolated();
    let mut boxed: Box<dyn Fn() -> usize> = {
        let numbers = [7usize; 20];
        Box::new(move || black_box(numbers).iter().sum())
    };
    let address = (&raw const *boxed).addr();
    boxed.retag(&OWN);
    assert_eq!((&raw const *boxed).addr(), address);
    assert_eq!(tag_usage(&OWN).live_bytes, 160);
    assert_eq!(boxed(), 140);
    drop(boxed);
    assert_eq!(tag_usage(&OWN).live_bytes, 0);
}
