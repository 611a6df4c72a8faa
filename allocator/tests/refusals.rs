//! What becomes of a program whose backend refuses: every call of a workload in turn, that call
//! alone or all from it on.

#[cfg(all(feature = "profile", target_os = "linux"))]
#[path = "support/sampled.rs"]
mod sampled;

#[path = "support/block.rs"]
mod block;
#[path = "support/refusing.rs"]
mod refusing;
#[path = "support/witness.rs"]
mod witness;
#[path = "support/workload.rs"]
mod workload;

use bursar_alloc::{AccountingAllocator, Tag, tag_usage, thread_usage_total};

use refusing::{Plan, Refusing, blocks_out, follow};
use witness::{Witness, seen};

type Allocator = Witness<Refusing>;

#[global_allocator]
static ALLOCATOR: Allocator = Witness(AccountingAllocator::new(Refusing));

/// Calls that the workload makes at least, if none is refused: so many are refused in turn.
const LEAST_CALLS: u64 = 200;

/// Runs the workload under a plan, and looks whether the books are as they should be.
fn run(plan: Plan) -> Plan {
    static TAG: Tag = Tag::new("refusals");
    let (books, witnessed) = (thread_usage_total().unwrap(), seen());
    follow(Some(plan));
    TAG.scope(workload::run);
    let plan = follow(None).unwrap();
    let (books_after, witnessed_after) = (thread_usage_total().unwrap(), seen());

    assert_eq!(blocks_out(), 0, "leaked under {plan:?}");
    let used = tag_usage(&TAG);
    assert_eq!((used.live_bytes, used.live_blocks), (0, 0), "{plan:?}");
    assert_eq!(
        books_after.allocated_bytes - books.allocated_bytes,
        witnessed_after.allocated_bytes - witnessed.allocated_bytes,
        "{plan:?}"
    );
    assert_eq!(
        books_after.freed_bytes - books.freed_bytes,
        witnessed_after.freed_bytes - witnessed.freed_bytes,
        "{plan:?}"
    );
    assert_eq!(witnessed_after.counted_refusals, 0, "{plan:?}");
    plan
}

/// Refuses the first call, the second, and so on, until the workload makes no so many.
fn refuse_each_call_in_turn(plan_for: fn(u64) -> Plan) {
    let refused_in_vain = (1..).map(|call| run(plan_for(call))).find(|plan| !plan.has_refused());
    assert!(refused_in_vain.is_some_and(|plan| plan.calls >= LEAST_CALLS), "{refused_in_vain:?}");
}

// One test: the blocks that are out are counted for the whole process.
#[test]
fn whichever_call_is_refused_once_or_for_ever_nothing_leaks_and_no_counter_moves() {
    refuse_each_call_in_turn(Plan::once);
    refuse_each_call_in_turn(Plan::for_ever);
    assert!(seen().refusals > LEAST_CALLS * LEAST_CALLS / 2, "all from the Nth on, for every N");
}
