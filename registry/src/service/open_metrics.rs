//! [`open_metrics`]: the statistics as OpenMetrics text.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::stats::Stats;
use crate::telemetry::catalog::families;
use crate::telemetry::metric::{Family, Kind, Value};

/// The statistics as [OpenMetrics text], for Prometheus and whatever else reads that; to be
/// answered as `application/openmetrics-text; version=1.0.0; charset=utf-8`.
/// [`prometheus_text`](crate::prometheus_text) is the same for readers that do not know it.
///
/// `docs/operations/metrics.md` lists the metrics. What is not known is left out, never given as
/// zero or NaN. A tag's figures are its own: parents do not have those of their parts, so that a
/// sum over tags is the whole. Of tags, purgeables and routes 256 each have series of their own,
/// the first by name; the others are summed under `other`, as are such that have the same labels.
/// Label values are cut to 128 bytes, and control characters in them become U+FFFD: `stats` may be
/// another process's, with anything in it.
///
/// Writes some 60 lines, and up to 7 for each tag, 9 for each purgeable and 8 for each route.
///
/// [OpenMetrics text]: https://prometheus.io/docs/specs/om/open_metrics_spec/
///
/// # Examples
///
/// ```
/// use bursar::{AccountingAllocator, Bursar, System, open_metrics};
///
/// #[global_allocator]
/// static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);
///
/// fn main() -> Result<(), bursar::Error> {
///     let bursar = Bursar::builder().budget("64MiB").start()?;
///     let text = open_metrics(&bursar.stats());
///     assert!(text.contains("\nbursar_soft_limit_bytes 67108864\n"));
///     assert!(text.ends_with("# EOF\n"));
///     Ok(())
/// }
/// ```
#[must_use]
pub fn open_metrics(stats: &Stats) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Families(families(stats))));
    let mut text = String::with_capacity(16 << 10);
    // Writing to a string does not fail, and no metric here has what the encoder refuses.
    let _ = encode(&mut text, &registry);
    text
}

/// What the encoder asks for the metrics: read once, written once.
#[derive(Debug)]
struct Families(Vec<Family>);

impl Collector for Families {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|family| encode_family(family, &mut encoder))
    }
}

fn encode_family(family: &Family, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let metric = &family.metric;
    let unit = metric.unit().map(|unit| Unit::Other(unit.to_owned()));
    // The encoder puts the unit behind the name by itself.
    let name = match metric.unit() {
        Some(unit) => metric.family().trim_end_matches(unit).trim_end_matches('_'),
        None => metric.family(),
    };
    let kind = match metric.kind {
        Kind::Gauge => MetricType::Gauge,
        Kind::Counter => MetricType::Counter,
        Kind::Info => MetricType::Info,
        // There is none in statistics.
        Kind::Histogram => return Ok(()),
    };
    let mut encoder = encoder.encode_descriptor(name, metric.meaning, unit.as_ref(), kind)?;
    for series in &family.series {
        let labels: Vec<_> = family.labels_of(series).collect();
        match (metric.kind, labels.is_empty()) {
            (Kind::Info, _) => encoder.encode_info(&labels)?,
            (kind, true) => encode_value(kind, series.value, &mut encoder)?,
            (kind, false) => {
                encode_value(kind, series.value, &mut encoder.encode_family(&labels)?)?;
            }
        }
    }
    Ok(())
}

fn encode_value(kind: Kind, value: Value, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Whole(value)) => {
            encoder.encode_counter::<NoLabelSet, _, f64>(&value, None)
        }
        (Kind::Counter, Value::Real(value)) => {
            encoder.encode_counter::<NoLabelSet, _, f64>(&value, None)
        }
        (_, Value::Whole(value)) => encoder.encode_gauge(&value),
        (_, Value::Signed(value)) => encoder.encode_gauge(&value),
        (_, Value::Real(value)) => encoder.encode_gauge(&value),
    }
}
