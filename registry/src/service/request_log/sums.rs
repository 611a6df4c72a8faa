//! [`Route`]: the sums of one route.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::stats::RouteStats;
use crate::service::parts::{Part, Parts};
use crate::service::request::RequestUsage;

/// One route: what is counted for it, by the part that the request is of.
#[derive(Debug)]
pub(super) struct Route {
    label: Arc<str>,
    sums: Parts<Sums>,
}

/// Plain counts.
#[derive(Debug, Default)]
struct Sums {
    requests: AtomicU64,
    failed: AtomicU64,
    shed: AtomicU64,
    allocated_bytes: AtomicU64,
    net_bytes: AtomicI64,
    peak_bytes_total: AtomicU64,
    peak_bytes: AtomicU64,
    elapsed_nanos: AtomicU64,
}

impl Route {
    pub(super) fn new(label: Arc<str>) -> Self {
        Self { label, sums: Parts::default() }
    }

    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn add(&self, part: Part, is_failed: bool, usage: &RequestUsage, elapsed: Duration) {
        self.sums.at(part).add(is_failed, usage, elapsed);
    }

    pub(super) fn add_shed(&self) {
        self.sums.at(Part::of_this_thread()).shed.fetch_add(1, Ordering::Relaxed);
    }

    /// Of all parts: exact where no request ends meanwhile.
    pub(super) fn read(&self) -> RouteStats {
        let mut stats = RouteStats { route: self.label.to_string(), ..RouteStats::default() };
        for sums in self.sums.iter() {
            stats.add(&sums.read());
        }
        stats
    }
}

impl Sums {
    /// Adds nothing where there is nothing to add.
    fn add(&self, is_failed: bool, usage: &RequestUsage, elapsed: Duration) {
        let &RequestUsage { allocated_bytes, net_bytes, peak_bytes, .. } = usage;
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.elapsed_nanos.fetch_add(nanos, Ordering::Relaxed);
        if is_failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
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

    fn read(&self) -> RouteStats {
        RouteStats {
            route: String::new(),
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
