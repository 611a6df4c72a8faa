//! Every metric there is, and how it is read of [`Stats`].

mod process;
mod rows;
#[cfg(test)]
mod tests;

use std::slice::from_ref;

use super::metric::{Family, Group, Kind, Metric};
use crate::stats::Stats;

/// How long a cleanup took. Told by the `metrics` facade alone.
#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "held to the documentation"))]
pub(crate) const CLEANUP_DURATION: Metric = Metric {
    name: "bursar_cleanup_duration_seconds",
    kind: Kind::Histogram,
    meaning: "How long each cleanup took.",
};

/// What `stats` says, metric by metric; none that it does not know.
pub(crate) fn families(stats: &Stats) -> Vec<Family> {
    let mut families = Vec::with_capacity(96);
    rows::BUILD.add_to(&mut families, from_ref(stats));
    process::PROCESS.add_to(&mut families, from_ref(stats));
    rows::WATERMARKS.add_to(&mut families, &rows::watermarks(stats));
    process::SAMPLE.add_to(&mut families, from_ref(&stats.sample));
    rows::CONTAINER_STALL.add_to(&mut families, &rows::stalls(stats.sample.container_stall));
    rows::CONTAINER_EVENTS.add_to(&mut families, &rows::events(stats.sample.container_events));
    if let Some(system) = &stats.sample.system {
        process::SYSTEM.add_to(&mut families, from_ref(system));
    }
    rows::SYSTEM_STALL.add_to(&mut families, &rows::stalls(stats.sample.system_stall));
    rows::TAGS.add_to(&mut families, &stats.tags);
    rows::PURGEABLES.add_to(&mut families, &stats.purgeables);
    rows::ROUTES.add_to(&mut families, &stats.routes);
    families
}

/// Every metric with its labels, in the order of [`families`].
#[cfg_attr(not(feature = "metrics"), allow(dead_code, reason = "held to the documentation"))]
pub(crate) fn all() -> Vec<(Metric, &'static [&'static str])> {
    fn of<T>(group: &Group<T>) -> Vec<(Metric, &'static [&'static str])> {
        group.figures.iter().map(|figure| (figure.metric, group.labels)).collect()
    }
    let mut all = of(&rows::BUILD);
    all.extend(of(&process::PROCESS));
    all.extend(of(&rows::WATERMARKS));
    all.extend(of(&process::SAMPLE));
    all.extend(of(&rows::CONTAINER_STALL));
    all.extend(of(&rows::CONTAINER_EVENTS));
    all.extend(of(&process::SYSTEM));
    all.extend(of(&rows::SYSTEM_STALL));
    all.extend(of(&rows::TAGS));
    all.extend(of(&rows::PURGEABLES));
    all.extend(of(&rows::ROUTES));
    all.push((CLEANUP_DURATION, &[]));
    all
}
