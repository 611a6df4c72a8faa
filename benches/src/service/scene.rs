//! [`Scene`]: a process with as much to tell of as there can be.

use std::error::Error;
use std::thread;
use std::time::Duration;

use bursar::{
    Bursar, FnPurgeable, PurgeOutcome, PurgeableFigures, Registration, RequestLog, RequestUsage,
};

use super::tags::Tags;

const PURGEABLES: usize = 50;
/// As many as a log keeps unless told otherwise.
const ROUTES: usize = 64;
/// As many as the log keeps of ten minutes.
const HEAVY_REQUESTS: usize = 16;
const HEAVY_BYTES: u64 = 1 << 20;
/// Nothing is to be cleaned up.
const BUDGET: &str = "8GiB";
/// A reading after so long has a place of its own in the history.
const READING_SPACING: Duration = Duration::from_millis(101);

/// A Bursar over all tags that there can be, with purgeables and routes.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) bursar: Bursar,
    pub(super) tags: usize,
    _held: Tags,
    _registrations: Vec<Registration>,
    _log: RequestLog,
}

impl Scene {
    /// Sets it, after so many readings.
    pub(super) fn set(readings: usize) -> Result<Self, Box<dyn Error>> {
        let bursar = Bursar::builder().budget(BUDGET).start()?;
        let mut held = Tags::default();
        let tags = held.hold_all();
        let registrations = held.iter().take(PURGEABLES).map(|tag| {
            let purge = |_: &_| PurgeOutcome::Empty;
            bursar.register(FnPurgeable::new(tag, || 12_345_678, purge).figures(figures))
        });
        let registrations: Vec<_> = registrations.collect::<Result<_, _>>()?;
        if registrations.len() < PURGEABLES {
            return Err(format!("{tags} tags are too few for {PURGEABLES} purgeables").into());
        }
        let log = RequestLog::new(&bursar);
        for number in 0..ROUTES {
            let label = format!("GET /tenants/{{id}}/thumbnails/{number}");
            let bytes = if number < HEAVY_REQUESTS { HEAVY_BYTES } else { 0 };
            log.record(&label, Some(200), &usage(bytes), Duration::from_micros(1234));
        }
        for _ in 0..readings {
            thread::sleep(READING_SPACING);
            bursar.checkpoint()?;
        }
        Ok(Self { bursar, tags, _held: held, _registrations: registrations, _log: log })
    }

    /// What there is to tell of.
    pub(super) fn describe(&self) -> String {
        let (stats, history) = (self.bursar.stats(), self.bursar.history());
        let readings = history.samples().count() + history.recent_samples().count();
        let (tags, purgeables, routes) = (self.tags, stats.purgeables.len(), stats.routes.len());
        format!("{tags} tags, {purgeables} purgeables, {routes} routes, {readings} readings")
    }
}

fn figures() -> PurgeableFigures {
    let mut figures = PurgeableFigures::default();
    figures.entries = Some(1234);
    (figures.hits_total, figures.misses_total) = (Some(1_234_567), Some(12_345));
    figures
}

fn usage(peak_bytes: u64) -> RequestUsage {
    let mut usage = RequestUsage::default();
    (usage.allocated_bytes, usage.freed_bytes) = (12_345_678, 12_345_000);
    (usage.net_bytes, usage.peak_bytes) = (678, peak_bytes);
    usage
}
