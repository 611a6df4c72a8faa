//! The workloads. Each is compiled once, here, so that what differs between two programs is the
//! allocator alone; each allocates as any code does, through `Vec`, `String` and maps.

mod accounts;
mod churn;
mod cross_thread;
mod json;
mod pairs;
mod strings;
mod vectors;

use std::time::{Duration, Instant};

pub(crate) use self::churn::on_threads as churn_on_threads;
use crate::accounts::{Accounts, TagOf};

/// A workload that is set up: does so many operations and says how long they took.
pub(crate) type Run = Box<dyn FnMut(u64) -> Duration>;

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Workload {
    /// What it is called on a command line.
    pub(crate) name: &'static str,
    /// What a reader is shown.
    pub(crate) title: &'static str,
    /// Operations before the clock starts.
    pub(crate) warm_up: u64,
    /// Operations in one timed run: 100 to 300 ms over a bare allocator.
    pub(crate) count: u64,
    set_up: SetUp,
}

#[derive(Debug, Clone, Copy)]
enum SetUp {
    /// Any allocator will do.
    Any(fn() -> Run),
    /// Only one with accounts.
    Accounts(fn(&'static dyn Accounts) -> Run),
}

impl Workload {
    /// Sets the workload up; `None` if it takes accounts and there are none.
    pub(crate) fn set_up(&self, accounts: Option<&'static dyn Accounts>) -> Option<Run> {
        match self.set_up {
            SetUp::Any(set_up) => Some(set_up()),
            SetUp::Accounts(set_up) => accounts.map(set_up),
        }
    }

    /// Whether a bare allocator cannot run it.
    pub(crate) fn takes_accounts(&self) -> bool {
        matches!(self.set_up, SetUp::Accounts(_))
    }

    /// The workload of this name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        WORKLOADS.iter().find(|workload| workload.name == name)
    }
}

/// Every workload, in the order of the table. Snapshots come last, and the fewest tags and slots
/// first: a tag or a slot that a process once used is read for ever after.
pub(crate) static WORKLOADS: [Workload; 18] = [
    Workload {
        name: "pairs",
        title: "pairs of 48 B",
        warm_up: 100_000,
        count: 20_000_000,
        set_up: SetUp::Any(pairs::set_up),
    },
    Workload {
        name: "churn",
        title: "churn of 8-256 B",
        warm_up: 100_000,
        count: 5_000_000,
        set_up: SetUp::Any(churn::on_one_thread),
    },
    Workload {
        name: "churn_2",
        title: "the same on 2 threads",
        warm_up: 100_000,
        count: 5_000_000,
        set_up: SetUp::Any(churn::on_two_threads),
    },
    Workload {
        name: "cross_thread",
        title: "freed on another thread",
        warm_up: 100_000,
        count: 2_000_000,
        set_up: SetUp::Any(cross_thread::set_up),
    },
    Workload {
        name: "push",
        title: "vector pushed to 8 MB",
        warm_up: 2,
        count: 20,
        set_up: SetUp::Any(vectors::push),
    },
    Workload {
        name: "reserve_exact",
        title: "step of `reserve_exact`",
        warm_up: 10_000,
        count: 1_000_000,
        set_up: SetUp::Any(vectors::reserve_exact),
    },
    Workload {
        name: "json_parse",
        title: "JSON: parse 10 MB",
        warm_up: 1,
        count: 3,
        set_up: SetUp::Any(json::parse),
    },
    Workload {
        name: "json_write",
        title: "JSON: write 10 MB",
        warm_up: 1,
        count: 3,
        set_up: SetUp::Any(json::write),
    },
    Workload {
        name: "strings",
        title: "map of 10,000 strings",
        warm_up: 2,
        count: 30,
        set_up: SetUp::Any(strings::set_up),
    },
    Workload {
        name: "scope",
        title: "tag scope, enter and leave",
        warm_up: 100_000,
        count: 20_000_000,
        set_up: SetUp::Accounts(accounts::scope),
    },
    Workload {
        name: "pairs_shared",
        title: "pairs of 48 B under an ordinary tag",
        warm_up: 100_000,
        count: 20_000_000,
        set_up: SetUp::Accounts(|books| accounts::pairs(books, TagOf::Shared(0))),
    },
    Workload {
        name: "pairs_isolated",
        title: "pairs of 48 B under an isolated tag",
        warm_up: 100_000,
        count: 20_000_000,
        set_up: SetUp::Accounts(|books| accounts::pairs(books, TagOf::Isolated(0))),
    },
    Workload {
        name: "churn_shared",
        title: "churn of 8-256 B under an ordinary tag",
        warm_up: 100_000,
        count: 5_000_000,
        set_up: SetUp::Accounts(|books| accounts::churn(books, TagOf::Shared(0))),
    },
    Workload {
        name: "churn_isolated",
        title: "churn of 8-256 B under an isolated tag",
        warm_up: 100_000,
        count: 5_000_000,
        set_up: SetUp::Accounts(|books| accounts::churn(books, TagOf::Isolated(0))),
    },
    Workload {
        name: "snapshot_8_tags",
        title: "snapshot of 8 tags, 16 slots in use",
        warm_up: 1000,
        count: 50_000,
        set_up: SetUp::Accounts(|books| accounts::snapshot(books, 8, 16)),
    },
    Workload {
        name: "snapshot_64_tags",
        title: "snapshot of 64 tags, 16 slots in use",
        warm_up: 1000,
        count: 10_000,
        set_up: SetUp::Accounts(|books| accounts::snapshot(books, 64, 16)),
    },
    Workload {
        name: "snapshot_all_tags",
        title: "snapshot of all 240 tags, 16 slots in use",
        warm_up: 100,
        count: 3000,
        set_up: SetUp::Accounts(|books| accounts::snapshot(books, 240, 16)),
    },
    Workload {
        name: "snapshot_all_tags_all_slots",
        title: "snapshot of all 240 tags, 512 slots in use",
        warm_up: 10,
        count: 100,
        set_up: SetUp::Accounts(|books| accounts::snapshot(books, 240, 512)),
    },
];

/// Reads `usage` or `stats` of so many tags and slots; `None` if it is neither.
pub(crate) fn reading(
    what: &str,
    accounts: &'static dyn Accounts,
    tags: usize,
    slots: usize,
) -> Option<Run> {
    match what {
        "usage" => Some(accounts::snapshot(accounts, tags, slots)),
        "stats" => Some(accounts::statistics(accounts, tags, slots)),
        _ => None,
    }
}

/// How long `work` takes.
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_workload_is_found_by_its_own_name() {
        for workload in &WORKLOADS {
            let found = Workload::find(workload.name).unwrap();
            assert_eq!(found.title, workload.title);
        }
        assert!(Workload::find("pears").is_none());
    }

    #[test]
    fn without_accounts_the_workloads_that_take_them_cannot_be_set_up_and_the_others_run() {
        for workload in &WORKLOADS {
            match workload.set_up(None) {
                Some(mut run) => {
                    assert!(!workload.takes_accounts(), "{}", workload.name);
                    run(1);
                }
                None => assert!(workload.takes_accounts(), "{}", workload.name),
            }
        }
    }
}
