//! The log against a simple model.

use std::collections::VecDeque;

use bursar::{Bounds, PurgeOutcome, Purgeable, Tag};
use proptest::prelude::*;

use super::{as_purgeable, builder, purge};

/// What a user or the monitor may do.
#[derive(Debug, Clone)]
enum Step {
    Push(u64),
    Purge(u64),
    SetBounds(usize, u64),
    Clear,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => prop_oneof![0..100u64, 1000..6000u64].prop_map(Step::Push),
        1 => prop_oneof![0..5000u64, Just(u64::MAX)].prop_map(Step::Purge),
        1 => (1..60usize, 1..20_000u64).prop_map(|(entries, bytes)| Step::SetBounds(entries, bytes)),
        1 => Just(Step::Clear),
    ];
    prop::collection::vec(step, 1..300)
}

/// An entry: which push it was, and its weight.
type Pushed = (u64, u64);

/// What a log without a ring of its own would hold: weights alone count.
struct Model {
    entries: VecDeque<Pushed>,
    max_entries: usize,
    max_bytes: u64,
}

/// What a place in the ring takes: a value and its weight.
const PLACE_BYTES: u64 = size_of::<(Pushed, u64)>() as u64;

impl Model {
    fn weight_bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.1).sum()
    }

    fn trim(&mut self) {
        while self.entries.len() > self.max_entries || self.weight_bytes() > self.max_bytes {
            self.entries.pop_front();
        }
    }
}

proptest! {
    #[test]
    fn it_holds_the_latest_that_fit_and_counts_the_others(steps in steps()) {
        static TAG: Tag = Tag::new("log/model");
        let (max_entries, max_bytes) = (40, 10_000);
        let log = builder(&TAG)
            .max_entries(max_entries)
            .max_bytes(max_bytes)
            .weigher(|entry: &Pushed| entry.1)
            .build()
            .unwrap();
        let mut model = Model { entries: VecDeque::new(), max_entries, max_bytes };
        let mut pushed = 0;
        for step in steps {
            let before = log.snapshot();
            match step {
                Step::Push(weight) => {
                    log.push((pushed, weight));
                    if weight + PLACE_BYTES <= model.max_bytes {
                        model.entries.push_back((pushed, weight));
                    }
                    pushed += 1;
                    model.trim();
                }
                Step::Purge(target) => {
                    let outcome = purge(&*as_purgeable(&log), target);
                    let gone = before.len() - log.len();
                    let of = |entries: &[Pushed]| -> u64 {
                        entries.iter().map(|entry| entry.1 + PLACE_BYTES).sum()
                    };
                    if gone > 0 {
                        prop_assert!(of(&before[..gone - 1]) < target, "more than was asked");
                        prop_assert!(matches!(outcome, PurgeOutcome::Freed(_)));
                    }
                    prop_assert!(of(&before[..gone]) >= target || log.is_empty());
                    model.entries.drain(..model.entries.len() - log.len());
                }
                Step::SetBounds(max_entries, max_bytes) => {
                    let mut bounds = Bounds::default();
                    (bounds.max_entries, bounds.max_bytes) = (Some(max_entries), Some(max_bytes));
                    as_purgeable(&log).set_bounds(&bounds);
                    (model.max_entries, model.max_bytes) = (max_entries, max_bytes);
                    model.trim();
                }
                Step::Clear => {
                    log.clear();
                    model.entries.clear();
                }
            }
            let (stats, held) = (log.stats(), log.snapshot());
            // A suffix of the model's: what the ring itself takes is missing at the front.
            prop_assert!(held.len() <= model.entries.len());
            model.entries.drain(..model.entries.len() - held.len());
            prop_assert!(model.entries.iter().eq(&held));
            prop_assert_eq!(stats.weight_bytes, model.weight_bytes());
            prop_assert!(stats.weight_bytes + stats.table_bytes <= model.max_bytes);
            prop_assert!(stats.table_bytes >= held.len() as u64 * PLACE_BYTES);
            let gone = stats.dropped_total() + stats.removed_total;
            prop_assert_eq!(stats.pushed_total, held.len() as u64 + gone);
        }
    }
}
