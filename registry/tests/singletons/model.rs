//! The same calls to a simple map.

use std::collections::BTreeMap;

use bursar::{Singletons, Tag};
use proptest::prelude::*;

use super::purge;

/// What can be asked; a name is a number.
#[derive(Debug, Clone, Copy)]
enum Call {
    Get(u8),
    GetOrInit(u8, u32),
    Fail(u8),
    Set(u8, u32),
    Define(u8, u32),
    Remove(u8),
    Purge,
    Clear,
}

fn call() -> impl Strategy<Value = Call> {
    let (name, value) = (0u8..4, any::<u32>());
    prop_oneof![
        4 => name.clone().prop_map(Call::Get),
        3 => (name.clone(), value).prop_map(|(name, value)| Call::GetOrInit(name, value)),
        1 => name.clone().prop_map(Call::Fail),
        2 => (name.clone(), any::<u32>()).prop_map(|(name, value)| Call::Set(name, value)),
        2 => (name.clone(), any::<u32>()).prop_map(|(name, value)| Call::Define(name, value)),
        2 => name.prop_map(Call::Remove),
        2 => Just(Call::Purge),
        1 => Just(Call::Clear),
    ]
}

/// A value, whether it is defined, and whether it is built.
type Model = BTreeMap<u8, (u32, bool, bool)>;

/// Calls it, and says the same by the model.
fn agree(singletons: &Singletons, model: &mut Model, call: Call) -> Result<(), TestCaseError> {
    let text = |name: u8| format!("n{name}");
    let value_of = |model: &mut Model, name: u8| {
        model.get_mut(&name).map(|held| {
            held.2 = true;
            held.0
        })
    };
    match call {
        Call::Get(name) => {
            let got = singletons.get::<u32>(&text(name)).unwrap();
            prop_assert_eq!(got.as_deref().copied(), value_of(model, name));
        }
        Call::GetOrInit(name, value) => {
            model.entry(name).or_insert((value, false, true));
            let got = singletons.get_or_init(&text(name), || value).unwrap();
            prop_assert_eq!(Some(*got), value_of(model, name));
        }
        Call::Fail(name) => {
            let got = singletons.try_get_or_init(&text(name), || Err::<u32, _>("fails"));
            prop_assert_eq!(got.ok().as_deref().copied(), value_of(model, name));
        }
        Call::Set(name, value) => {
            let replaced = singletons.set(&text(name), value).unwrap().as_deref().copied();
            let expected = model.insert(name, (value, false, true));
            prop_assert_eq!(replaced, expected.and_then(|held| held.2.then_some(held.0)));
        }
        Call::Define(name, value) => {
            let is_defined = singletons.define(&text(name), move || value).is_ok();
            prop_assert_eq!(is_defined, !model.contains_key(&name));
            model.entry(name).or_insert((value, true, false));
        }
        Call::Remove(name) => {
            let removed = singletons.remove(&text(name)).unwrap();
            prop_assert_eq!(removed, model.remove(&name).is_some());
        }
        Call::Purge => {
            purge(singletons, u64::MAX);
            model.values_mut().filter(|held| held.1).for_each(|held| held.2 = false);
        }
        Call::Clear => {
            singletons.clear();
            model.clear();
        }
    }
    let held: Vec<_> = singletons.stats().entries;
    let held: Vec<_> =
        held.into_iter().map(|it| (it.name, it.is_rebuildable, it.is_built)).collect();
    let expected: Vec<_> = model.iter().map(|(&name, held)| (text(name), held.1, held.2)).collect();
    prop_assert_eq!(held, expected);
    Ok(())
}

proptest! {
    #[test]
    fn whatever_is_called_it_holds_what_a_simple_map_would(
        calls in prop::collection::vec(call(), 1..60),
    ) {
        static TAG: Tag = Tag::new("single/model");
        let singletons = Singletons::new(&TAG);
        let mut model = Model::new();
        for call in calls {
            agree(&singletons, &mut model, call)?;
        }
    }
}
