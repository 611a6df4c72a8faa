//! More tags than there are numbers, and numbers that go from tag to tag. A process of its own:
//! while all numbers are taken, no other test finds one.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};

use bursar_alloc::{
    AccountingAllocator, System, Tag, TagError, TagHandle, TagUsage, tag_usage, usage,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// Each of these tests wants all numbers; they take turns.
#[expect(clippy::disallowed_methods, reason = "a test, not the path of an allocation")]
fn take_turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes tags until there is no number left.
fn take_all(prefix: &str) -> (Vec<TagHandle>, TagError) {
    let mut tags = Vec::new();
    loop {
        match TagHandle::new(&format!("{prefix}-{}", tags.len())) {
            Ok(tag) => tags.push(tag),
            Err(error) => return (tags, error),
        }
    }
}

fn figures(used: &TagUsage) -> [u64; 6] {
    [
        used.live_bytes,
        used.live_blocks,
        used.charged_bytes,
        used.peak_bytes,
        used.peak_at_most_bytes,
        used.allocated_bytes_total,
    ]
}

#[test]
fn past_all_numbers_a_made_tag_is_an_error_and_a_static_one_is_counted_under_overflow() {
    static LATE: Tag = Tag::new("late");
    let _turn = take_turn();
    let (mut tags, error) = take_all("full");
    assert!(tags.len() > 200, "{}", tags.len());
    let TagError::NoNumberLeft { ref name, in_use } = error else { panic!("{error}") };
    assert_eq!((name.as_str(), in_use), (format!("full-{}", tags.len()).as_str(), 240));

    let overflowed_before = usage().overflowed_tags;
    let block = LATE.scope(|| vec![0u8; 777]);
    let overflow = usage().tags.pop().unwrap();
    assert_eq!((&*overflow.name, overflow.live_bytes), ("overflow", 777));
    assert_eq!(usage().overflowed_tags, overflowed_before + 1);
    assert!(TagHandle::new("full-0").is_ok(), "a tag that is there needs no number");
    drop(block);

    let kept = tags[3].scope(|| Box::new(5u64));
    drop(tags.swap_remove(3));
    assert!(TagHandle::new("next").is_err(), "a block still bears the number");
    drop(kept);
    let next = TagHandle::new("next").unwrap();
    assert_eq!(figures(&tag_usage(&next)), [0; 6]);
}

#[test]
fn thirty_thousand_tags_in_a_row_each_begin_at_zero_and_leave_nothing_behind() {
    let _turn = take_turn();
    let listed_before = usage().tags.len();
    let mut recent = VecDeque::new();
    for round in 0..30_000_usize {
        let tag = TagHandle::new(&format!("round-{round}")).unwrap();
        let block = tag.scope(|| Vec::<u8>::with_capacity(1 + round % 2000));
        let _charge = tag.charge(5);
        if round % 100 == 0 {
            let size = 1 + round as u64 % 2000;
            assert_eq!(figures(&tag_usage(&tag)), [size, 1, 5, size, size, size]);
        }
        // Some blocks outlive their tag's handle by a while.
        recent.push_back(block);
        if recent.len() > 50 {
            recent.pop_front();
        }
    }
    drop(recent);
    assert_eq!(usage().tags.len(), listed_before);
}

/// One thread makes tags and blocks under them, two grow the blocks over the line between
/// trailer and map and free them, while the numbers go from tag to tag.
#[test]
fn numbers_recycled_while_other_threads_grow_and_free_never_carry_figures_over() {
    const TAGS: usize = 20_000;
    let _turn = take_turn();
    // Few numbers to go round.
    let (mut all, _) = take_all("concurrent");
    all.truncate(all.len() - 6);
    std::thread::scope(|scope| {
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let (sender, receiver) = mpsc::sync_channel::<Vec<u8>>(4);
                scope.spawn(move || {
                    for mut block in receiver {
                        block.reserve_exact(3000);
                        block.shrink_to(200);
                        drop(block);
                    }
                });
                sender
            })
            .collect();
        for number in 0..TAGS {
            let tag = loop {
                // Until one of them has freed the last block of some tag.
                match TagHandle::new(&format!("passing-{number}")) {
                    Ok(tag) => break tag,
                    Err(_) => std::thread::yield_now(),
                }
            };
            assert_eq!(figures(&tag_usage(&tag)), [0; 6], "tag {number}");
            for sender in &senders {
                sender.send(tag.scope(|| Vec::with_capacity(100))).unwrap();
            }
        }
    });
    drop(all);
    let listed = usage().tags.into_iter().filter(|tag| tag.name.starts_with("passing"));
    assert_eq!(listed.map(|tag| tag.name).collect::<Vec<_>>(), [""; 0]);
}
