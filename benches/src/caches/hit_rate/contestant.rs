//! The caches that play the traces.

use std::error::Error;
use std::num::NonZeroUsize;

use bursar::{Cache, Tag, TagHandle};
use lru::LruCache;

use super::super::Value;
use super::trace::{MOST_VALUE_BYTES, value_bytes};

static CACHE: Tag = Tag::new("hit_rate/cache");

/// A kind of cache.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contestant {
    pub(super) title: &'static str,
    /// Makes one of this capacity, under a tag of its own.
    pub(super) seat: fn(usize) -> Result<Seated, Box<dyn Error>>,
}

/// A cache, and the tag that all its bytes are to be charged to.
pub(super) struct Seated {
    pub(super) tag: TagHandle,
    pub(super) player: Box<dyn Player>,
}

/// What a trace asks of a cache.
pub(super) trait Player {
    /// Whether the key's value was there. Puts it there if not.
    fn ask(&mut self, key: u64) -> bool;

    /// Entries held, once what was put off is done.
    fn entries(&mut self) -> u64;
}

/// The title of ours.
pub(super) const OURS: &str = "Bursar's Cache";
/// The title of the one that the others are compared with.
pub(super) const PLAIN_LRU: &str = "one lru";

/// The caches whose capacity is in entries, the plain one first.
pub(super) fn bounded_by_entries() -> Vec<Contestant> {
    let mut contestants = vec![
        Contestant { title: PLAIN_LRU, seat: |max_entries| under_a_new_tag(|| lru(max_entries)) },
        Contestant { title: OURS, seat: ours },
    ];
    if cfg!(feature = "peers") {
        contestants.extend(peers());
    }
    contestants
}

/// Ours with its capacity in bytes: it keeps to it by itself, and no capacity is searched for.
pub(super) fn bounded_by_bytes() -> Contestant {
    let seat = |max_bytes| Ok(ours_of(Cache::builder(&CACHE).max_bytes(max_bytes as u64).build()?));
    Contestant { title: "Bursar's Cache, max_bytes", seat }
}

fn ours(max_entries: usize) -> Result<Seated, Box<dyn Error>> {
    Ok(ours_of(Cache::builder(&CACHE).max_entries(max_entries).build()?))
}

/// What it frees it frees at once: one tag does for all of them, one after the other.
fn ours_of(cache: Cache<u64, Value>) -> Seated {
    Seated { tag: (&CACHE).into(), player: Box::new(cache) }
}

/// Builds a cache under a tag that nothing else is charged to: some caches leave part of what
/// they held to be freed when another is used.
fn under_a_new_tag<P: Player + 'static>(
    build: impl FnOnce() -> P,
) -> Result<Seated, Box<dyn Error>> {
    use std::sync::atomic::{AtomicU64, Ordering};
    static BUILT: AtomicU64 = AtomicU64::new(0);

    let tag = TagHandle::new(&format!("hit_rate/{}", BUILT.fetch_add(1, Ordering::Relaxed)))?;
    let player = tag.scope(build);
    Ok(Seated { tag, player: Box::new(player) })
}

/// The value of a key, which is new each time.
fn value(key: u64) -> Value {
    static SOURCE: [u8; MOST_VALUE_BYTES] = [7; MOST_VALUE_BYTES];
    Value::from(&SOURCE[..value_bytes(key)])
}

impl Player for Cache<u64, Value> {
    fn ask(&mut self, key: u64) -> bool {
        let mut is_there = true;
        self.get_or_insert_with(key, || {
            is_there = false;
            value(key)
        });
        is_there
    }

    fn entries(&mut self) -> u64 {
        self.stats().entries as u64
    }
}

fn lru(max_entries: usize) -> LruCache<u64, Value> {
    // It has room for one more than what is above one.
    LruCache::new(NonZeroUsize::MIN.saturating_add(max_entries.saturating_sub(1)))
}

impl Player for LruCache<u64, Value> {
    fn ask(&mut self, key: u64) -> bool {
        let is_there = self.get(&key).cloned().is_some();
        if !is_there {
            self.put(key, value(key));
        }
        is_there
    }

    fn entries(&mut self) -> u64 {
        self.len() as u64
    }
}

#[cfg(not(feature = "peers"))]
fn peers() -> [Contestant; 0] {
    []
}

#[cfg(feature = "peers")]
fn peers() -> [Contestant; 2] {
    let moka = |max_entries| under_a_new_tag(|| moka::sync::Cache::new(max_entries as u64));
    let quick_cache = |max_entries| under_a_new_tag(|| quick_cache::sync::Cache::new(max_entries));
    [
        Contestant { title: "moka", seat: moka },
        Contestant { title: "quick_cache", seat: quick_cache },
    ]
}

#[cfg(feature = "peers")]
impl Player for moka::sync::Cache<u64, Value> {
    fn ask(&mut self, key: u64) -> bool {
        let is_there = self.get(&key).is_some();
        if !is_there {
            self.insert(key, value(key));
        }
        is_there
    }

    fn entries(&mut self) -> u64 {
        self.run_pending_tasks();
        self.entry_count()
    }
}

#[cfg(feature = "peers")]
impl Player for quick_cache::sync::Cache<u64, Value> {
    fn ask(&mut self, key: u64) -> bool {
        let is_there = self.get(&key).is_some();
        if !is_there {
            self.insert(key, value(key));
        }
        is_there
    }

    fn entries(&mut self) -> u64 {
        self.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cache_has_what_it_was_just_asked_for_and_about_as_many_entries_as_fit() {
        for Contestant { title, seat } in bounded_by_entries() {
            let mut player = seat(400).unwrap().player;
            assert!(!player.ask(1), "{title} is empty at first");
            assert!(player.ask(1), "{title} has it now");
            (0..10_000).for_each(|key| {
                player.ask(key);
            });
            let entries = player.entries();
            assert!((300..=450).contains(&entries), "{title}: {entries}");
        }
    }

    #[test]
    fn the_plain_lru_is_first_and_ours_beside_it() {
        let titles: Vec<_> = bounded_by_entries().iter().map(|one| one.title).collect();
        assert_eq!(titles[..2], [PLAIN_LRU, OURS]);
        assert_eq!(titles.len(), if cfg!(feature = "peers") { 4 } else { 2 });
    }
}
