//! [`prometheus_text`]: the statistics in the text format that came before OpenMetrics.

use super::open_metrics::open_metrics;
use crate::stats::Stats;

/// The same as [`open_metrics`] in Prometheus's older [text format], for readers that do not know
/// OpenMetrics; to be answered as `text/plain; version=0.0.4; charset=utf-8`. Units are in the
/// names alone, and `bursar_build_info` is a gauge.
///
/// [text format]: https://prometheus.io/docs/instrumenting/exposition_formats/
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, System, prometheus_text};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let text = prometheus_text(&bursar.stats());
///     assert!(text.contains("\n# TYPE bursar_cleanups_total counter\n"));
///     Ok(())
/// }
/// ```
#[must_use]
pub fn prometheus_text(stats: &Stats) -> String {
    let newer = open_metrics(stats);
    let mut text = String::with_capacity(newer.len());
    let mut meaning = "";
    // Line by line: series are the same in both, and no label has a line end in it.
    for line in newer.lines() {
        let Some(descriptor) = line.strip_prefix("# ") else {
            text.extend([line, "\n"]);
            continue;
        };
        match *descriptor.splitn(3, ' ').collect::<Vec<_>>() {
            ["HELP", _, help] => meaning = help,
            ["TYPE", family, kind] => {
                let (suffix, kind) = match kind {
                    "counter" => ("_total", "counter"),
                    "info" => ("_info", "gauge"),
                    _ => ("", kind),
                };
                text.extend(["# HELP ", family, suffix, " ", meaning, "\n"]);
                text.extend(["# TYPE ", family, suffix, " ", kind, "\n"]);
            }
            _ => {}
        }
    }
    text
}
