//! [`Heaviest`]: the requests of the last hour that needed most at once.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::logged::EndedRequest;
use super::stats::HeavyRequest;
use super::sums::Route;
use crate::bursar::BURSAR;

/// How far back requests are shown.
const KEPT: Duration = Duration::from_secs(3600);
/// Time is cut into stretches of this length, each with its own heaviest.
const STRETCH: Duration = Duration::from_secs(600);
/// Those that reach into the last hour: six whole ones, and the one that has begun.
const STRETCHES: usize = 7;
/// Requests that are kept of each.
const KEPT_OF_EACH: usize = 16;

/// A request that was heavy. Its route is the log's own: nothing is copied.
#[derive(Debug, Clone)]
struct Kept {
    route: Arc<Route>,
    ended: EndedRequest,
}

/// The heaviest of each stretch of time. A request that is too light for it takes no lock.
#[derive(Debug)]
pub(super) struct Heaviest {
    /// The least peak of interest at all.
    from_bytes: u64,
    /// The least peak of interest in the present stretch: that of the lightest that is kept, once
    /// there is no room for more.
    threshold_bytes: AtomicU64,
    /// The present stretch, by its number.
    stretch: AtomicU64,
    /// Oldest first.
    stretches: Mutex<VecDeque<Stretch>>,
}

#[derive(Debug)]
struct Stretch {
    number: u64,
    requests: Vec<Kept>,
}

impl Heaviest {
    pub(super) fn new(from_bytes: u64) -> Self {
        Self {
            from_bytes,
            threshold_bytes: AtomicU64::new(from_bytes),
            stretch: AtomicU64::new(0),
            stretches: Mutex::default(),
        }
    }

    /// Keeps a request if it is one of the heaviest of its stretch of time.
    pub(super) fn offer(&self, route: &Arc<Route>, ended: &EndedRequest) {
        if self.is_too_light(ended) {
            return;
        }
        let mut stretches = self.lock();
        let last = stretches.back().map_or(0, |stretch| stretch.number);
        // One that waited for the lock may be of the stretch before.
        let number = number_of(ended.at).max(last);
        if stretches.back().is_none_or(|stretch| stretch.number < number) {
            let _tag = BURSAR.enter();
            let gone = stretches.len() == STRETCHES;
            // The oldest one's memory serves again.
            let reused = if gone { stretches.pop_front() } else { None };
            let mut requests =
                reused.map_or_else(|| Vec::with_capacity(KEPT_OF_EACH), |old| old.requests);
            requests.clear();
            stretches.push_back(Stretch { number, requests });
        }
        let Some(stretch) = stretches.back_mut() else { return };
        let threshold_bytes = stretch.keep(route, ended).unwrap_or(0).max(self.from_bytes);
        self.threshold_bytes.store(threshold_bytes, Ordering::Relaxed);
        // Release: pairs with the acquire in `is_too_light`. Who sees the new stretch sees its
        // threshold, or a later one, and not that of the stretch before.
        self.stretch.store(number, Ordering::Release);
    }

    fn is_too_light(&self, ended: &EndedRequest) -> bool {
        let peak_bytes = ended.usage.peak_bytes;
        // Acquire: pairs with the release in `offer`.
        let is_present = number_of(ended.at) <= self.stretch.load(Ordering::Acquire);
        peak_bytes < self.from_bytes
            || is_present && peak_bytes < self.threshold_bytes.load(Ordering::Relaxed)
    }

    /// Those of the hour before `now`, the heaviest first.
    pub(super) fn read(&self, now: Duration) -> Vec<HeavyRequest> {
        let mut kept: Vec<Kept> = {
            let stretches = self.lock();
            stretches.iter().flat_map(|stretch| stretch.requests.iter().cloned()).collect()
        };
        kept.retain(|request| now.saturating_sub(request.ended.at) <= KEPT);
        kept.sort_by_key(|request| std::cmp::Reverse(request.ended.usage.peak_bytes));
        kept.iter().map(Kept::read).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Stretch>> {
        // No user code runs under it.
        self.stretches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stretch {
    /// Takes a request in, in place of the lightest if there are enough. Answers the peak that
    /// the next one has to have, if there are enough now.
    fn keep(&mut self, route: &Arc<Route>, ended: &EndedRequest) -> Option<u64> {
        let peak_bytes = ended.usage.peak_bytes;
        let place = self.requests.partition_point(|kept| kept.ended.usage.peak_bytes >= peak_bytes);
        if self.requests.len() == KEPT_OF_EACH {
            if place == KEPT_OF_EACH {
                return self.least_wanted();
            }
            self.requests.pop();
        }
        self.requests.insert(place, Kept { route: Arc::clone(route), ended: *ended });
        self.least_wanted()
    }

    fn least_wanted(&self) -> Option<u64> {
        let lightest = self.requests.get(KEPT_OF_EACH - 1)?;
        Some(lightest.ended.usage.peak_bytes.saturating_add(1))
    }
}

impl Kept {
    fn read(&self) -> HeavyRequest {
        let EndedRequest { status, usage, at, elapsed } = self.ended;
        HeavyRequest { route: self.route.label().to_owned(), status, usage, at, elapsed }
    }
}

fn number_of(at: Duration) -> u64 {
    at.as_secs() / STRETCH.as_secs()
}

#[cfg(test)]
mod tests;
