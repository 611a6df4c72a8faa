//! Random operations, against a model as simple as can be.

use std::sync::Arc;
use std::time::Duration;

use bursar::{Cache, ManualClock, Tag};
use proptest::prelude::*;

use crate::{as_purgeable, purge};

const TIME_TO_LIVE: u64 = 10;

#[derive(Debug, Clone)]
enum Step {
    Get(u8),
    Peek(u8),
    Insert(u8, u32),
    Load(u8, u32),
    FailToLoad(u8),
    LoadAnew(u8, u32),
    Remove(u8),
    Advance(u64),
    RemoveExpired,
    Bound(usize),
    PurgeOne,
    PurgeAll,
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..12u8;
    prop_oneof![
        6 => key.clone().prop_map(Step::Get),
        2 => key.clone().prop_map(Step::Peek),
        4 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Insert(key, value)),
        4 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Load(key, value)),
        1 => key.clone().prop_map(Step::FailToLoad),
        2 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::LoadAnew(key, value)),
        2 => key.prop_map(Step::Remove),
        3 => (1..6u64).prop_map(Step::Advance),
        1 => Just(Step::RemoveExpired),
        1 => (1..9usize).prop_map(Step::Bound),
        2 => Just(Step::PurgeOne),
        1 => Just(Step::PurgeAll),
        1 => Just(Step::Clear),
    ]
}

/// Keys, values and when each expires; the latest used last.
#[derive(Default)]
struct Model {
    entries: Vec<(u8, u32, u64)>,
    max_entries: usize,
    now: u64,
}

impl Model {
    fn find(&self, key: u8) -> Option<u32> {
        let (_, value, expires_at) = *self.entries.iter().find(|entry| entry.0 == key)?;
        (expires_at > self.now).then_some(value)
    }

    fn get(&mut self, key: u8) -> Option<u32> {
        let place = self.entries.iter().position(|entry| entry.0 == key)?;
        let entry = self.entries.remove(place);
        (entry.2 > self.now).then(|| {
            self.entries.push(entry);
            entry.1
        })
    }

    fn insert(&mut self, key: u8, value: u32) -> Option<u32> {
        let replaced = self.remove(key);
        self.entries.push((key, value, self.now + TIME_TO_LIVE));
        self.bound(self.max_entries);
        replaced
    }

    fn remove(&mut self, key: u8) -> Option<u32> {
        let found = self.find(key);
        self.entries.retain(|entry| entry.0 != key);
        found
    }

    fn bound(&mut self, max_entries: usize) {
        self.max_entries = max_entries;
        let excess = self.entries.len().saturating_sub(max_entries);
        self.entries.drain(..excess);
    }

    fn remove_expired(&mut self) -> usize {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.2 > self.now);
        before - self.entries.len()
    }

    fn purge_one(&mut self) {
        if self.remove_expired() == 0 && !self.entries.is_empty() {
            self.entries.remove(0);
        }
    }

    fn snapshot(&self) -> Vec<(u8, u32)> {
        let live = self.entries.iter().rev().filter(|entry| entry.2 > self.now);
        live.map(|&(key, value, _)| (key, value)).collect()
    }
}

/// Takes one step on both sides, which answer the same.
fn take(step: &Step, model: &mut Model, cache: &Cache<u8, u32>, clock: &ManualClock) {
    match *step {
        Step::Get(key) => assert_eq!(cache.get(&key), model.get(key)),
        Step::Peek(key) => assert_eq!(cache.peek(&key), model.find(key)),
        Step::Insert(key, value) => assert_eq!(cache.insert(key, value), model.insert(key, value)),
        Step::Load(key, value) => {
            let expected = model.get(key).unwrap_or_else(|| {
                model.insert(key, value);
                value
            });
            assert_eq!(cache.get_or_insert_with(key, || value), expected);
        }
        Step::FailToLoad(key) => {
            assert_eq!(cache.try_get_or_insert_with(key, || Err(())).ok(), model.get(key));
        }
        Step::LoadAnew(key, value) => {
            assert_eq!(cache.insert_with(key, || value), model.insert(key, value));
        }
        Step::Remove(key) => assert_eq!(cache.remove(&key), model.remove(key)),
        Step::Advance(by) => {
            model.now += by;
            clock.advance(Duration::from_nanos(by));
        }
        Step::RemoveExpired => assert_eq!(cache.remove_expired(), model.remove_expired()),
        Step::Bound(max_entries) => {
            cache.set_max_entries(max_entries).unwrap();
            model.bound(max_entries);
        }
        Step::PurgeOne => {
            purge(&*as_purgeable(cache), 1);
            model.purge_one();
        }
        Step::PurgeAll => {
            purge(&*as_purgeable(cache), u64::MAX);
            model.entries.clear();
        }
        Step::Clear => {
            cache.clear();
            model.entries.clear();
        }
    }
}

proptest! {
    #[test]
    fn the_cache_does_what_a_simple_model_does(steps in prop::collection::vec(step(), 1..120)) {
        static TAG: Tag = Tag::new("cache/model");
        let clock = Arc::new(ManualClock::default());
        let cache: Cache<u8, u32> = Cache::builder(&TAG)
            .max_entries(6)
            .time_to_live(Duration::from_nanos(TIME_TO_LIVE))
            .clock(Arc::clone(&clock) as _)
            .build()
            .unwrap();
        let mut model = Model { max_entries: 6, ..Model::default() };
        for step in &steps {
            take(step, &mut model, &cache, &clock);
            prop_assert_eq!(cache.len(), model.entries.len());
            prop_assert_eq!(cache.snapshot(), model.snapshot());
        }
        let stats = cache.stats();
        let left = stats.evicted_total + stats.purged_total + stats.expired_total
            + stats.replaced_total + stats.removed_total;
        prop_assert_eq!(stats.inserted_total, left + stats.entries as u64);
        prop_assert_eq!(stats.unattributed_bytes, 0);
    }
}
