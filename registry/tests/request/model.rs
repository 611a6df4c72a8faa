//! Nested scopes against a simple model.

use bursar::RequestScope;
use proptest::prelude::*;

use super::{ALLOWANCE_BYTES, block};

const SCOPES: usize = 3;
const STEPS: usize = 150;

#[derive(Debug, Clone)]
enum Step {
    Enter(usize),
    /// Drops the latest guard.
    Leave,
    Allocate(usize),
    /// Frees one of the blocks.
    Free(prop::sample::Index),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0..SCOPES).prop_map(Step::Enter),
        3 => Just(Step::Leave),
        4 => (1..30_000usize).prop_map(Step::Allocate),
        1 => (100_000..500_000usize).prop_map(Step::Allocate),
        4 => any::<prop::sample::Index>().prop_map(Step::Free),
    ];
    prop::collection::vec(step, 1..STEPS)
}

/// One request, as whoever adds up by hand has it.
#[derive(Debug, Default, Clone, Copy)]
struct Request {
    allocated_bytes: u64,
    freed_bytes: u64,
    peak_bytes: i64,
    sections: u64,
}

impl Request {
    fn net_bytes(&self) -> i64 {
        self.allocated_bytes as i64 - self.freed_bytes as i64
    }
}

/// The requests, and the scopes of the guards that live, the latest last.
#[derive(Debug, Default)]
struct Model {
    requests: [Request; SCOPES],
    guards: Vec<usize>,
}

impl Model {
    fn with_room() -> Self {
        Self { guards: Vec::with_capacity(STEPS), ..Self::default() }
    }

    fn enter(&mut self, scope: usize) {
        self.requests[scope].sections += u64::from(!self.guards.contains(&scope));
        self.guards.push(scope);
    }

    fn count(&mut self, allocated_bytes: usize, freed_bytes: usize) {
        for (scope, request) in self.requests.iter_mut().enumerate() {
            if self.guards.contains(&scope) {
                request.allocated_bytes += allocated_bytes as u64;
                request.freed_bytes += freed_bytes as u64;
                request.peak_bytes = request.peak_bytes.max(request.net_bytes());
            }
        }
    }
}

proptest! {
    #[test]
    fn each_request_has_the_bytes_of_all_that_was_done_while_it_was_entered(steps in steps()) {
        let scopes: [RequestScope; SCOPES] = Default::default();
        // With room for all, so that nothing but the blocks is counted.
        let mut model = Model::with_room();
        let (mut guards, mut blocks) = (Vec::with_capacity(STEPS), Vec::with_capacity(STEPS));
        for step in &steps {
            match step {
                Step::Enter(scope) => {
                    model.enter(*scope);
                    guards.push(scopes[*scope].enter());
                }
                Step::Leave => {
                    model.guards.pop();
                    drop(guards.pop());
                }
                Step::Allocate(bytes) => {
                    blocks.push(block(*bytes));
                    model.count(*bytes, 0);
                }
                Step::Free(_) if blocks.is_empty() => {}
                Step::Free(index) => {
                    let freed = blocks.swap_remove(index.index(blocks.len()));
                    model.count(0, freed.capacity());
                    drop(freed);
                }
            }
        }
        while guards.pop().is_some() {}
        for (scope, request) in scopes.iter().zip(&model.requests) {
            let usage = scope.usage();
            prop_assert_eq!(usage.allocated_bytes, request.allocated_bytes);
            prop_assert_eq!(usage.freed_bytes, request.freed_bytes);
            prop_assert_eq!(usage.net_bytes, request.net_bytes());
            prop_assert_eq!((usage.sections, usage.unmeasured), (request.sections, 0));
            let (peak, most) = (usage.peak_bytes, request.peak_bytes as u64);
            let least = most.saturating_sub(ALLOWANCE_BYTES as u64);
            prop_assert!((least..=most).contains(&peak), "{} is not {}", peak, most);
        }
    }
}
