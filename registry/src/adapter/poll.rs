//! [`poll_briefly`]: futures that are done at once, or soon, driven with no runtime.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

/// Polls before it is given up: whoever holds what it waits for has had as many chances to run.
const POLLS: u32 = 16;

/// Its output, unless it waits for something that takes longer.
pub(super) fn poll_briefly<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for _ in 0..POLLS {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        thread::yield_now();
    }
    None
}
