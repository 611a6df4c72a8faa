//! [`Routes`]: sums for each route, of a bounded number of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::label::Label;
use super::stats::RouteStats;
use crate::bursar::BURSAR;
use crate::service::request::RequestUsage;

/// Where routes past the bound are counted.
const OTHER: &str = "other";
/// Where requests are counted that no route was found for.
pub(crate) const UNMATCHED: &str = "unmatched";

/// The routes by their labels. Looking one up that is known takes a lock that is held for writing
/// only while a route is added, and allocates nothing.
#[derive(Debug)]
pub(super) struct Routes {
    known: RwLock<HashMap<Box<str>, Arc<Route>>>,
    max_routes: usize,
    other: Arc<Route>,
    unmatched: Arc<Route>,
}

/// The sums of one route: plain counts.
#[derive(Debug, Default)]
pub(super) struct Route {
    label: Box<str>,
    requests: AtomicU64,
    failed: AtomicU64,
    shed: AtomicU64,
    allocated_bytes: AtomicU64,
    net_bytes: AtomicI64,
    peak_bytes_total: AtomicU64,
    peak_bytes: AtomicU64,
    elapsed_nanos: AtomicU64,
}

/// What a label stands for while its request runs.
#[derive(Debug)]
pub(super) enum RouteRef {
    Known(Arc<Route>),
    /// There is room for it, and its status decides whether it becomes a route.
    New(Box<str>),
    /// There is no room for it.
    PastBound,
}

impl Routes {
    pub(super) fn new(max_routes: usize) -> Self {
        let fixed = |label: &str| Arc::new(Route { label: label.into(), ..Route::default() });
        Self {
            known: RwLock::default(),
            max_routes,
            other: fixed(OTHER),
            unmatched: fixed(UNMATCHED),
        }
    }

    pub(super) fn find(&self, label: &Label) -> RouteRef {
        match self.known(label) {
            Ok(route) => RouteRef::Known(route),
            Err(len) if len >= self.max_routes => RouteRef::PastBound,
            Err(_) => {
                let _tag = BURSAR.enter();
                RouteRef::New(label.as_str().into())
            }
        }
    }

    /// Where to count a request that was refused, before anyone knew whether it has a route.
    pub(super) fn known_or_other(&self, label: &Label) -> Arc<Route> {
        self.known(label).unwrap_or_else(|_| Arc::clone(&self.other))
    }

    /// The route of this label, or how many others there are.
    fn known(&self, label: &Label) -> Result<Arc<Route>, usize> {
        match label.as_str() {
            "" | UNMATCHED => return Ok(Arc::clone(&self.unmatched)),
            OTHER => return Ok(Arc::clone(&self.other)),
            _ => {}
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(label.as_str()).cloned().ok_or(known.len())
    }

    /// Where to count a request that was answered with `status`. One that there is no route for
    /// is not taken for a new route, or scanners would use up the bound.
    pub(super) fn resolve(&self, route: RouteRef, status: Option<u16>) -> Arc<Route> {
        let is_unmatched = matches!(status, Some(404 | 405));
        match route {
            RouteRef::Known(route) => route,
            RouteRef::New(_) | RouteRef::PastBound if is_unmatched => Arc::clone(&self.unmatched),
            RouteRef::New(label) => self.add(label),
            RouteRef::PastBound => Arc::clone(&self.other),
        }
    }

    fn add(&self, label: Box<str>) -> Arc<Route> {
        let _tag = BURSAR.enter();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(route) = known.get(&label) {
            return Arc::clone(route);
        }
        if known.len() >= self.max_routes {
            return Arc::clone(&self.other);
        }
        let route = Arc::new(Route { label: label.clone(), ..Route::default() });
        known.insert(label, Arc::clone(&route));
        route
    }

    /// Every route that something was counted for, in no order.
    pub(super) fn read(&self) -> Vec<RouteStats> {
        let mut routes: Vec<_> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            known.values().cloned().collect()
        };
        routes.extend([Arc::clone(&self.other), Arc::clone(&self.unmatched)]);
        let stats = routes.iter().map(|route| route.read());
        stats.filter(|route| route.requests_total > 0 || route.shed_total > 0).collect()
    }
}

impl Route {
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn add(&self, is_failed: bool, usage: &RequestUsage, elapsed: Duration) {
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.elapsed_nanos.fetch_add(nanos, Ordering::Relaxed);
        if is_failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.add_usage(usage);
    }

    /// Adds nothing where there is nothing to add: all threads write to the same line of memory.
    fn add_usage(&self, usage: &RequestUsage) {
        let &RequestUsage { allocated_bytes, net_bytes, peak_bytes, .. } = usage;
        if allocated_bytes > 0 {
            self.allocated_bytes.fetch_add(allocated_bytes, Ordering::Relaxed);
        }
        if net_bytes != 0 {
            self.net_bytes.fetch_add(net_bytes, Ordering::Relaxed);
        }
        if peak_bytes > 0 {
            self.peak_bytes_total.fetch_add(peak_bytes, Ordering::Relaxed);
        }
        if peak_bytes > self.peak_bytes.load(Ordering::Relaxed) {
            self.peak_bytes.fetch_max(peak_bytes, Ordering::Relaxed);
        }
    }

    pub(super) fn add_shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> RouteStats {
        RouteStats {
            route: self.label.to_string(),
            requests_total: self.requests.load(Ordering::Relaxed),
            failed_total: self.failed.load(Ordering::Relaxed),
            shed_total: self.shed.load(Ordering::Relaxed),
            allocated_bytes_total: self.allocated_bytes.load(Ordering::Relaxed),
            net_bytes_total: self.net_bytes.load(Ordering::Relaxed),
            peak_bytes_total: self.peak_bytes_total.load(Ordering::Relaxed),
            peak_bytes: self.peak_bytes.load(Ordering::Relaxed),
            elapsed_total: Duration::from_nanos(self.elapsed_nanos.load(Ordering::Relaxed)),
        }
    }
}
