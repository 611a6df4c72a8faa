//! [`Idle`]: the objects that wait in a pool, in a queue without a lock that can be replaced.

use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwapOption;
use crossbeam_queue::ArrayQueue;

/// Objects first in, first out, up to a bound. There is no queue, and no memory of one, until
/// the first is put in.
pub(super) struct Idle<O> {
    queue: ArcSwapOption<ArrayQueue<O>>,
    /// The bound. Held while a queue is put in or taken out, never while one is used.
    max_entries: Mutex<usize>,
}

impl<O> Idle<O> {
    pub(super) fn new(max_entries: usize) -> Self {
        Self { queue: ArcSwapOption::empty(), max_entries: Mutex::new(max_entries) }
    }

    pub(super) fn max_entries(&self) -> usize {
        *self.lock()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.load().as_ref().map_or(0, |queue| queue.len())
    }

    /// What the queue itself takes.
    pub(super) fn table_bytes(&self) -> u64 {
        self.queue.load().as_deref().map_or(0, table_bytes)
    }

    /// The one that waits longest.
    pub(super) fn pop(&self) -> Option<O> {
        self.queue.load().as_ref()?.pop()
    }

    /// Puts an object last. Gives one back for which there is no room: this one, or another if
    /// the queue was replaced meanwhile.
    pub(super) fn push(&self, mut object: O) -> Result<(), O> {
        loop {
            let queue = self.queue.load();
            let Some(queue) = &*queue else {
                self.put_queue_in();
                continue;
            };
            match self.push_into(queue, object)? {
                Some(left_behind) => object = left_behind,
                None => return Ok(()),
            }
        }
    }

    /// Puts an object into a queue that may be taken out at any moment. Answers one to be put in
    /// anew if it was: each who comes too late takes one back, so that none is left behind.
    fn push_into(&self, queue: &Arc<ArrayQueue<O>>, object: O) -> Result<Option<O>, O> {
        queue.push(object)?;
        // Pairs with the fence in `take_out`: either this sees that the queue was taken out, or
        // who took it out finds the object in it.
        fence(Ordering::SeqCst);
        let current = self.queue.load();
        let is_current = current.as_ref().is_some_and(|current| Arc::ptr_eq(current, queue));
        Ok(if is_current { None } else { queue.pop() })
    }

    /// Changes the bound. Answers the queue that was, to be moved over by `push`.
    pub(super) fn set_max_entries(&self, max_entries: usize) -> Option<Arc<ArrayQueue<O>>> {
        let mut bound = self.lock();
        if *bound == max_entries {
            return None;
        }
        *bound = max_entries;
        self.take_out(&bound)
    }

    /// Takes the queue out with what is in it: the next `push` makes a new one.
    pub(super) fn take_queue(&self) -> Option<Arc<ArrayQueue<O>>> {
        self.take_out(&self.lock())
    }

    fn take_out(&self, _held: &MutexGuard<'_, usize>) -> Option<Arc<ArrayQueue<O>>> {
        let queue = self.queue.swap(None);
        // Pairs with the fence in `push_into`.
        fence(Ordering::SeqCst);
        queue
    }

    fn put_queue_in(&self) {
        let bound = self.lock();
        if self.queue.load().is_none() {
            self.queue.store(Some(Arc::new(ArrayQueue::new(*bound))));
        }
    }

    fn lock(&self) -> MutexGuard<'_, usize> {
        self.max_entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue's slots, each an object and a number, and its ends.
pub(super) fn table_bytes<O>(queue: &ArrayQueue<O>) -> u64 {
    let slots = queue.capacity().saturating_mul(size_of::<(usize, O)>());
    let shell = size_of::<ArrayQueue<O>>() + 2 * size_of::<usize>();
    slots.saturating_add(shell) as u64
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::thread;

    use super::*;

    #[test]
    fn the_longest_waiting_comes_first_and_what_has_no_room_comes_back() {
        let idle = Idle::new(2);
        assert_eq!((idle.table_bytes(), idle.pop()), (0, None::<u32>));
        assert_eq!((idle.push(1), idle.push(2), idle.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!((idle.pop(), idle.pop(), idle.pop()), (Some(1), Some(2), None));
        assert!(idle.table_bytes() > 0);
    }

    #[test]
    fn what_is_put_into_a_queue_that_was_taken_out_is_taken_back() {
        let idle = Idle::new(2);
        assert_eq!(idle.push(1), Ok(()));
        let queue = idle.queue.load_full().unwrap();
        assert_eq!(idle.push_into(&queue, 2), Ok(None));
        let taken = idle.take_queue().unwrap();
        assert_eq!((taken.pop(), taken.pop(), taken.pop()), (Some(1), Some(2), None));
        assert_eq!(idle.push_into(&queue, 3), Ok(Some(3)));
        assert_eq!((queue.len(), idle.len()), (0, 0));
    }

    #[test]
    fn what_is_put_in_while_the_queue_is_replaced_is_not_left_behind() {
        const PUSHES: usize = 4_000;
        let idle = Idle::new(PUSHES);
        let is_done = AtomicBool::new(false);
        let moved_out = AtomicUsize::new(0);
        thread::scope(|scope| {
            let replacing = scope.spawn(|| {
                while !is_done.load(Ordering::Relaxed) {
                    let Some(queue) = idle.take_queue() else { continue };
                    while queue.pop().is_some() {
                        moved_out.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            let pushing = [0, 1].map(|_| {
                scope.spawn(|| (0..PUSHES / 2).for_each(|n| assert_eq!(idle.push(n), Ok(()))))
            });
            pushing.into_iter().for_each(|thread| thread.join().unwrap());
            is_done.store(true, Ordering::Relaxed);
            replacing.join().unwrap();
        });
        let left = std::iter::from_fn(|| idle.pop()).count();
        assert_eq!(moved_out.into_inner() + left, PUSHES);
    }
}
