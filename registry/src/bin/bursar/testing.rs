//! What a service says, for tests: read of a running Bursar once, and changed from there.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bursar::{
    AccountingAllocator, Bursar, CleanupReport, Entry, History, LevelChange, PressureLevel,
    PurgeOutcome, PurgeRequest, Purgeable, PurgeableStats, SamplePoint, Stats, System, TagUsage,
};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

pub(crate) const MIB: u64 = 1 << 20;

struct Nothing;

impl Purgeable for Nothing {
    fn purgeable_bytes(&self) -> u64 {
        0
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        PurgeOutcome::Empty
    }
}

fn readings() -> &'static (Stats, History, CleanupReport) {
    static READINGS: OnceLock<(Stats, History, CleanupReport)> = OnceLock::new();
    READINGS.get_or_init(|| {
        let bursar = Bursar::builder().budget("1GiB").start().unwrap();
        let _registration = bursar.register(Entry::new("nothing", Arc::new(Nothing))).unwrap();
        let (stats, history) = (bursar.stats(), bursar.history());
        (stats, history, bursar.reclaim(PressureLevel::Critical).unwrap())
    })
}

/// A service with a budget of 400 MiB that has run for a minute: 25 % used, no tags, no
/// purgeables, no cleanups.
pub(crate) fn stats() -> Stats {
    let mut stats = readings().0.clone();
    "1.2.3".clone_into(&mut stats.version);
    (stats.level, stats.diagnosis, stats.usage_ratio) = (PressureLevel::Normal, None, 0.25);
    stats.soft_limit_bytes = 400 * MIB;
    (stats.live_bytes, stats.peak_bytes, stats.charged_bytes) = (100 * MIB, 120 * MIB, 0);
    stats.sample = bursar::Sample::default();
    stats.sample.live_bytes = 100 * MIB;
    stats.limits = bursar::LimitReport::default();
    stats.limits.limit_bytes = Some(512 * MIB);
    stats.unavailable.clear();
    (stats.tags, stats.purgeables) = (Vec::new(), Vec::new());
    (stats.cleanups_total, stats.futile_cleanups_total) = (0, 0);
    (stats.cooldown, stats.stall, stats.last_cleanup) = (None, None, None);
    stats.uptime = Duration::from_secs(60);
    stats
}

pub(crate) fn tag(name: &str, live_mib: u64, allocated_mib: u64) -> TagUsage {
    let mut tag = readings().0.tags[0].clone();
    tag.name = name.to_owned().into();
    (tag.parent, tag.budget_bytes) = (None, None);
    (tag.live_bytes, tag.peak_bytes) = (live_mib * MIB, live_mib * MIB);
    (tag.live_blocks, tag.charged_bytes) = (live_mib, 0);
    tag.allocated_bytes_total = allocated_mib * MIB;
    tag
}

pub(crate) fn purgeable(name: &str, purgeable_mib: u64) -> PurgeableStats {
    let mut purgeable = readings().0.purgeables[0].clone();
    name.clone_into(&mut purgeable.name);
    purgeable.purgeable_bytes = purgeable_mib * MIB;
    purgeable
}

/// A cleanup that has freed so much in 3 ms.
pub(crate) fn cleanup(at: Duration, freed_mib: u64) -> CleanupReport {
    let mut report = readings().2.clone();
    (report.started_at, report.freed_bytes) = (at, freed_mib * MIB);
    (report.level, report.elapsed) = (PressureLevel::Warning, Duration::from_millis(3));
    (report.collected_bytes, report.target_bytes) = (None, 2 * freed_mib * MIB);
    let purges = report.stages.iter_mut().flat_map(|stage| &mut stage.purges);
    for purge in purges {
        (purge.claimed_bytes, purge.measured_bytes) = (freed_mib * MIB, Some(freed_mib * MIB));
    }
    report
}

/// A history of samples (when, and how much is live), changes of level, and cleanups.
pub(crate) fn history(
    samples: &[(Duration, u64)],
    levels: &[(Duration, PressureLevel)],
    cleanups: &[CleanupReport],
) -> History {
    let empty = serde_json::to_value(&readings().1).unwrap();
    let first: SamplePoint = serde_json::from_value(empty["recent_samples"][0].clone()).unwrap();
    let samples: Vec<_> = samples
        .iter()
        .map(|&(at, live_mib)| {
            let mut point = first;
            (point.at, point.sample.live_bytes) = (at, live_mib * MIB);
            point
        })
        .collect();
    let levels: Vec<LevelChange> = levels
        .iter()
        .map(|(at, to)| {
            let change = json!({
                "at": at, "from": "normal", "to": to, "usage_ratio": 0.7, "diagnosis": "live",
            });
            serde_json::from_value(change).unwrap()
        })
        .collect();
    let mut history = empty;
    history["recent_samples"] = json!(samples);
    history["level_changes_total"] = json!(levels.len());
    history["level_changes"] = json!(levels);
    history["cleanups"] = json!(cleanups);
    serde_json::from_value(history).unwrap()
}
