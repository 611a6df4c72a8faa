//! Caches under isolated tags, over jemalloc: their pages come back when they are cut, whatever
//! lies beside them. One Bursar runs in a process at a time, so the tests take turns.
#![cfg(all(feature = "jemalloc", not(all(windows, target_env = "msvc"))))]

mod turn;

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bursar::{
    AccountingAllocator, Budget, Bursar, Cache, EmergencyReport, Entry, FnPurgeable, Isolation,
    Jemalloc, PressureLevel, Profile, PurgeOutcome, Purgeable, Stage, Tag, TagHandle, TagUsage,
    tag_usage,
};
use turn::take_turn;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

/// Other blocks of the sizes of the caches' entries, that lie where those would lie too.
static REST: Tag = Tag::new("isolation/rest");

const MIB: u64 = 1 << 20;
const ENTRIES: usize = 20_000;

type Blocks = Vec<Vec<u8>>;

fn len_of(index: usize) -> usize {
    200 + index * 7919 % 1800
}

/// Puts entries of 200 B to 2 kB in, some 22 MB, and somebody else's block after every tenth.
fn fill(mut put: impl FnMut(usize, usize)) -> Blocks {
    let entry_and_neighbour = |index| {
        put(index, len_of(index));
        (index % 10 == 0).then(|| black_box(REST.scope(|| vec![7; len_of(index)])))
    };
    (0..ENTRIES).filter_map(entry_and_neighbour).collect()
}

fn cache_under(tag: impl Into<TagHandle>) -> (Cache<usize, Arc<[u8]>>, Blocks) {
    let cache = Cache::new(tag);
    let rest = fill(|key, len| {
        cache.get_or_insert_with(key, || vec![7; len].into());
    });
    (cache, rest)
}

/// With no deadline to speak of: a purge that ends early leaves some shards whole, and with them
/// somebody in every page.
fn start(budget_mib: u64) -> Bursar {
    let mut profile = Profile::default();
    profile.callback_deadline = Duration::from_secs(3600);
    let budget = Budget::new(budget_mib * MIB).unwrap().with_profile(profile).unwrap();
    Bursar::builder().budget(budget).threadless(true).start().unwrap()
}

#[track_caller]
fn pages(usage: &TagUsage) -> (u64, u64) {
    assert_eq!(usage.isolation, Isolation::Arena);
    (usage.active_bytes.unwrap(), usage.dirty_bytes.unwrap())
}

#[test]
fn a_cache_under_an_isolated_tag_gives_all_pages_back_in_an_emergency() {
    static TAG: Tag = Tag::new("isolation/emptied").isolated();
    let _turn = take_turn();
    let bursar = start(8);
    let (cache, rest) = cache_under(&TAG);
    let _registration = bursar.register(&cache).unwrap();
    let (active_before, _) = pages(&tag_usage(&TAG));
    assert!(active_before > 20 * MIB, "{active_before}");

    let EmergencyReport::Done(report) = bursar.emergency().unwrap() else {
        panic!("three times the budget is in use")
    };
    let after = tag_usage(&TAG);
    let (active, dirty) = pages(&after);
    assert!(after.live_bytes < MIB, "{after:?}");
    assert!(active < 2 * MIB && dirty < MIB / 4, "{after:?}");
    let collected = report.collected_bytes.unwrap();
    assert!(report.freed_bytes > 18 * MIB && collected > 18 * MIB, "{report}");
    drop(rest);
}

#[test]
fn one_that_is_cut_by_its_oldest_half_gives_the_pages_of_that_half_back() {
    static TAG: Tag = Tag::new("isolation/half").isolated();
    let _turn = take_turn();
    let bursar = start(1024);
    let (cache, rest) = cache_under(&TAG);
    let _registration = bursar.register(&cache).unwrap();
    let before = tag_usage(&TAG);

    let report = bursar.reclaim(PressureLevel::Critical).unwrap();
    let after = tag_usage(&TAG);
    let gone = before.live_bytes - after.live_bytes;
    assert!(gone > 2 * MIB && after.live_bytes > 2 * MIB, "{report}");
    let ((active_before, _), (active, dirty)) = (pages(&before), pages(&after));
    // What goes first was put in first: only at the edges somebody is left in a page.
    assert!(active_before - active > gone * 3 / 4, "{before:?} {after:?}");
    assert!(dirty < MIB / 4, "{after:?}");
    assert!(report.collected_bytes.unwrap() > gone * 3 / 4, "{report}");
    drop(rest);
}

/// What isolation cannot do.
#[test]
fn entries_that_were_used_again_keep_pages_of_those_that_go() {
    static TAG: Tag = Tag::new("isolation/used-again").isolated();
    let _turn = take_turn();
    let bursar = start(1024);
    let (cache, rest) = cache_under(&TAG);
    // Every tenth, spread evenly.
    assert!((0..ENTRIES).step_by(10).all(|key| cache.get(&key).is_some()));
    let _registration = bursar.register(&cache).unwrap();
    let before = tag_usage(&TAG);

    bursar.reclaim(PressureLevel::Critical).unwrap();
    let after = tag_usage(&TAG);
    let gone = before.live_bytes - after.live_bytes;
    let came_back = pages(&before).0 - pages(&after).0;
    assert!(gone > 2 * MIB, "{after:?}");
    assert!((gone * 2 / 5..gone * 4 / 5).contains(&came_back), "{came_back} of {gone}");
    drop(rest);
}

/// A list that gives all it has.
struct List {
    blocks: Arc<Mutex<Blocks>>,
}

impl List {
    fn bytes(&self) -> u64 {
        self.blocks.lock().unwrap().iter().map(|block| block.len() as u64).sum()
    }

    fn purge(&self) -> PurgeOutcome {
        let bytes = self.bytes();
        drop(std::mem::take(&mut *self.blocks.lock().unwrap()));
        PurgeOutcome::of(bytes, false)
    }
}

#[test]
fn whatever_is_registered_under_an_isolated_tag_made_at_run_time_gives_its_pages_back() {
    let tag = TagHandle::isolated("isolation/list").unwrap();
    let _turn = take_turn();
    let bursar = start(1024);
    let list = Arc::new(List { blocks: Arc::default() });
    let rest = fill(|_, len| {
        let mut blocks = list.blocks.lock().unwrap();
        tag.scope(|| blocks.push(vec![7; len]));
    });
    let (counted, purged) = (Arc::clone(&list), Arc::clone(&list));
    let closures = FnPurgeable::new(&tag, move || counted.bytes(), move |_| purged.purge());
    assert!(closures.purgeable_bytes() > 20 * MIB);
    let entry = Entry::new("list", Arc::new(closures)).tag(&tag).stage(Stage::Release);
    let _registration = bursar.register(entry).unwrap();

    let report = bursar.reclaim(PressureLevel::Critical).unwrap();
    let (active, dirty) = pages(&tag_usage(&tag));
    assert!(active < MIB && dirty < MIB / 4, "{active} active, {dirty} dirty");
    assert!(report.collected_bytes.unwrap() > 18 * MIB, "{report}");
    drop(rest);
}

#[test]
fn statistics_tell_which_caches_are_isolated_and_with_how_many_pages() {
    static TAG: Tag = Tag::new("isolation/shown").isolated();
    let _turn = take_turn();
    let bursar = start(1024);
    let shared = TagHandle::new("isolation/shared").unwrap();
    let (own, rest) = cache_under(&TAG);
    let (others, more) = cache_under(&shared);
    let _registrations = (bursar.register(&own).unwrap(), bursar.register(&others).unwrap());

    let stats = bursar.stats();
    let named = |name: &str| stats.tags.iter().find(|tag| tag.name == name).unwrap();
    assert!(pages(named("isolation/shown")).0 > 20 * MIB);
    let shared = named("isolation/shared");
    assert_eq!((shared.isolation, shared.active_bytes), (Isolation::Off, None));
    assert!(stats.isolation_caches_in_use >= 1);
    let text = stats.to_string();
    let table = text.split("\nisolated ").nth(1).unwrap_or_else(|| panic!("{text}"));
    let table = table.split("\npurgeable ").next().unwrap();
    let line = table.lines().find(|line| line.starts_with("isolation/shown ")).unwrap();
    assert!(line.contains(" MiB "), "{line}");
    assert!(!table.contains("isolation/shared "), "{text}");
    drop((rest, more));
}
