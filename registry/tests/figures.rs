//! What purgeables count of their own, as statistics have it.

use std::sync::mpsc;
use std::thread;

use bursar::{
    AccountingAllocator, BoundedLog, Bursar, Cache, Entry, FnPurgeable, Pool, PurgeOutcome,
    PurgeableFigures, Registry, Singletons, System, Tag, WeakCache,
};

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

/// Entries, hits and misses of what is registered.
fn figures(entry: impl Into<Entry>) -> [Option<u64>; 3] {
    let figures = entry.into().purgeable().figures();
    [figures.entries, figures.hits_total, figures.misses_total]
}

#[test]
fn a_cache_counts_its_entries_and_its_lookups() {
    static TAG: Tag = Tag::new("figures/cache");
    let cache: Cache<u32, String> = Cache::new(&TAG);
    assert_eq!(figures(&cache), [Some(0), Some(0), Some(0)]);
    for key in [1, 2, 1, 1] {
        cache.get_or_insert_with(key, || "page".to_owned());
    }
    assert_eq!(cache.get(&3), None);
    let stats = cache.stats();
    assert_eq!(figures(&cache), [Some(2), Some(stats.hits_total), Some(stats.misses_total)]);
    assert_eq!((stats.hits_total, stats.misses_total), (2, 3));
}

/// A key that can be stopped while it is compared, with its shard locked.
#[derive(Clone)]
struct Slow(Option<(mpsc::SyncSender<()>, std::sync::Arc<std::sync::Barrier>)>);

impl std::hash::Hash for Slow {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl PartialEq for Slow {
    fn eq(&self, other: &Self) -> bool {
        if let Some((reached, go_on)) = self.0.as_ref().or(other.0.as_ref()) {
            reached.send(()).unwrap();
            go_on.wait();
        }
        true
    }
}

impl Eq for Slow {}

#[test]
fn lookups_are_not_known_while_a_shard_is_locked_for_long_and_nobody_waits_for_them() {
    static TAG: Tag = Tag::new("figures/locked");
    let cache: Cache<Slow, u32> = Cache::new(&TAG);
    cache.insert(Slow(None), 7);
    let (sender, reached) = mpsc::sync_channel(0);
    let go_on = std::sync::Arc::new(std::sync::Barrier::new(2));
    let key = Slow(Some((sender, go_on.clone())));
    thread::scope(|scope| {
        scope.spawn(|| cache.get(&key));
        reached.recv().unwrap();
        assert_eq!(figures(&cache), [Some(1), None, None]);
        go_on.wait();
    });
    assert_eq!(figures(&cache), [Some(1), Some(1), Some(0)]);
}

#[test]
fn a_weak_cache_counts_its_entries_and_its_lookups() {
    static TAG: Tag = Tag::new("figures/weak");
    let cache: WeakCache<u32, String> = WeakCache::new(&TAG);
    let held = cache.get_or_insert_with(1, || "face".to_owned());
    assert!(cache.get(&1).is_some() && cache.get(&2).is_none());
    assert_eq!(figures(&cache), [Some(1), Some(1), Some(2)]);
    drop(held);
}

#[test]
fn what_a_pool_hands_out_again_is_a_hit_and_what_it_builds_is_a_miss() {
    static TAG: Tag = Tag::new("figures/pool");
    let pool = Pool::new(&TAG, Vec::<u8>::new);
    let both = (pool.acquire(), pool.acquire());
    assert_eq!(figures(&pool), [Some(0), Some(0), Some(2)]);
    drop(both);
    drop(pool.acquire());
    assert_eq!(figures(&pool), [Some(2), Some(1), Some(2)]);
}

#[test]
fn singletons_count_what_is_built_and_how_it_was_found_and_forget_no_name_that_is_gone() {
    static TAG: Tag = Tag::new("figures/singletons");
    let singletons = Singletons::new(&TAG);
    singletons.define("palette", || 7u32).unwrap();
    assert_eq!(figures(&singletons), [Some(0), Some(0), Some(0)]);
    for _ in 0..3 {
        singletons.get::<u32>("palette").unwrap();
    }
    assert_eq!(figures(&singletons), [Some(1), Some(2), Some(1)]);
    singletons.set("palette", 8u32).unwrap();
    singletons.get::<u32>("palette").unwrap();
    assert_eq!(figures(&singletons), [Some(1), Some(3), Some(1)]);
    singletons.clear();
    assert_eq!(figures(&singletons), [Some(0), Some(3), Some(1)]);
    singletons.reset_stats();
    assert_eq!(figures(&singletons), [Some(0), Some(0), Some(0)]);
}

#[test]
fn a_log_counts_its_entries_and_no_lookups() {
    static TAG: Tag = Tag::new("figures/log");
    let log = BoundedLog::builder(&TAG).max_entries(2).build().unwrap();
    log.extend([1, 2, 3]);
    assert_eq!(figures(&log), [Some(2), None, None]);
}

#[test]
fn closures_count_nothing_unless_one_of_them_does() {
    static TAG: Tag = Tag::new("figures/closure");
    let silent = FnPurgeable::new(&TAG, || 0, |_| PurgeOutcome::Empty);
    assert_eq!(figures(silent), [None; 3]);
    let counting = FnPurgeable::new(&TAG, || 0, |_| PurgeOutcome::Empty).figures(|| {
        let mut figures = PurgeableFigures::default();
        (figures.hits_total, figures.misses_total) = (Some(3), Some(1));
        figures
    });
    assert_eq!(figures(counting), [None, Some(3), Some(1)]);
}

#[test]
fn a_panic_of_who_counts_is_contained() {
    static TAG: Tag = Tag::new("figures/panic");
    let fragile = FnPurgeable::new(&TAG, || 0, |_| PurgeOutcome::Empty)
        .figures(|| std::panic::resume_unwind(Box::new("as expected")));
    let bursar = Bursar::builder().budget("64MiB").threadless(true).start().unwrap();
    let _registration = bursar.register(fragile).unwrap();
    let stats = bursar.stats();
    assert_eq!((stats.purgeables[0].entries, stats.purgeables[0].panics_total), (None, 1));

    // One Bursar in a process at a time: the table is looked at with this one.
    static PAGES: Tag = Tag::new("figures/pages");
    let pages: Cache<u32, String> = Cache::new(&PAGES);
    let _pages = bursar.register(&pages).unwrap();
    pages.get_or_insert_with(1, || "page".to_owned());
    for _ in 0..7 {
        assert!(pages.get(&1).is_some());
    }
    let stats = bursar.stats();
    let named = |name| stats.purgeables.iter().find(|purgeable| purgeable.name == name).unwrap();
    assert_eq!(named("figures/pages").hit_ratio(), Some(0.875));
    assert_eq!(named("figures/panic").hit_ratio(), None);
    let text = stats.to_string();
    let columns = |name: &str| {
        let line = text.lines().rfind(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    let heads = ["purgeable", "stage", "could", "free", "entries", "hits", "purges", "freed"];
    assert_eq!(columns("purgeable"), heads);
    assert_eq!(columns("figures/pages")[4..7], ["1", "87.5", "%"], "{text}");
    assert_eq!(columns("figures/panic")[4..6], ["-", "-"], "{text}");
}

#[test]
fn what_is_gone_counts_nothing() {
    static TAG: Tag = Tag::new("figures/gone");
    let log: BoundedLog<u32> = BoundedLog::builder(&TAG).max_entries(2).build().unwrap();
    let entry = Entry::from(&log);
    let _registration = Registry::default().register(entry.clone()).unwrap();
    drop(log);
    assert_eq!(figures(entry), [None; 3]);
}
