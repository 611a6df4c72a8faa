//! [`Stats`]: one reading of everything, for people, JSON and metrics.

mod isolation;
mod sampling;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bursar_alloc::TagUsage;
use bytesize::ByteSize;

use crate::budget::Budget;
use crate::cooldown::Cooldown;
use crate::ladder::Stage;
use crate::pressure::{Diagnosis, PressureLevel, Sample};
use crate::profile::Watermarks;
use crate::purge::RebuildCost;
use crate::registry::{Registry, Slot};
use crate::report::CleanupReport;
use crate::service::{HeavyRequest, RouteStats, write_routes};
use crate::source::LimitReport;
use crate::status::{Shared, Stall, Status};

pub use sampling::HeapSampling;

/// Everything there is to know at one moment. All sizes are in bytes.
///
/// Tags and live bytes are read now; `sample`, the level and what goes with it are the monitor's
/// last reading, at most one interval old.
///
/// With the feature `serde` the JSON of another version with the same `FORMAT_VERSION` can be
/// read: what only later versions say may be missing, and is 0, empty or `None` then; what is not
/// known here is passed over.
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, System};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let stats = bursar.stats();
///     assert_eq!(stats.soft_limit_bytes, 64 << 20);
///     println!("{stats}");
///     Ok(())
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stats {
    /// The version of this crate in the process that was read.
    pub version: String,
    /// The level in force.
    pub level: PressureLevel,
    /// What presses, while the level is above normal.
    pub diagnosis: Option<Diagnosis>,
    /// Usage as a share of what it may be, by the tightest of budget and container.
    pub usage_ratio: f64,
    /// What the footprint is kept to.
    pub soft_limit_bytes: u64,
    /// The shares of it at which the levels begin.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "crate::config::watermarks_as_read"))]
    pub watermarks: Watermarks,
    /// The limit in force, whose it is, and what the other sources of limits said.
    pub limits: LimitReport,
    /// Requested bytes not yet freed.
    pub live_bytes: u64,
    /// Blocks not yet freed.
    #[cfg_attr(feature = "serde", serde(default))]
    pub live_blocks: u64,
    /// Bytes outside the heap, declared by a `Charge`.
    #[cfg_attr(feature = "serde", serde(default))]
    pub charged_bytes: u64,
    /// Bytes that are reserved and not held yet, by a [`Reservation`](crate::Reservation).
    #[cfg_attr(feature = "serde", serde(default))]
    pub reserved_bytes: u64,
    /// The highest `live_bytes` that any reading saw.
    #[cfg_attr(feature = "serde", serde(default))]
    pub peak_bytes: u64,
    /// The monitor's last reading.
    pub sample: Sample,
    /// Figures that the last reading could not read, by their names in [`Sample`], each with the
    /// reason.
    #[cfg_attr(feature = "serde", serde(default))]
    pub unavailable: BTreeMap<String, String>,
    /// The allocator behind the accounting.
    pub backend: Option<String>,
    /// Each tag in use, the largest first.
    pub tags: Vec<TagUsage>,
    /// Caches that threads have for isolated tags.
    #[cfg_attr(feature = "serde", serde(default))]
    pub isolation_caches_in_use: u64,
    /// How the heap is sampled, while it is.
    pub heap_sampling: Option<HeapSampling>,
    /// Each purgeable registered, the largest first.
    pub purgeables: Vec<PurgeableStats>,
    /// Each route that requests were logged for, the one with the most allocated first.
    #[cfg_attr(feature = "serde", serde(default))]
    pub routes: Vec<RouteStats>,
    /// The requests of the last hour that needed most at once, the heaviest first.
    #[cfg_attr(feature = "serde", serde(default))]
    pub heaviest_requests: Vec<HeavyRequest>,
    /// Requests that are being answered now.
    #[cfg_attr(feature = "serde", serde(default))]
    pub requests_in_flight: u64,
    /// Names that the configuration has `max_bytes` or `max_entries` for, and that nothing was
    /// registered under so far: misspelt, or still to come.
    #[cfg_attr(feature = "serde", serde(default))]
    pub bounds_unused: Vec<String>,
    /// Cleanups made.
    #[cfg_attr(feature = "serde", serde(default))]
    pub cleanups_total: u64,
    /// Cleanups that freed next to nothing, or for which there was nothing to ask.
    #[cfg_attr(feature = "serde", serde(default))]
    pub futile_cleanups_total: u64,
    /// Cleanups put off since those before had had their share of a core.
    #[cfg_attr(feature = "serde", serde(default))]
    pub deferred_cleanups_total: u64,
    /// Times that cleanups were put off while a [`PurgeDeferral`](crate::PurgeDeferral) lived, once
    /// each however long it took.
    #[cfg_attr(feature = "serde", serde(default))]
    pub purge_deferrals_total: u64,
    /// Bytes that callbacks freed, heap and charged, as measured.
    #[cfg_attr(feature = "serde", serde(default))]
    pub freed_bytes_total: u64,
    /// Bytes of freed pages given back to the system, where the allocator knows.
    #[cfg_attr(feature = "serde", serde(default))]
    pub collected_bytes_total: u64,
    /// Panics of a `metrics` recorder or a `tracing` subscriber while it was told of a reading, a
    /// level or a cleanup. Contained: what else it was to be told then is lost.
    #[cfg_attr(feature = "serde", serde(default))]
    pub telemetry_panics_total: u64,
    /// Why nothing is done although usage is high, if that is so.
    pub cooldown: Option<Cooldown>,
    /// A callback that does not return.
    pub stall: Option<Stall>,
    /// Why the last report could not be written, if that is so.
    pub last_report_error: Option<String>,
    /// The latest cleanup.
    pub last_cleanup: Option<CleanupReport>,
    /// Since Bursar was started.
    pub uptime: Duration,
}

/// What a purgeable holds, and has done since it was registered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PurgeableStats {
    /// The name it is registered under.
    pub name: String,
    /// Its tag's name.
    pub tag: Option<String>,
    /// The stage that asks it.
    pub stage: Stage,
    /// Lower is asked first.
    #[cfg_attr(feature = "serde", serde(default))]
    pub priority: i8,
    /// Cheaper is asked first, within a priority.
    #[cfg_attr(feature = "serde", serde(default))]
    pub rebuild_cost: RebuildCost,
    /// The bytes that the configuration bounded it to when it was registered; `None` if the
    /// configuration says nothing, whatever bounds it has of its own.
    pub max_bytes: Option<u64>,
    /// The entries that the configuration bounded it to, likewise.
    pub max_entries: Option<usize>,
    /// What it says it could free now.
    pub purgeable_bytes: u64,
    /// Its entries, or idle objects, if it counts them.
    pub entries: Option<u64>,
    /// How often something was asked of it and there, if it counts that.
    pub hits_total: Option<u64>,
    /// How often something was asked of it and not there, if it counts that.
    pub misses_total: Option<u64>,
    /// Times it was asked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub purges_total: u64,
    /// Times it was busy.
    #[cfg_attr(feature = "serde", serde(default))]
    pub busy_total: u64,
    /// Times it panicked.
    #[cfg_attr(feature = "serde", serde(default))]
    pub panics_total: u64,
    /// Bytes it says it freed.
    #[cfg_attr(feature = "serde", serde(default))]
    pub claimed_bytes_total: u64,
    /// Bytes it freed, as measured.
    #[cfg_attr(feature = "serde", serde(default))]
    pub freed_bytes_total: u64,
    /// Why it is passed over for a while, if it is.
    pub cooldown: Option<Cooldown>,
}

impl Stats {
    pub(crate) fn read(
        budget: &Budget,
        registry: &Registry,
        shared: &Shared,
        now: Duration,
    ) -> Self {
        let usage = bursar_alloc::usage();
        let mut tags = usage.tags;
        tags.sort_by_key(|tag| std::cmp::Reverse(tag.live_bytes));
        let mut purgeables: Vec<_> =
            registry.slots().iter().map(|slot| PurgeableStats::read(slot)).collect();
        purgeables.sort_by_key(|purgeable| std::cmp::Reverse(purgeable.purgeable_bytes));
        let requests = shared.request_logs().read();

        let status: &Status = &shared.lock();
        let level = status.pressure.level;
        let pressing = status.finding.filter(|_| level > PressureLevel::Normal);
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            level,
            diagnosis: pressing.map(|finding| finding.diagnosis),
            usage_ratio: status.finding.map_or(0.0, |finding| finding.usage),
            soft_limit_bytes: budget.soft_limit_bytes(),
            watermarks: budget.profile().watermarks,
            limits: LimitReport::clone(&status.limits),
            live_bytes: usage.live_bytes,
            live_blocks: usage.live_blocks,
            charged_bytes: usage.charged_bytes,
            reserved_bytes: shared.room().reserved_bytes(),
            peak_bytes: usage.peak_bytes,
            sample: status.sample,
            unavailable: BTreeMap::clone(&status.unavailable),
            backend: bursar_alloc::backend_name().map(str::to_owned),
            tags,
            isolation_caches_in_use: usage.isolation_caches_in_use as u64,
            heap_sampling: HeapSampling::read(),
            purgeables,
            routes: requests.routes,
            heaviest_requests: requests.heaviest,
            requests_in_flight: requests.in_flight,
            bounds_unused: registry.unused_bounds(),
            cleanups_total: status.cleanups_total,
            futile_cleanups_total: status.futile_cleanups_total,
            deferred_cleanups_total: status.deferred_cleanups_total,
            purge_deferrals_total: status.purge_deferrals_total,
            freed_bytes_total: status.freed_bytes_total,
            collected_bytes_total: status.collected_bytes_total,
            telemetry_panics_total: status.telemetry_panics_total,
            cooldown: status.cooldown.clone(),
            stall: status.stall(now, budget.profile().stall_after),
            last_report_error: status.last_report_error.clone(),
            last_cleanup: status.history.last_cleanup().cloned(),
            uptime: now,
        }
    }
}

impl PurgeableStats {
    /// The share of what was asked of it that was there; `None` before the first, or if it does
    /// not count that.
    #[must_use]
    pub fn hit_ratio(&self) -> Option<f64> {
        let (hits, misses) = (self.hits_total? as f64, self.misses_total? as f64);
        (hits + misses > 0.0).then(|| hits / (hits + misses))
    }

    fn read(slot: &Slot) -> Self {
        let totals = slot.totals();
        let bounds = slot.bounds().unwrap_or_default();
        let figures = slot.figures();
        let candidate = slot.candidate(0);
        Self {
            name: slot.name().to_owned(),
            tag: slot.tag_name().map(Cow::into_owned),
            stage: slot.stage(),
            priority: candidate.priority,
            rebuild_cost: candidate.rebuild_cost,
            max_bytes: bounds.max_bytes,
            max_entries: bounds.max_entries,
            purgeable_bytes: candidate.purgeable_bytes,
            entries: figures.entries,
            hits_total: figures.hits_total,
            misses_total: figures.misses_total,
            purges_total: totals.purges.load(Ordering::Relaxed),
            busy_total: totals.busy.load(Ordering::Relaxed),
            panics_total: totals.panics.load(Ordering::Relaxed),
            claimed_bytes_total: totals.claimed_bytes.load(Ordering::Relaxed),
            freed_bytes_total: totals.freed_bytes.load(Ordering::Relaxed),
            cooldown: slot.cooldown(),
        }
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_summary(f)?;
        self.write_tags(f)?;
        self.write_isolated(f)?;
        self.write_sampling(f)?;
        self.write_purgeables(f)?;
        write_routes(f, &self.routes)?;
        if !self.bounds_unused.is_empty() {
            write!(f, "\nbounded but not registered: {}", self.bounds_unused.join(", "))?;
        }
        self.write_cleanups(f)
    }
}

impl Stats {
    fn write_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "level {} at {:.1} % of the budget of {}",
            self.level,
            100.0 * self.usage_ratio,
            ByteSize(self.soft_limit_bytes),
        )?;
        if let Some(diagnosis) = self.diagnosis {
            write!(f, ", {diagnosis} pressure")?;
        }
        write!(f, "\n{}", self.limits)?;
        let figures = [
            ("live", Some(self.live_bytes)),
            ("peak", Some(self.peak_bytes)),
            ("charged", Some(self.charged_bytes)),
            ("active", self.sample.active_bytes),
            ("dirty", self.sample.dirty_bytes),
            ("resident", self.sample.resident_bytes),
            ("working set", self.sample.working_set_bytes),
        ];
        for (index, (name, bytes)) in figures.into_iter().enumerate() {
            f.write_str(if index == 0 { "\n" } else { ", " })?;
            match bytes {
                Some(bytes) => write!(f, "{name} {}", ByteSize(bytes))?,
                None => write!(f, "{name} unknown")?,
            }
        }
        if self.reserved_bytes > 0 {
            write!(f, ", reserved {}", ByteSize(self.reserved_bytes))?;
        }
        Ok(())
    }

    fn write_tags(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [tag, live, blocks, peak, charged] = ["tag", "live", "blocks", "peak", "charged"];
        write!(f, "\n{tag:<24} {live:>12} {blocks:>10} {peak:>12} {charged:>12}")?;
        for tag in &self.tags {
            let [live, peak, charged] = [tag.live_bytes, tag.peak_bytes, tag.charged_bytes]
                .map(|bytes| ByteSize(bytes).to_string());
            let (name, blocks) = (&tag.name, tag.live_blocks);
            write!(f, "\n{name:<24} {live:>12} {blocks:>10} {peak:>12} {charged:>12}")?;
        }
        Ok(())
    }

    fn write_purgeables(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.purgeables.is_empty() {
            return Ok(());
        }
        let [name, stage, could_free] = ["purgeable", "stage", "could free"];
        let [entries, hits, purges, freed] = ["entries", "hits", "purges", "freed"];
        write!(f, "\n{name:<24} {stage:>9} {could_free:>12} {entries:>10} {hits:>7}")?;
        write!(f, " {purges:>8} {freed:>12}")?;
        for purgeable in &self.purgeables {
            let (name, stage) = (&purgeable.name, purgeable.stage);
            let could_free = ByteSize(purgeable.purgeable_bytes).to_string();
            let entries = purgeable.entries.map_or("-".to_owned(), |entries| entries.to_string());
            let hits = purgeable.hit_ratio();
            let hits = hits.map_or("-".to_owned(), |ratio| format!("{:.1} %", 100.0 * ratio));
            let purges = purgeable.purges_total;
            let freed = ByteSize(purgeable.freed_bytes_total).to_string();
            write!(f, "\n{name:<24} {stage:>9} {could_free:>12} {entries:>10} {hits:>7}")?;
            write!(f, " {purges:>8} {freed:>12}")?;
        }
        Ok(())
    }

    fn write_cleanups(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\n{} cleanups freed {} and gave {} of pages back",
            self.cleanups_total,
            ByteSize(self.freed_bytes_total),
            ByteSize(self.collected_bytes_total),
        )?;
        if self.purge_deferrals_total > 0 {
            let times = self.purge_deferrals_total;
            write!(f, "\ncleanups put off while requests ran: {times}")?;
        }
        if let Some(cooldown) = &self.cooldown {
            write!(f, "\ncleanups wait {:?}: {}", cooldown.wait, cooldown.reason)?;
        }
        if let Some(stall) = &self.stall {
            write!(f, "\n{} has not returned for {:.1?}", stall.name, stall.running_for)?;
        }
        match &self.last_cleanup {
            Some(report) => write!(f, "\nlast {report}"),
            None => Ok(()),
        }
    }
}
