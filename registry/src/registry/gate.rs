//! [`Gate`]: who is inside a purgeable, so that unregistering can wait until nobody is.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use super::lock;

/// Lets callers in until it is closed; closing waits until nobody else is inside.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<GateState>,
    someone_left: Condvar,
}

#[derive(Debug, Default)]
struct GateState {
    closed: bool,
    inside: Vec<ThreadId>,
}

pub(super) struct Inside<'a>(&'a Gate);

impl Gate {
    pub(super) fn enter(&self) -> Option<Inside<'_>> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        state.inside.push(thread::current().id());
        Some(Inside(self))
    }

    pub(super) fn close(&self) {
        let this_thread = thread::current().id();
        let mut state = lock(&self.state);
        state.closed = true;
        while state.inside.iter().any(|&thread| thread != this_thread) {
            state = self.someone_left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let this_thread = thread::current().id();
        let mut state = lock(&self.0.state);
        if let Some(index) = state.inside.iter().position(|&thread| thread == this_thread) {
            state.inside.swap_remove(index);
        }
        drop(state);
        self.0.someone_left.notify_all();
    }
}
