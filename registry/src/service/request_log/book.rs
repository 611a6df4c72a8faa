//! [`Book`]: what a log of requests holds; and [`RequestLogs`], all of a Bursar's.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::heaviest::Heaviest;
use super::label::Label;
use super::logged::EndedRequest;
use super::routes::{RouteRef, Routes};
use super::stats::{HeavyRequest, RouteStats};
use crate::bursar::BURSAR;
use crate::clock::Clock;
use crate::service::parts::{Part, Parts};

/// What one log holds.
#[derive(Debug)]
pub(crate) struct Book {
    clock: Arc<dyn Clock>,
    routes: Routes,
    heaviest: Heaviest,
    /// A request leaves the part that it came to, so that none is ever below zero.
    in_flight: Parts<AtomicU64>,
}

impl Book {
    pub(super) fn new(clock: Arc<dyn Clock>, max_routes: usize, heavy_from_bytes: u64) -> Self {
        Self {
            clock,
            routes: Routes::new(max_routes),
            heaviest: Heaviest::new(heavy_from_bytes),
            in_flight: Parts::default(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.clock.now()
    }

    pub(super) fn find(&self, label: &Label) -> RouteRef {
        self.routes.find(label)
    }

    /// Begins a request, which is in flight until its [`end`](Self::end).
    pub(super) fn begin(&self, label: &Label, part: Part) -> RouteRef {
        self.in_flight.at(part).fetch_add(1, Ordering::Relaxed);
        self.find(label)
    }

    pub(super) fn end(&self, route: RouteRef, ended: &EndedRequest, part: Part) {
        self.record(route, ended, part);
        self.in_flight.at(part).fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts a request that has ended.
    pub(super) fn record(&self, route: RouteRef, ended: &EndedRequest, part: Part) {
        self.routes.resolve(route, ended.status, |route| {
            route.add(part, is_failed(ended.status), &ended.usage, ended.elapsed);
            self.heaviest.offer(route, ended);
        });
    }

    pub(crate) fn record_shed(&self, label: &Label) {
        self.routes.add_shed(label);
    }

    pub(super) fn routes(&self) -> Vec<RouteStats> {
        self.routes.read()
    }

    pub(super) fn heaviest(&self) -> Vec<HeavyRequest> {
        self.heaviest.read(self.now())
    }

    pub(super) fn in_flight(&self) -> u64 {
        self.in_flight.iter().map(|part| part.load(Ordering::Relaxed)).sum()
    }
}

/// Whether an answer of this status is counted as failed.
pub(crate) fn is_failed(status: Option<u16>) -> bool {
    status.is_none_or(|status| status >= 500)
}

/// The logs that a Bursar's statistics are read from, as long as somebody holds them.
#[derive(Debug, Default)]
pub(crate) struct RequestLogs {
    books: Mutex<Vec<Weak<Book>>>,
}

/// What all of them say together.
#[derive(Debug, Default)]
pub(crate) struct RequestFigures {
    /// The one with the most allocated first.
    pub(crate) routes: Vec<RouteStats>,
    /// The heaviest first.
    pub(crate) heaviest: Vec<HeavyRequest>,
    pub(crate) in_flight: u64,
}

impl RequestLogs {
    pub(super) fn add(&self, book: &Arc<Book>) {
        let _tag = BURSAR.enter();
        let mut books = self.lock();
        books.retain(|book| book.strong_count() > 0);
        books.push(Arc::downgrade(book));
    }

    pub(crate) fn read(&self) -> RequestFigures {
        let books: Vec<_> = self.lock().iter().filter_map(Weak::upgrade).collect();
        let mut routes = BTreeMap::<String, RouteStats>::new();
        for route in books.iter().flat_map(|book| book.routes()) {
            match routes.get_mut(&route.route) {
                Some(sum) => sum.add(&route),
                None => drop(routes.insert(route.route.clone(), route)),
            }
        }
        let mut routes: Vec<_> = routes.into_values().collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.allocated_bytes_total));
        let mut heaviest: Vec<_> = books.iter().flat_map(|book| book.heaviest()).collect();
        heaviest.sort_by_key(|request| std::cmp::Reverse(request.usage.peak_bytes));
        RequestFigures { routes, heaviest, in_flight: books.iter().map(|b| b.in_flight()).sum() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Weak<Book>>> {
        // No user code runs under it.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
