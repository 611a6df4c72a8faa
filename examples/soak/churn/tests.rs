use super::block::Block;
use super::books::{Books, PREFIX};
use super::shelf::Shelf;
use super::yard::TENANTS;
use super::*;
use bursar::{PressureLevel, PurgeOutcome, PurgeRequest, Purgeable, TagHandle, tag_usage};
use std::sync::{MutexGuard, RwLock};

/// All tenants of this process are compared: one test at a time has some.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    lock(&ALONE)
}

fn churn() -> Churn {
    Churn::idle(Registry::default(), 1 << 20)
}

fn tag(name: &str) -> TagHandle {
    TagHandle::with_parent(&format!("{PREFIX}{name}"), &TENANTS).expect("a number is left")
}

fn differences(books: &Books) -> Vec<String> {
    books.compare(&usage()).differences
}

#[test]
fn the_model_agrees_with_bursar_after_threads_tags_and_purgeables_came_and_went() {
    let _alone = alone();
    let churn = churn();
    let mut random = SmallRng::seed_from_u64(1);
    for _ in 0..60 {
        round(&churn.yard, &mut random);
    }
    let churned = churn.finish();
    assert_eq!(churned.in_words, [] as [&str; 0]);
    assert_eq!((churned.comparisons, churned.spoiled, churned.lost), (2, 0, 0));
    assert!(churned.threads >= 60 && churned.tags > 60 && churned.shelves > 0, "{churned:?}");
    assert!(churned.bytes_compared > 1 << 16, "{churned:?}");
}

#[test]
fn a_running_churn_stands_still_to_be_compared() {
    let _alone = alone();
    let plan = Plan { seed: 1, share: 2.0, max_bytes: 1 << 20 };
    let churn = Churn::start(Registry::default(), plan);
    while churn.so_far().threads < 40 {
        std::thread::yield_now();
    }
    for _ in 0..20 {
        churn.compare();
    }
    let churned = churn.finish();
    assert_eq!((churned.comparisons, churned.in_words.len(), churned.lost), (22, 0, 0));
}

#[test]
fn what_the_model_does_not_know_is_a_difference_of_its_tag_and_of_the_sum() {
    let _alone = alone();
    let books = Books::default();
    let stray = tag("stray").scope(|| vec![0_u8; 100]);
    let found = differences(&books);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("tenants/stray: Held { bytes: 100, blocks: 1 } by Bursar"));
    assert!(found[1].starts_with("all tenants: Held { bytes: 100, blocks: 0 } by Bursar"));
    drop(stray);
    assert_eq!(differences(&books), [] as [&str; 0]);
}

#[test]
fn what_bursar_does_not_know_is_a_difference_of_its_tag() {
    let _alone = alone();
    let books = Books::default();
    let account = books.account("tenants/gone");
    account.add_block(100);
    let found = differences(&books);
    assert!(found[0].starts_with("tenants/gone: Held { bytes: 0, blocks: 0 } by Bursar"));
    account.remove_block(100);
    assert_eq!(differences(&books), [] as [&str; 0]);
}

#[test]
fn a_block_stays_charged_to_its_tag_whoever_resizes_it() {
    let _alone = alone();
    let books = Books::default();
    let (one, other) = (tag("one"), tag("other"));
    let mut block = Block::new(&one, &books.account("tenants/one"), 100, 7);
    // Over the line between small and large blocks, up and down.
    for size in [5_000, 20] {
        other.scope(|| block.resize(size));
        assert_eq!(tag_usage(&one).live_bytes, size as u64);
        assert_eq!(differences(&books), [] as [&str; 0]);
    }
    drop(block);
    assert_eq!((tag_usage(&one).live_bytes, spoiled_blocks()), (0, 0));
}

#[test]
fn a_shelf_is_busy_while_all_stands_still_and_gives_its_blocks_up_then() {
    let _alone = alone();
    let books = Books::default();
    let blocks = (0..3).map(|_| Block::new(&tag("one"), &books.account("tenants/one"), 100, 7));
    let still = Arc::new(RwLock::new(()));
    let shelf = Shelf::new(blocks.collect(), Arc::clone(&still));
    let purge = || shelf.purge(&PurgeRequest::new(150, PressureLevel::Warning));
    let standing = still.write().expect("a lock");
    assert_eq!(purge(), PurgeOutcome::Busy);
    drop(standing);
    assert_eq!(purge(), PurgeOutcome::Freed(200));
    assert_eq!(shelf.purgeable_bytes(), 100);
    assert_eq!(differences(&books), [] as [&str; 0]);
}
