//! A service with something to show: caches that are trimmed again and again, a pool, and work
//! that comes and goes.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bursar::{
    Bursar, Cache, Entry, HeavyRequest, Pool, PurgeOutcome, PurgeRequest, Purgeable, Registration,
    RouteStats, Stats, Tag,
};
use serde_json::json;

static THUMBNAILS: Tag = Tag::new("thumbnails");
static SESSIONS: Tag = Tag::new("sessions");
static PAGES: Tag = Tag::new("pages");
static BUFFERS: Tag = Tag::new("buffers");
static REPORTS: Tag = Tag::new("reports");
static INDEX: Tag = Tag::new("search-index");

/// What a scanner might ask for, to see who shows it as markup.
pub(crate) const HOSTILE_ROUTE: &str = "GET /<img src=x onerror=\"window.hacked=1\">&lt;b&gt;";

/// What panics when it is asked.
struct Broken;

impl Purgeable for Broken {
    fn purgeable_bytes(&self) -> u64 {
        3 << 20
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        resume_unwind(Box::new("on purpose, and with nothing printed"))
    }
}

pub(crate) struct Service {
    bursar: Bursar,
    thumbnails: Cache<u64, Arc<[u8]>>,
    sessions: Cache<u64, Arc<[u8]>>,
    pages: Cache<u64, Arc<[u8]>>,
    buffers: Pool<Vec<u8>>,
    _index: Vec<Vec<u8>>,
    reports: Vec<Vec<u8>>,
    steps: u64,
    _registrations: Vec<Registration>,
}

impl Service {
    pub(crate) fn start() -> Self {
        let builder = Bursar::builder().budget("64MiB").max_entries("pagse", 1000);
        let bursar = builder.tag_budget("sessions", 8 << 20).start().unwrap();
        let (thumbnails, sessions) = (Cache::new(&THUMBNAILS), Cache::new(&SESSIONS));
        let pages = Cache::new(&PAGES);
        let buffers = Pool::new(&BUFFERS, || vec![1; 256 << 10]);
        let _registrations = vec![
            bursar.register(&thumbnails).unwrap(),
            bursar.register(&sessions).unwrap(),
            bursar.register(&pages).unwrap(),
            bursar.register(&buffers).unwrap(),
            bursar.register(Entry::new("broken", Arc::new(Broken))).unwrap(),
        ];
        let _index = {
            let _tag = INDEX.enter();
            (0..64).map(|_| vec![1; 128 << 10]).collect()
        };
        let (reports, steps) = (Vec::new(), 0);
        Self {
            bursar,
            thumbnails,
            sessions,
            pages,
            buffers,
            _index,
            reports,
            steps,
            _registrations,
        }
    }

    #[cfg(feature = "serve")]
    pub(crate) fn bursar(&self) -> &Bursar {
        &self.bursar
    }

    /// A while of its life.
    pub(crate) fn step(&mut self) {
        self.steps += 1;
        let block = |bytes: usize| -> Arc<[u8]> { vec![1; bytes].into() };
        for next in self.steps * 8..self.steps * 8 + 8 {
            self.thumbnails.get_or_insert_with(next, || block(48 << 10));
            let _ = self.thumbnails.get(&(next - next % 5));
            self.sessions.get_or_insert_with(next % 6000, || block(4 << 10));
            self.pages.get_or_insert_with(next % 900, || block(16 << 10));
        }
        let in_use: Vec<_> = (0..self.steps % 7).map(|_| self.buffers.acquire()).collect();
        drop(in_use);
        let _tag = REPORTS.enter();
        match self.steps % 80 {
            0..40 => self.reports.push(vec![1; 192 << 10]),
            _ => drop(self.reports.pop()),
        }
    }

    /// Lives until it has been cleaned up a few times.
    pub(crate) fn until_cleaned_up(&mut self, times: u64) {
        while self.bursar.stats().cleanups_total < times {
            self.step();
            thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn history(&self) -> String {
        answer(&serde_json::to_value(self.bursar.history()).unwrap())
    }

    /// Its own statistics, and requests such as a layer would have counted.
    pub(crate) fn stats(&self) -> Stats {
        let mut stats = self.bursar.stats();
        for (index, route) in
            ["GET /thumbnail/{id}", "POST /report", HOSTILE_ROUTE].iter().enumerate()
        {
            let mut sums = RouteStats::default();
            sums.route = (*route).to_owned();
            sums.requests_total = self.steps * (3 - index as u64);
            sums.failed_total = self.steps / 50;
            sums.shed_total = self.steps / 90 * index as u64;
            sums.peak_bytes = 5 << (18 + index);
            sums.peak_bytes_total = sums.requests_total * (300 << 10);
            sums.allocated_bytes_total = sums.requests_total * (400 << 10);
            sums.elapsed_total = Duration::from_micros(sums.requests_total * 2300);
            stats.routes.push(sums);
            stats.heaviest_requests.push(heavy(route, 12 - 3 * index as u64, stats.uptime));
        }
        stats.requests_in_flight = self.steps % 5;
        stats
    }
}

fn heavy(route: &str, mib: u64, at: Duration) -> HeavyRequest {
    let usage = json!({
        "allocated_bytes": mib << 21, "freed_bytes": mib << 21, "net_bytes": 0,
        "peak_bytes": mib << 20, "sections": 4, "unmeasured": 0,
    });
    let elapsed = json!({ "secs": 0, "nanos": 85_000_000 });
    let at = serde_json::to_value(at.saturating_sub(Duration::from_millis(100 * mib))).unwrap();
    let request =
        json!({ "route": route, "status": 200, "usage": usage, "at": at, "elapsed": elapsed });
    serde_json::from_value(request).unwrap()
}

/// In the envelope in which the page expects it.
pub(crate) fn answer(data: &serde_json::Value) -> String {
    json!({ "success": true, "message": "ok", "data": data }).to_string()
}
