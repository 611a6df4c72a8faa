//! Figures of the whole process, its container and its machine: one series each.

use crate::pressure::Sample;
use crate::reading::SystemUsage;
use crate::stats::Stats;
use crate::telemetry::metric::{Figure, Group, Value};

/// Bytes or a count that may not be known.
fn whole(value: Option<u64>) -> Option<Value> {
    value.map(Value::Whole)
}

pub(crate) static PROCESS: Group<Stats> = Group {
    labels: &[],
    label_values: |_| Vec::new(),
    figures: &[
        Figure::gauge(
            "bursar_pressure_level",
            "The level in force: 0 normal, 1 warning, 2 critical, 3 emergency.",
            |stats| whole(Some(stats.level as u64)),
        ),
        Figure::gauge(
            "bursar_usage_ratio",
            "Usage as a share of what it may be, by the tightest of budget and container.",
            |stats| Some(stats.usage_ratio.into()),
        ),
        Figure::gauge("bursar_soft_limit_bytes", "What the footprint is kept to.", |stats| {
            whole(Some(stats.soft_limit_bytes))
        }),
        Figure::gauge(
            "bursar_limit_bytes",
            "The limit in force: the container's, a given one, or the machine's memory.",
            |stats| whole(stats.limits.limit_bytes),
        ),
        Figure::gauge("bursar_live_bytes", "Requested bytes not yet freed.", |stats| {
            whole(Some(stats.live_bytes))
        }),
        Figure::gauge("bursar_live_blocks", "Blocks not yet freed.", |stats| {
            whole(Some(stats.live_blocks))
        }),
        Figure::gauge("bursar_charged_bytes", "Bytes outside the heap, as declared.", |stats| {
            whole(Some(stats.charged_bytes))
        }),
        Figure::gauge(
            "bursar_peak_bytes",
            "The highest live bytes that any reading saw.",
            |stats| whole(Some(stats.peak_bytes)),
        ),
        Figure::gauge(
            "bursar_reserved_bytes",
            "Bytes that reservations hold free and that are not allocated yet.",
            |stats| whole(Some(stats.reserved_bytes)),
        ),
        Figure::gauge(
            "bursar_isolation_caches_in_use",
            "Caches that threads have for isolated tags.",
            |stats| whole(Some(stats.isolation_caches_in_use)),
        ),
        Figure::gauge(
            "bursar_heap_sampling_interval_bytes",
            "The mean number of bytes from one sample of the heap to the next, while it is sampled.",
            |stats| whole(stats.heap_sampling.map(|sampling| sampling.interval_bytes)),
        ),
        Figure::gauge(
            "bursar_heap_samples",
            "Samples of the heap whose blocks live, while it is sampled.",
            |stats| whole(stats.heap_sampling.map(|sampling| sampling.live_samples)),
        ),
        Figure::counter(
            "bursar_heap_samples_lost_total",
            "Samples of the heap that were not kept, for want of room, while it is sampled.",
            |stats| whole(stats.heap_sampling.map(|sampling| sampling.samples_lost_total)),
        ),
        Figure::gauge(
            "bursar_requests_in_flight",
            "Requests that are being answered now.",
            |stats| whole(Some(stats.requests_in_flight)),
        ),
        Figure::counter("bursar_cleanups_total", "Cleanups made.", |stats| {
            whole(Some(stats.cleanups_total))
        }),
        Figure::counter(
            "bursar_futile_cleanups_total",
            "Cleanups that freed next to nothing, or for which there was nothing to ask.",
            |stats| whole(Some(stats.futile_cleanups_total)),
        ),
        Figure::counter(
            "bursar_deferred_cleanups_total",
            "Cleanups put off since those before had had their share of a core.",
            |stats| whole(Some(stats.deferred_cleanups_total)),
        ),
        Figure::counter(
            "bursar_purge_deferrals_total",
            "Cleanups put off since requests were under way.",
            |stats| whole(Some(stats.purge_deferrals_total)),
        ),
        Figure::counter(
            "bursar_freed_bytes_total",
            "Bytes that callbacks freed, heap and charged, as measured.",
            |stats| whole(Some(stats.freed_bytes_total)),
        ),
        Figure::counter(
            "bursar_collected_bytes_total",
            "Bytes of freed pages given back to the system, where the allocator knows.",
            |stats| whole(Some(stats.collected_bytes_total)),
        ),
        Figure::gauge(
            "bursar_cooling_down",
            "1 while nothing is done although usage is high, since it was futile before.",
            |stats| Some(stats.cooldown.is_some().into()),
        ),
        Figure::gauge(
            "bursar_stalled",
            "1 while a callback has not returned for longer than the profile allows.",
            |stats| Some(stats.stall.is_some().into()),
        ),
        Figure::counter(
            "bursar_telemetry_panics_total",
            "Panics of a metrics recorder or a tracing subscriber, contained.",
            |stats| whole(Some(stats.telemetry_panics_total)),
        ),
        Figure::gauge("bursar_uptime_seconds", "Time since Bursar was started.", |stats| {
            Some(stats.uptime.as_secs_f64().into())
        }),
    ],
};

pub(crate) static SAMPLE: Group<Sample> = Group {
    labels: &[],
    label_values: |_| Vec::new(),
    figures: &[
        Figure::gauge(
            "bursar_footprint_bytes",
            "What the budget is compared with: pages that hold live blocks, and charged bytes.",
            |sample| whole(Some(sample.footprint_bytes())),
        ),
        Figure::gauge(
            "bursar_active_bytes",
            "Bytes in pages that hold live blocks, by the allocator.",
            |sample| whole(sample.active_bytes),
        ),
        Figure::gauge(
            "bursar_dirty_bytes",
            "Bytes in freed pages that the allocator still holds.",
            |sample| whole(sample.dirty_bytes),
        ),
        Figure::gauge(
            "bursar_resident_bytes",
            "Bytes of the process in memory, by the kernel.",
            |sample| whole(sample.resident_bytes),
        ),
        Figure::gauge(
            "bursar_working_set_bytes",
            "The container's usage less inactive file pages.",
            |sample| whole(sample.working_set_bytes),
        ),
        Figure::gauge(
            "bursar_container_limit_bytes",
            "What the working set is held against, where the container has a limit.",
            |sample| whole(sample.limit_bytes),
        ),
        Figure::gauge(
            "bursar_process_limit_bytes",
            "What resident bytes are held against, where the container has no limit.",
            |sample| whole(sample.process_limit_bytes),
        ),
        Figure::gauge(
            "bursar_container_swap_bytes",
            "Bytes of the container's pages that are in swap.",
            |sample| whole(sample.container_swap_bytes),
        ),
    ],
};

pub(crate) static SYSTEM: Group<SystemUsage> = Group {
    labels: &[],
    label_values: |_| Vec::new(),
    figures: &[
        Figure::gauge(
            "bursar_system_total_bytes",
            "The whole machine's memory, as the kernel manages it.",
            |system| whole(system.total_bytes),
        ),
        Figure::gauge(
            "bursar_system_available_bytes",
            "What could be had of the machine's memory without swapping.",
            |system| whole(system.available_bytes),
        ),
        Figure::gauge("bursar_system_swap_total_bytes", "The machine's room in swap.", |system| {
            whole(system.swap_total_bytes)
        }),
        Figure::gauge(
            "bursar_system_swap_free_bytes",
            "What of the machine's room in swap is free.",
            |system| whole(system.swap_free_bytes),
        ),
    ],
};
