//! [`IdleScopes`]: scopes that are kept for requests to come.

use crossbeam_queue::ArrayQueue;

use crate::bursar::BURSAR;
use crate::service::RequestScope;
use crate::service::parts::{Part, Parts};

/// So many are kept.
const MAX_IDLE_SCOPES: usize = 256;

/// A queue for each part of the threads, which take from the others' where their own has none.
#[derive(Debug)]
pub(super) struct IdleScopes {
    /// Each scope with all figures at 0, and held by nobody else.
    queues: Parts<ArrayQueue<RequestScope>>,
}

impl IdleScopes {
    pub(super) fn new() -> Self {
        let max_each = MAX_IDLE_SCOPES / Parts::<()>::count();
        Self { queues: Parts::new(|| ArrayQueue::new(max_each)) }
    }

    /// One of those that are kept, or else a new one.
    pub(super) fn take(&self, part: Part) -> RequestScope {
        self.queues.iter_from(part).find_map(ArrayQueue::pop).unwrap_or_else(|| {
            let _tag = BURSAR.enter();
            RequestScope::new()
        })
    }

    /// Keeps a scope for a request to come, unless someone else holds it still or there are enough.
    pub(super) fn give_back(&self, mut scope: RequestScope, part: Part) {
        if !scope.reset_if_unshared() {
            return;
        }
        for queue in self.queues.iter_from(part) {
            match queue.push(scope) {
                Ok(()) => return,
                Err(too_many) => scope = too_many,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// That of another thread.
    fn another_part() -> Part {
        thread::spawn(Part::of_this_thread).join().unwrap()
    }

    fn kept(scopes: &IdleScopes) -> usize {
        scopes.queues.iter().map(ArrayQueue::len).sum()
    }

    #[test]
    fn a_scope_that_was_given_back_serves_any_thread() {
        let (scopes, here) = (IdleScopes::new(), Part::of_this_thread());
        for there in [here, another_part(), another_part()] {
            scopes.give_back(scopes.take(here), here);
            let _scope = scopes.take(there);
            assert_eq!(kept(&scopes), 0);
            scopes.give_back(_scope, here);
            assert_eq!(kept(&scopes), 1);
        }
    }

    #[test]
    fn so_many_are_kept_whichever_thread_they_come_from() {
        let (scopes, here) = (IdleScopes::new(), Part::of_this_thread());
        for _ in 0..2 {
            let taken: Vec<_> = (0..MAX_IDLE_SCOPES + 10).map(|_| scopes.take(here)).collect();
            assert_eq!(kept(&scopes), 0);
            taken.into_iter().for_each(|scope| scopes.give_back(scope, here));
            assert_eq!(kept(&scopes), MAX_IDLE_SCOPES);
        }
    }

    #[test]
    fn a_scope_that_someone_holds_is_not_kept() {
        let (scopes, here) = (IdleScopes::new(), Part::of_this_thread());
        let scope = scopes.take(here);
        let _held = scope.clone();
        scopes.give_back(scope, here);
        assert_eq!(kept(&scopes), 0);
    }
}
