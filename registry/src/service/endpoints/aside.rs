//! [`EndpointsFuture`]: an answer that is there, or that a thread of its own makes meanwhile.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

type Answered = Response<Full<Bytes>>;

/// Threads that make answers at once; who comes when there are so many is told to come again.
const MOST: usize = 4;

/// The answer of [`Endpoints`](crate::Endpoints) as a service. That of `/profile` takes long, and
/// is made by a thread of its own, so that who polls this answers others meanwhile; all others are
/// there at once. Dropped, the thread goes on to its end.
pub struct EndpointsFuture(State);

enum State {
    There(Answered),
    Coming(Arc<Place>),
    Gone,
}

impl fmt::Debug for EndpointsFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.0 {
            State::There(_) => "There",
            State::Coming(_) => "Coming",
            State::Gone => "Gone",
        };
        f.debug_tuple("EndpointsFuture").field(&state).finish()
    }
}

/// Where a thread puts its answer.
#[derive(Default)]
struct Place(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    answer: Option<Answered>,
    waker: Option<Waker>,
}

impl Place {
    fn put(&self, answer: Answered) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.answer.get_or_insert(answer);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// What a thread leaves behind: an answer, however it ended, and its place among those at once.
struct Leaving(Arc<Place>, Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
        // Unless there is one.
        self.0.put(failed(StatusCode::INTERNAL_SERVER_ERROR));
    }
}

fn failed(status: StatusCode) -> Answered {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}

impl EndpointsFuture {
    pub(super) fn there(answer: Answered) -> Self {
        Self(State::There(answer))
    }

    /// Has `answer` made by a thread, unless as many as there may be `running` are; then it is what
    /// `busy` says.
    pub(super) fn aside(
        running: &Arc<AtomicUsize>,
        answer: impl FnOnce() -> Answered + Send + 'static,
        busy: impl FnOnce() -> Answered,
    ) -> Self {
        // Relaxed: nothing else is read by it.
        if running.fetch_add(1, Ordering::Relaxed) >= MOST {
            running.fetch_sub(1, Ordering::Relaxed);
            return Self::there(busy());
        }
        let place = Arc::<Place>::default();
        let leaving = Leaving(Arc::clone(&place), Arc::clone(running));
        let body = move || {
            let leaving = leaving;
            leaving.0.put(answer());
        };
        // Where there can be no thread, what was to run is dropped, and leaves a failure.
        let _ = thread::Builder::new().name("bursar-profile".to_owned()).spawn(body);
        Self(State::Coming(place))
    }
}

impl Future for EndpointsFuture {
    type Output = Result<Answered, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match mem::replace(&mut self.0, State::Gone) {
            State::There(answer) => Poll::Ready(Ok(answer)),
            State::Coming(place) => {
                let mut waiting = place.0.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(answer) = waiting.answer.take() {
                    return Poll::Ready(Ok(answer));
                }
                waiting.waker = Some(context.waker().clone());
                drop(waiting);
                self.0 = State::Coming(place);
                Poll::Pending
            }
            // Polled after its end, as nobody should.
            State::Gone => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn wait(future: EndpointsFuture) -> StatusCode {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let Ok(answer) = runtime.block_on(future);
        answer.status()
    }

    fn busy() -> Answered {
        failed(StatusCode::SERVICE_UNAVAILABLE)
    }

    #[test]
    fn an_answer_comes_from_its_thread_and_no_more_are_made_at_once_than_may_be() {
        let running = Arc::default();
        let (go, wait_for) = mpsc::channel::<()>();
        let wait_for = Arc::new(Mutex::new(wait_for));
        let slow = || {
            let wait_for = Arc::clone(&wait_for);
            let answer = move || {
                let _ = wait_for.lock().unwrap().recv();
                failed(StatusCode::OK)
            };
            EndpointsFuture::aside(&running, answer, busy)
        };
        let coming: Vec<_> = (0..MOST).map(|_| slow()).collect();
        assert_eq!(wait(slow()), StatusCode::SERVICE_UNAVAILABLE);
        (0..MOST).for_each(|_| go.send(()).unwrap());
        for future in coming {
            assert_eq!(wait(future), StatusCode::OK);
        }
        // The places are free again, at the latest when the threads have ended.
        while running.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        go.send(()).unwrap();
        assert_eq!(wait(slow()), StatusCode::OK);
    }

    #[test]
    fn a_thread_that_panics_leaves_a_failure() {
        let running = Arc::default();
        let future = EndpointsFuture::aside(&running, || panic!("on purpose"), busy);
        assert_eq!(wait(future), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn an_answer_that_is_there_needs_no_thread() {
        assert_eq!(wait(EndpointsFuture::there(failed(StatusCode::OK))), StatusCode::OK);
    }
}
