//! Figures with labels: a series for each level, tag, purgeable, route.

use bursar_alloc::TagUsage;

use crate::pressure::PressureLevel;
use crate::reading::{CgroupEvents, MemoryStall};
use crate::service::RouteStats;
use crate::stats::{PurgeableStats, Stats};
use crate::telemetry::metric::{Figure, Group, Kind, Metric, Value};

pub(crate) static BUILD: Group<Stats> = Group {
    labels: &["version", "backend"],
    label_values: |stats| vec![&stats.version, stats.backend.as_deref().unwrap_or("")],
    figures: &[Figure::new(
        Metric {
            name: "bursar_build_info",
            kind: Kind::Info,
            meaning: "The version of Bursar, and the allocator behind the accounting; always 1.",
        },
        |_| Some(Value::Whole(1)),
    )],
};

pub(crate) static WATERMARKS: Group<(PressureLevel, f64)> = Group {
    labels: &["level"],
    label_values: |(level, _)| vec![level.as_str()],
    figures: &[Figure::gauge(
        "bursar_watermark_ratio",
        "The usage at which the level begins.",
        |(_, ratio)| Some((*ratio).into()),
    )],
};

pub(super) fn watermarks(stats: &Stats) -> [(PressureLevel, f64); 3] {
    let watermarks = &stats.watermarks;
    [
        (PressureLevel::Warning, watermarks.warning),
        (PressureLevel::Critical, watermarks.critical),
        (PressureLevel::Emergency, watermarks.emergency),
    ]
}

/// How long some tasks, or all of them, stood still.
pub(crate) struct StallRow {
    tasks: &'static str,
    avg10_percent: f64,
    total_us: u64,
}

impl StallRow {
    fn ratio(&self) -> Option<Value> {
        Some((self.avg10_percent / 100.0).into())
    }

    fn seconds(&self) -> Option<Value> {
        Some((self.total_us as f64 / 1e6).into())
    }
}

pub(super) fn stalls(stall: Option<MemoryStall>) -> Vec<StallRow> {
    let rows = stall.map(|stall| {
        [
            ("some", stall.some_avg10_percent, stall.some_total_us),
            ("full", stall.full_avg10_percent, stall.full_total_us),
        ]
    });
    let rows = rows.into_iter().flatten();
    rows.map(|(tasks, avg10_percent, total_us)| StallRow { tasks, avg10_percent, total_us })
        .collect()
}

pub(crate) static CONTAINER_STALL: Group<StallRow> = Group {
    labels: &["tasks"],
    label_values: |row| vec![row.tasks],
    figures: &[
        Figure::gauge(
            "bursar_container_stall_ratio",
            "Share of the last 10 seconds in which some, or all, of the container's tasks stood \
             still for want of memory.",
            StallRow::ratio,
        ),
        Figure::counter(
            "bursar_container_stall_seconds_total",
            "Time in which some, or all, of the container's tasks stood still for want of memory.",
            StallRow::seconds,
        ),
    ],
};

pub(crate) static SYSTEM_STALL: Group<StallRow> = Group {
    labels: &["tasks"],
    label_values: |row| vec![row.tasks],
    figures: &[
        Figure::gauge(
            "bursar_system_stall_ratio",
            "Share of the last 10 seconds in which some, or all, of the machine's tasks stood \
             still for want of memory.",
            StallRow::ratio,
        ),
        Figure::counter(
            "bursar_system_stall_seconds_total",
            "Time in which some, or all, of the machine's tasks stood still for want of memory.",
            StallRow::seconds,
        ),
    ],
};

pub(crate) static CONTAINER_EVENTS: Group<(&'static str, Option<u64>)> = Group {
    labels: &["event"],
    label_values: |(event, _)| vec![event],
    figures: &[Figure::counter(
        "bursar_container_events_total",
        "What has happened to the container for want of memory, since its cgroup was made: low, \
         high, max, oom, and oom_kill for each process that the kernel killed.",
        |(_, count)| count.map(Value::Whole),
    )],
};

pub(super) fn events(events: Option<CgroupEvents>) -> [(&'static str, Option<u64>); 5] {
    let CgroupEvents { low, high, max, oom, oom_kill } = events.unwrap_or_default();
    [("low", low), ("high", high), ("max", max), ("oom", oom), ("oom_kill", oom_kill)]
}

pub(crate) static TAGS: Group<TagUsage> = Group {
    labels: &["tag"],
    label_values: |tag| vec![&tag.name],
    figures: &[
        Figure::gauge(
            "bursar_tag_live_bytes",
            "Requested bytes not yet freed of the tag itself, its parts left out.",
            |tag| Some(tag.live_bytes.into()),
        ),
        Figure::gauge(
            "bursar_tag_live_blocks",
            "Blocks not yet freed of the tag itself, its parts left out.",
            |tag| Some(tag.live_blocks.into()),
        ),
        Figure::gauge(
            "bursar_tag_charged_bytes",
            "Bytes outside the heap declared under the tag itself, its parts left out.",
            |tag| Some(tag.charged_bytes.into()),
        ),
        Figure::gauge(
            "bursar_tag_peak_bytes",
            "The highest live bytes of the tag that any reading saw.",
            |tag: &TagUsage| Some(tag.peak_bytes.into()),
        )
        .of_the_highest(),
        Figure::counter(
            "bursar_tag_allocated_bytes_total",
            "Bytes allocated under the tag, growth and what was handed over to it included.",
            |tag| Some(tag.allocated_bytes_total.into()),
        ),
        Figure::gauge(
            "bursar_tag_budget_bytes",
            "What the tag and its parts may hold, where it was given a budget.",
            |tag| tag.budget_bytes.map(Value::Whole),
        ),
        Figure::gauge(
            "bursar_tag_budget_used_bytes",
            "What the tag and its parts hold, heap and charged, where it was given a budget.",
            |tag| tag.budget_bytes.map(|_| tag.subtree_bytes().into()),
        ),
        Figure::gauge(
            "bursar_tag_active_bytes",
            "Bytes in pages that hold live blocks of the tag alone, where it is isolated.",
            |tag| tag.active_bytes.map(Value::Whole),
        ),
        Figure::gauge(
            "bursar_tag_dirty_bytes",
            "Bytes in freed pages of the tag's own memory, where it is isolated.",
            |tag| tag.dirty_bytes.map(Value::Whole),
        ),
    ],
};

pub(crate) static PURGEABLES: Group<PurgeableStats> = Group {
    labels: &["purgeable", "tag", "stage"],
    label_values: |row| vec![&row.name, row.tag.as_deref().unwrap_or(""), row.stage.as_str()],
    figures: &[
        Figure::gauge("bursar_purgeable_bytes", "What it says it could free now.", |row| {
            Some(row.purgeable_bytes.into())
        }),
        Figure::gauge(
            "bursar_purgeable_entries",
            "Its entries, or idle objects, if it counts them.",
            |row| row.entries.map(Value::Whole),
        ),
        Figure::counter(
            "bursar_purgeable_hits_total",
            "How often something was asked of it and there, if it counts that.",
            |row| row.hits_total.map(Value::Whole),
        ),
        Figure::counter(
            "bursar_purgeable_misses_total",
            "How often something was asked of it and not there, if it counts that.",
            |row| row.misses_total.map(Value::Whole),
        ),
        Figure::counter("bursar_purgeable_purges_total", "Times it was asked to free.", |row| {
            Some(row.purges_total.into())
        }),
        Figure::counter("bursar_purgeable_busy_total", "Times it was busy.", |row| {
            Some(row.busy_total.into())
        }),
        Figure::counter("bursar_purgeable_panics_total", "Times it panicked.", |row| {
            Some(row.panics_total.into())
        }),
        Figure::counter("bursar_purgeable_claimed_bytes_total", "Bytes it says it freed.", |row| {
            Some(row.claimed_bytes_total.into())
        }),
        Figure::counter(
            "bursar_purgeable_freed_bytes_total",
            "Bytes it freed, as measured.",
            |row| Some(row.freed_bytes_total.into()),
        ),
    ],
};

pub(crate) static ROUTES: Group<RouteStats> = Group {
    labels: &["route"],
    label_values: |row| vec![&row.route],
    figures: &[
        Figure::counter(
            "bursar_route_requests_total",
            "Requests answered, those refused aside.",
            |row| Some(row.requests_total.into()),
        ),
        Figure::counter(
            "bursar_route_failed_total",
            "Requests answered with a status of 500 or above, or not at all.",
            |row| Some(row.failed_total.into()),
        ),
        Figure::counter(
            "bursar_route_shed_total",
            "Requests refused since memory was short.",
            |row| Some(row.shed_total.into()),
        ),
        Figure::counter(
            "bursar_route_allocated_bytes_total",
            "Bytes that the route's requests allocated, growth included.",
            |row| Some(row.allocated_bytes_total.into()),
        ),
        Figure::gauge(
            "bursar_route_net_bytes",
            "Allocated less freed by the route's requests; below zero where they free what others \
             allocated.",
            |row| Some(row.net_bytes_total.into()),
        ),
        Figure::counter(
            "bursar_route_peak_bytes_total",
            "The peaks of the route's requests together; divided by their number, what one needs \
             at once.",
            |row| Some(row.peak_bytes_total.into()),
        ),
        Figure::gauge(
            "bursar_route_highest_peak_bytes",
            "The highest peak of one request.",
            |row: &RouteStats| Some(row.peak_bytes.into()),
        )
        .of_the_highest(),
        Figure::counter(
            "bursar_route_elapsed_seconds_total",
            "The time that the route's requests took together.",
            |row| Some(row.elapsed_total.as_secs_f64().into()),
        ),
    ],
};
