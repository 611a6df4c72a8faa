//! The weak cache against a simple model.

use std::collections::HashMap;
use std::sync::Arc;

use bursar::{Tag, WeakCache};
use proptest::prelude::*;

/// What a user may do, and that values go.
#[derive(Debug, Clone)]
enum Step {
    Get(u8),
    GetOrInsert(u8),
    LetGo(u8),
    Remove(u8),
    Sweep,
    SetMaxEntries(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (0..24u8).prop_map(Step::Get),
        4 => (0..24u8).prop_map(Step::GetOrInsert),
        2 => (0..24u8).prop_map(Step::LetGo),
        1 => (0..24u8).prop_map(Step::Remove),
        1 => Just(Step::Sweep),
        1 => (1..12usize).prop_map(Step::SetMaxEntries),
    ];
    prop::collection::vec(step, 1..200)
}

/// Who holds what, and the keys that a plain least-recently-used cache would still have: of
/// these, whose values are held must be found. Others may be.
struct Model {
    held: HashMap<u8, Arc<u64>>,
    /// The latest used last.
    kept: Vec<u8>,
    max_entries: usize,
}

impl Model {
    fn touch(&mut self, key: u8) {
        self.kept.retain(|other| *other != key);
        self.kept.push(key);
        let surplus = self.kept.len().saturating_sub(self.max_entries);
        self.kept.drain(..surplus);
    }

    fn check(&self, key: u8, found: Option<&Arc<u64>>) -> Result<(), TestCaseError> {
        match (self.held.get(&key), found) {
            (Some(held), Some(found)) => prop_assert!(Arc::ptr_eq(held, found)),
            (None, Some(_)) => prop_assert!(false, "{key} is found, but nobody holds it"),
            (Some(_), None) => prop_assert!(!self.kept.contains(&key), "{key} is lost"),
            (None, None) => {}
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn it_finds_what_is_alive_and_used_lately_and_nothing_that_is_gone(steps in steps()) {
        static TAG: Tag = Tag::new("weak-cache/model");
        let max_entries = 6;
        let cache: WeakCache<u8, u64> =
            WeakCache::builder(&TAG).max_entries(max_entries).build().unwrap();
        let mut model = Model { held: HashMap::new(), kept: Vec::new(), max_entries };
        for step in steps {
            match step {
                Step::Get(key) => {
                    let found = cache.get(&key);
                    model.check(key, found.as_ref())?;
                    if found.is_some() { model.touch(key) }
                }
                Step::GetOrInsert(key) => {
                    // One that was pushed out while it is held is built anew.
                    let mut is_built = false;
                    let value = cache.get_or_insert_with(key, || { is_built = true; 0 });
                    model.check(key, (!is_built).then_some(&value))?;
                    model.held.insert(key, value);
                    model.touch(key);
                }
                Step::LetGo(key) => {
                    // Its entry takes room for as long as it is there.
                    model.held.remove(&key);
                }
                Step::Remove(key) => {
                    model.check(key, cache.remove(&key).as_ref())?;
                    model.kept.retain(|other| *other != key);
                }
                Step::Sweep => {
                    cache.sweep();
                    let is_held = |(key, value): &(u8, Arc<u64>)| {
                        model.held.get(key).is_some_and(|held| Arc::ptr_eq(held, value))
                    };
                    prop_assert!(cache.snapshot().iter().all(is_held));
                    prop_assert_eq!(cache.snapshot().len(), cache.len());
                }
                Step::SetMaxEntries(max_entries) => {
                    cache.set_max_entries(max_entries).unwrap();
                    model.max_entries = max_entries;
                    let surplus = model.kept.len().saturating_sub(max_entries);
                    model.kept.drain(..surplus);
                }
            }
            prop_assert!(cache.len() <= model.max_entries);
        }
    }
}
