//! Tags made at run time, and tags that are parts of others.

use std::hint::black_box;

use bursar_alloc::{
    Tag, TagError, TagHandle, TagUsage, tag_usage, thread_usage, thread_usage_subtree, usage,
};

fn listed(name: &str) -> Option<TagUsage> {
    usage().tags.into_iter().find(|tag| tag.name == name)
}

fn live(tag: &TagHandle) -> (u64, u64) {
    let used = tag_usage(tag);
    (used.live_bytes, used.live_blocks)
}

#[test]
fn a_tag_made_at_run_time_is_charged_until_its_blocks_are_freed() {
    let name = format!("tags/tenant-{}", 42);
    let tag = TagHandle::new(&name).unwrap();
    let kept = tag.scope(|| black_box(Vec::<u8>::with_capacity(1000)));
    let moved = tag.scope(|| black_box(Vec::<u8>::with_capacity(50)));
    assert_eq!(live(&tag), (1050, 2));
    assert_eq!(tag_usage(&tag).name, name);

    std::thread::spawn(move || drop(moved)).join().unwrap();
    assert_eq!(live(&tag), (1000, 1));
    drop(kept);
    assert_eq!(live(&tag), (0, 0));
    assert_eq!(tag_usage(&tag).allocated_bytes_total, 1050);
}

#[test]
fn handles_and_statics_of_one_name_are_one_tag() {
    static STATIC: Tag = Tag::new("tags/one-name");
    let first = TagHandle::new("tags/one-name").unwrap();
    let second = TagHandle::new("tags/one-name").unwrap();
    let blocks = [
        STATIC.scope(|| black_box(Vec::<u8>::with_capacity(1))),
        first.scope(|| black_box(Vec::<u8>::with_capacity(20))),
        second.clone().scope(|| black_box(Vec::<u8>::with_capacity(300))),
    ];
    assert_eq!(first, second);
    assert_eq!(first, TagHandle::from(&STATIC));
    assert_eq!(tag_usage(&STATIC).live_bytes, 321);
    drop((first, second, blocks));
    assert_eq!(listed("tags/one-name").unwrap().live_bytes, 0, "a static tag stays listed");
}

#[test]
fn a_tag_made_at_run_time_is_listed_until_nothing_names_it_and_no_block_bears_it() {
    let name = "tags/passing";
    let tag = TagHandle::new(name).unwrap();
    let block = tag.scope(|| black_box(Vec::<u8>::with_capacity(10)));
    let guard = tag.enter();
    drop(tag);
    let inside = black_box(Vec::<u8>::with_capacity(7));
    assert_eq!(listed(name).unwrap().live_bytes, 17, "the guard names it");
    drop((guard, inside));
    assert_eq!(listed(name).unwrap().live_bytes, 10, "a block bears it");
    assert_eq!(TagHandle::new(name).map(|tag| live(&tag)), Ok((10, 1)), "its name finds it again");
    drop(block);
    assert_eq!(listed(name), None);
}

#[test]
fn guards_of_both_kinds_nest_and_may_be_dropped_out_of_order() {
    static STATIC: Tag = Tag::new("tags/order-static");
    let made = TagHandle::new("tags/order-made").unwrap();
    std::thread::spawn(move || {
        let outer = made.enter();
        let inner = STATIC.enter();
        drop(outer);
        let untagged = black_box(Vec::<u8>::with_capacity(5));
        drop(inner);
        let back_in_made = black_box(Vec::<u8>::with_capacity(11));
        assert_eq!((live(&made), tag_usage(&STATIC).live_bytes), ((11, 1), 0));
        drop((untagged, back_in_made));
    })
    .join()
    .unwrap();
    assert_eq!(listed("tags/order-made"), None, "the thread's end has left it");
}

#[test]
fn a_leaked_guard_keeps_its_tag_until_the_thread_ends() {
    let name = "tags/leaked-guard";
    std::thread::spawn(move || {
        std::mem::forget(TagHandle::new(name).unwrap().enter());
        let block = black_box(Vec::<u8>::with_capacity(99));
        assert_eq!(listed(name).unwrap().live_bytes, 99);
        drop(block);
        assert!(listed(name).is_some());
    })
    .join()
    .unwrap();
    assert_eq!(listed(name), None);
}

#[test]
fn a_name_that_is_not_allowed_is_an_error_that_names_it() {
    let error = TagHandle::new("tenant 7").unwrap_err();
    assert!(matches!(error, TagError::InvalidName(_)));
    assert!(error.to_string().contains("\"tenant 7\""), "{error}");
    for taken in ["untagged", "overflow"] {
        assert!(TagHandle::new(taken).is_err());
    }
}

#[test]
fn what_parts_hold_rolls_up_to_every_ancestor_and_is_charged_to_the_part_alone() {
    static WHOLE: Tag = Tag::new("tags/whole");
    static PART: Tag = Tag::new("tags/whole/part").with_parent(&WHOLE);
    let piece = TagHandle::with_parent("tags/whole/part/piece", &PART).unwrap();
    let _blocks = [
        WHOLE.scope(|| black_box(Vec::<u8>::with_capacity(1))),
        PART.scope(|| black_box(Vec::<u8>::with_capacity(20))),
        piece.scope(|| black_box(Vec::<u8>::with_capacity(300))),
    ];
    let _charge = piece.charge(4000);
    for used in [tag_usage(&WHOLE), listed("tags/whole").unwrap()] {
        assert_eq!((used.live_bytes, used.subtree_live_bytes), (1, 321));
        assert_eq!((used.charged_bytes, used.subtree_charged_bytes), (0, 4000));
        assert_eq!(used.parent, None);
    }
    for used in [tag_usage(&PART), listed("tags/whole/part").unwrap()] {
        assert_eq!((used.live_bytes, used.subtree_live_bytes), (20, 320));
        assert_eq!(used.parent.as_deref(), Some("tags/whole"));
    }
    assert_eq!(tag_usage(&piece).subtree_live_bytes, 300);
}

#[test]
fn a_section_of_code_finds_what_it_allocated_freed_and_kept() {
    let tag = TagHandle::new("tags/section").unwrap();
    let before = thread_usage(&tag).unwrap();
    let kept = tag.scope(|| {
        drop(black_box(Vec::<u8>::with_capacity(1000)));
        black_box(Vec::<u8>::with_capacity(24))
    });
    let done = thread_usage(&tag).unwrap().since(&before);
    assert_eq!((done.allocated_bytes, done.freed_bytes, done.kept_bytes()), (1024, 1000, 24));
    drop(kept);
    assert_eq!(thread_usage(&tag).unwrap().since(&before).kept_bytes(), 0);
}

#[test]
fn what_a_section_of_code_kept_under_parts_of_a_tag_is_found_by_the_whole() {
    static WHOLE: Tag = Tag::new("tags/section-whole");
    static OTHER: Tag = Tag::new("tags/section-other");
    let part = TagHandle::with_parent("tags/section-part", &WHOLE).unwrap();
    let piece = TagHandle::with_parent("tags/section-piece", &part).unwrap();
    let before = thread_usage_subtree(&WHOLE).unwrap();
    let bytes = |len| black_box(Vec::<u8>::with_capacity(len));
    let kept = [
        WHOLE.scope(|| bytes(1)),
        part.scope(|| bytes(20)),
        piece.scope(|| bytes(300)),
        OTHER.scope(|| bytes(4000)),
    ];
    let done = |before| thread_usage_subtree(&WHOLE).unwrap().since(before).kept_bytes();
    assert_eq!(done(&before), 321);
    drop(kept);
    assert_eq!(done(&before), 0);
}

#[test]
fn a_peak_between_two_readings_is_within_the_bound_that_is_given_for_it() {
    static TAG: Tag = Tag::new("tags/peak");
    let low = TAG.scope(|| black_box(Vec::<u8>::with_capacity(100)));
    assert_eq!(tag_usage(&TAG).peak_bytes, 100);
    drop(TAG.scope(|| black_box(Vec::<u8>::with_capacity(5000))));
    let used = tag_usage(&TAG);
    assert_eq!(used.peak_at_most_bytes, 5100);
    // Unless a neighbour has read it in between.
    assert!([100, 5100].contains(&used.peak_bytes), "{used:?}");
    drop(low);
}
