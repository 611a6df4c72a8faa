//! What only an accounting allocator does: entering tags, and reading all figures.

use std::sync::{Arc, Barrier};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Run, churn, pairs, timed};
use crate::accounts::{Accounts, Snapshot, TagOf};

/// The stack of a thread that does little but hold a slot: an unoptimised jemalloc wants most of 64 KiB
/// to begin with.
const HOLDER_STACK: usize = 256 << 10;

/// An operation enters a tag and leaves it: what a request pays for being told apart.
pub(crate) fn scope(accounts: &'static dyn Accounts) -> Run {
    Box::new(move |count| timed(|| accounts.enter_and_leave(count)))
}

/// As [`pairs::set_up`], with a tag entered.
pub(crate) fn pairs(accounts: &'static dyn Accounts, tag: TagOf) -> Run {
    under(accounts, tag, pairs::set_up)
}

/// As [`churn::on_one_thread`], with a tag entered.
pub(crate) fn churn(accounts: &'static dyn Accounts, tag: TagOf) -> Run {
    under(accounts, tag, churn::on_one_thread)
}

/// Sets a workload up and runs it with a tag entered.
fn under(accounts: &'static dyn Accounts, tag: TagOf, set_up: fn() -> Run) -> Run {
    let mut run = None;
    accounts.within(tag, &mut || run = Some(set_up()));
    let mut run = run.expect("it was set up");
    Box::new(move |count| {
        let mut elapsed = Duration::ZERO;
        accounts.within(tag, &mut || elapsed = run(count));
        elapsed
    })
}

/// An operation reads the figures of all tags, while so many threads hold counters of their own
/// and have allocated under every tag: what a metrics endpoint or a monitor pays.
pub(crate) fn snapshot(accounts: &'static dyn Accounts, tags: usize, slots: usize) -> Run {
    reading(accounts, tags, slots, |accounts, count| accounts.snapshots(count))
}

/// As [`snapshot`], of all that a service tells of itself.
pub(crate) fn statistics(accounts: &'static dyn Accounts, tags: usize, slots: usize) -> Run {
    reading(accounts, tags, slots, |accounts, count| accounts.statistics(count))
}

fn reading(
    accounts: &'static dyn Accounts,
    tags: usize,
    slots: usize,
    read: impl Fn(&dyn Accounts, u64) -> Snapshot + 'static,
) -> Run {
    let holders = Holders::start(accounts, tags, slots);
    Box::new(move |count| {
        let mut seen = None;
        let elapsed = timed(|| seen = Some(read(accounts, count)));
        let seen = seen.expect("a reading was made");
        assert!(
            seen.tags >= tags && seen.slots >= slots,
            "{tags} tags and {slots} slots are to be read, and {seen:?} was"
        );
        // Until here: a slot is held as long as its thread lives.
        let _ = &holders;
        elapsed
    })
}

/// Threads that hold a slot each, until this is dropped.
struct Holders {
    all_together: Arc<Barrier>,
    threads: Vec<JoinHandle<()>>,
}

impl Holders {
    /// Has `slots` threads, the calling one among them, use each tag.
    fn start(accounts: &'static dyn Accounts, tags: usize, slots: usize) -> Self {
        accounts.use_tags(tags);
        let all_together = Arc::new(Barrier::new(slots));
        let hold = |_| {
            let all_together = Arc::clone(&all_together);
            let hold = move || {
                accounts.use_tags(tags);
                // First all have come, then all may go.
                all_together.wait();
                all_together.wait();
            };
            let thread = std::thread::Builder::new().stack_size(HOLDER_STACK).spawn(hold);
            thread.expect("the system has threads left")
        };
        let threads = (1..slots).map(hold).collect();
        all_together.wait();
        Self { all_together, threads }
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        self.all_together.wait();
        for thread in self.threads.drain(..) {
            // A panic there was reported there.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::{self, ThreadId};

    use super::*;

    /// Accounts that remember what was asked of them.
    #[derive(Default)]
    struct Remembering {
        tags: AtomicUsize,
        threads: Mutex<Vec<ThreadId>>,
        entered: AtomicUsize,
    }

    impl Accounts for Remembering {
        fn enter_and_leave(&self, count: u64) {
            self.entered.fetch_add(count as usize, Ordering::Relaxed);
        }

        fn use_tags(&self, tags: usize) {
            self.tags.fetch_max(tags, Ordering::Relaxed);
            self.threads.lock().unwrap().push(thread::current().id());
        }

        fn snapshots(&self, _: u64) -> Snapshot {
            let slots = self.threads.lock().unwrap().len();
            Snapshot { tags: self.tags.load(Ordering::Relaxed), slots }
        }

        fn statistics(&self, count: u64) -> Snapshot {
            self.snapshots(count)
        }

        fn within(&self, _: TagOf, work: &mut dyn FnMut()) {
            work();
        }

        fn live_bytes(&self, _: TagOf) -> u64 {
            0
        }
    }

    fn remembering() -> &'static Remembering {
        Box::leak(Box::default())
    }

    #[test]
    fn a_scope_is_entered_as_often_as_it_was_asked_for() {
        let accounts = remembering();
        scope(accounts)(1234);
        assert_eq!(accounts.entered.load(Ordering::Relaxed), 1234);
    }

    #[test]
    fn a_snapshot_is_read_after_so_many_threads_have_used_so_many_tags() {
        let accounts = remembering();
        let mut run = snapshot(accounts, 8, 16);
        run(1);
        let mut threads = accounts.threads.lock().unwrap().clone();
        assert_eq!(threads.len(), 16);
        // No thread stands for two.
        threads.sort_by_key(|thread| format!("{thread:?}"));
        threads.dedup();
        assert_eq!(threads.len(), 16);
        assert!(threads.contains(&thread::current().id()));
    }

    #[test]
    #[should_panic(expected = "8 tags and 4 slots are to be read")]
    fn a_snapshot_of_fewer_slots_than_it_says_is_not_measured() {
        let accounts = remembering();
        let mut run = snapshot(accounts, 8, 4);
        accounts.threads.lock().unwrap().pop();
        run(1);
    }
}
