//! A program that forgot the global allocator.

use bursar::{Bursar, Cache, Error, Tag};

static TAG: Tag = Tag::new("pages");

#[test]
fn starting_without_the_allocator_is_an_error_that_says_what_to_add() {
    let error = Bursar::builder().budget("64MiB").start().unwrap_err();
    assert_eq!(error, Error::NotInstalled);
    assert!(error.to_string().contains("#[global_allocator]"), "{error}");
}

#[test]
fn a_cache_works_without_the_allocator_and_weighs_its_nodes_alone() {
    let cache: Cache<u64, Vec<u8>> = Cache::new(&TAG);
    let value = cache.get_or_insert_with(1, || vec![7; 1000]);
    assert_eq!(cache.get(&1), Some(value));
    let stats = cache.stats();
    assert_eq!(stats.weight_bytes, 0);
    assert!((1..1000).contains(&stats.table_bytes));
}
