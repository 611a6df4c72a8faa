//! What is found, and what is counted.

use bursar::{Cache, Error, Registry, Tag, TagHandle};

#[test]
fn values_are_found_until_removed_and_look_ups_are_counted() {
    static TAG: Tag = Tag::new("cache/basics");
    let cache: Cache<&str, u32> = Cache::new(&TAG);
    assert_eq!(cache.get(&"a"), None);
    assert_eq!(cache.insert("a", 1), None);
    assert_eq!(cache.insert("a", 2), Some(1));
    assert_eq!(cache.get(&"a"), Some(2));
    assert_eq!(cache.get_or_insert_with("a", || unreachable!()), 2);
    assert_eq!(cache.remove(&"a"), Some(2));
    assert_eq!(cache.remove(&"a"), None);
    let stats = cache.stats();
    assert_eq!((stats.hits_total, stats.misses_total, stats.entries), (2, 1, 0));
    assert_eq!((stats.inserted_total, stats.replaced_total, stats.removed_total), (2, 1, 1));
    assert_eq!(stats.weight_bytes, 0);
    assert!((stats.hit_ratio() - 2.0 / 3.0).abs() < 1e-9);
}

#[test]
fn keys_are_looked_up_by_what_they_borrow() {
    static TAG: Tag = Tag::new("cache/borrowed");
    let cache: Cache<String, u32> = Cache::new(&TAG);
    cache.insert("a".to_owned(), 1);
    assert_eq!(cache.get("a"), Some(1));
    assert_eq!(cache.peek("a"), Some(1));
    assert!(cache.contains_key("a") && !cache.contains_key("b"));
    assert_eq!(cache.remove("a"), Some(1));
    assert!(cache.is_empty());
}

#[test]
fn peeking_neither_counts_nor_saves_an_entry_from_eviction() {
    static TAG: Tag = Tag::new("cache/peek");
    let cache: Cache<u32, u32> = Cache::builder(&TAG).max_entries(2).build().unwrap();
    cache.insert(1, 1);
    cache.insert(2, 2);
    assert_eq!(cache.peek(&1), Some(1));
    assert!(cache.contains_key(&1));
    cache.insert(3, 3);
    assert_eq!((cache.peek(&1), cache.peek(&2)), (None, Some(2)));

    let _ = cache.get(&2);
    cache.insert(4, 4);
    assert_eq!((cache.peek(&2), cache.peek(&3)), (Some(2), None), "a `get` does save it");
    assert_eq!(cache.stats().hits_total + cache.stats().misses_total, 1);
}

#[test]
fn a_snapshot_has_the_latest_used_first_and_leaves_the_order_alone() {
    static TAG: Tag = Tag::new("cache/snapshot");
    let cache: Cache<u32, char> = Cache::builder(&TAG).max_entries(3).build().unwrap();
    for (key, value) in [(1, 'a'), (2, 'b'), (3, 'c')] {
        cache.insert(key, value);
    }
    let _ = cache.get(&1);
    assert_eq!(cache.snapshot(), [(1, 'a'), (3, 'c'), (2, 'b')]);
    cache.insert(4, 'd');
    assert_eq!(cache.snapshot(), [(4, 'd'), (1, 'a'), (3, 'c')]);
}

#[test]
fn a_snapshot_of_many_shards_has_every_entry_once() {
    static TAG: Tag = Tag::new("cache/all");
    let cache: Cache<u64, u64> = Cache::new(&TAG);
    for key in 0..1000 {
        cache.insert(key, key + 1);
    }
    let mut entries = cache.snapshot();
    entries.sort_unstable();
    assert!(entries.iter().copied().eq((0..1000).map(|key| (key, key + 1))));
}

#[test]
fn clones_share_the_content() {
    static TAG: Tag = Tag::new("cache/clones");
    let cache: Cache<u32, u32> = Cache::new(&TAG);
    cache.clone().insert(1, 1);
    assert_eq!(cache.get(&1), Some(1));
    cache.clear();
    assert_eq!((cache.len(), cache.stats().removed_total), (0, 1));
}

#[test]
fn two_caches_of_one_tag_are_registered_under_names_of_their_own() {
    let tag = TagHandle::new("cache/tenant").unwrap();
    let registry = Registry::default();
    let pages: Cache<u32, u32> = Cache::new(&tag);
    let sessions: Cache<u32, u32> =
        Cache::builder(&tag).name("cache/tenant/sessions").build().unwrap();
    assert_eq!((pages.name(), sessions.name()), ("cache/tenant", "cache/tenant/sessions"));
    assert_eq!((pages.tag(), sessions.tag()), (&tag, &tag));
    let _pages = registry.register(&pages).unwrap();
    let _sessions = registry.register(&sessions).unwrap();
    assert_eq!(registry.len(), 2);
}

#[test]
fn settings_that_make_no_cache_are_refused() {
    static TAG: Tag = Tag::new("cache/refused");
    let builder = || Cache::<u64, u64>::builder(&TAG);
    let error = builder().max_entries(0).build().unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "max_entries", .. }), "{error}");
    let error = builder().max_bytes(0).build().unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "max_bytes", .. }), "{error}");
    let error = builder().time_to_live(std::time::Duration::ZERO).build().unwrap_err();
    assert!(error.to_string().contains("time_to_live 0s"), "{error}");
    let error = builder().name("two words").build().unwrap_err();
    assert_eq!(error, Error::InvalidName { given: "two words".to_owned() });

    let cache = builder().build().unwrap();
    let error = cache.set_max_entries(0).unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "max_entries", .. }), "{error}");
    let error = cache.set_max_bytes(0).unwrap_err();
    assert!(matches!(error, Error::InvalidSetting { name: "max_bytes", .. }), "{error}");
}
