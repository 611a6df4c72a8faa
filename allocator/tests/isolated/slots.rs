//! Who has memory of their own, of those who asked for it.

use std::hint::black_box;

use bursar_alloc::{Isolation, Tag, TagHandle, tag_usage};

use crate::child;

/// So many tags have arenas at once.
const MOST: usize = 32;

#[test]
fn past_thirty_two_an_isolated_tag_lies_among_the_others_until_one_ends() {
    const NAME: &str =
        "slots::past_thirty_two_an_isolated_tag_lies_among_the_others_until_one_ends";
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    let mut tags: Vec<_> =
        (0..MOST).map(|tag| TagHandle::isolated(&format!("tenant/{tag}")).unwrap()).collect();
    assert!(tags.iter().all(|tag| tag_usage(tag).isolation == Isolation::Arena));

    static LATE: Tag = Tag::new("late").isolated();
    let block = LATE.scope(|| black_box(vec![7u8; 5000]));
    let late = tag_usage(&LATE);
    assert_eq!((late.isolation, late.live_bytes), (Isolation::Exhausted, 5000));
    assert_eq!(late.active_bytes, None);
    drop(block);
    assert_eq!(tag_usage(&LATE).live_bytes, 0);

    // A name that is in use is the same tag, whoever asks for what.
    assert_eq!(tag_usage(TagHandle::new("tenant/0").unwrap()).isolation, Isolation::Arena);

    tags.pop();
    let next = TagHandle::isolated("tenant/next").unwrap();
    assert_eq!(tag_usage(&next).isolation, Isolation::Arena);
    let plain = TagHandle::new("plain").unwrap();
    assert_eq!(tag_usage(&plain).isolation, Isolation::Off);
    assert_eq!(tag_usage(TagHandle::isolated("plain").unwrap()).isolation, Isolation::Off);
}

#[test]
fn ten_thousand_isolated_tags_one_after_the_other_make_do_with_the_arenas_there_are() {
    const NAME: &str =
        "slots::ten_thousand_isolated_tags_one_after_the_other_make_do_with_the_arenas_there_are";
    // This thread's cache stays with the slot, whose next tag is another test's.
    if !child::is_inside(NAME) {
        return child::pass(NAME);
    }
    for tag in 0..10_000 {
        let tag = TagHandle::isolated(&format!("passing/{tag}")).unwrap();
        let block = tag.scope(|| black_box(vec![7u8; 100]));
        let usage = tag_usage(&tag);
        assert_eq!(usage.isolation, Isolation::Arena);
        assert_eq!(usage.live_bytes, 100);
        drop(block);
    }
}
