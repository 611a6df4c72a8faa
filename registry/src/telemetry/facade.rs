//! What is told by the `metrics` facade: gauges and counters of a reading, at most once a second;
//! what a cleanup did, at once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use metrics::{Label, Recorder, Unit, counter, gauge, histogram, with_recorder};

use super::catalog::{self, CLEANUP_DURATION, families};
use super::metric::{Family, Kind, Metric, Series};
use crate::report::CleanupReport;
use crate::stats::Stats;

/// Between two readings that are told.
const SPACING: Duration = Duration::from_secs(1);

const CLEANUPS: &str = "bursar_cleanups_total";
const FREED: &str = "bursar_freed_bytes_total";
const COLLECTED: &str = "bursar_collected_bytes_total";

/// What one monitor has told of its readings.
#[derive(Debug, Default)]
pub(super) struct Facade {
    next_at: Duration,
    is_described: bool,
    /// Of what began with its Bursar: purgeables, routes, the monitor's own.
    told: Totals,
}

/// Totals, by metric and labels, as they were at the last reading: tags that come and go leave
/// nothing.
type Totals = BTreeMap<(&'static str, Arc<[String]>), u64>;

/// What the recorder has been told of what outlives any one Bursar, as the recorder does: tags, the
/// container, the machine. No lock, which a forked child could find taken for ever.
static TOLD_OF_PROCESS: ArcSwapOption<Totals> = ArcSwapOption::const_empty();

/// The labels of counters that go on when a Bursar ends.
const LABELS_OF_PROCESS: [&[&str]; 3] = [&["tag"], &["event"], &["tasks"]];

/// What counters have grown by, with their labels.
type Increases = Vec<(&'static str, Vec<Label>, u64)>;

impl Facade {
    /// Whether a reading at `now` is to be told; if so, the next is not for a while.
    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        let is_due = now >= self.next_at;
        if is_due {
            self.next_at = now.saturating_add(SPACING);
        }
        is_due
    }

    pub(super) fn sampled(&mut self, stats: &Stats) {
        if !self.is_described {
            // Set first: a recorder that panics is not told again and again.
            self.is_described = true;
            with_recorder(describe);
        }
        let families = families(stats);
        let increases = self.take_increases(&families);
        for family in families.iter().filter(|family| family.metric.kind != Kind::Counter) {
            for series in &family.series {
                let labels = labels(family, series);
                gauge!(target: "bursar", family.metric.name, labels).set(series.value.as_f64());
            }
        }
        for (name, labels, increase) in increases {
            counter!(target: "bursar", name, labels).increment(increase);
        }
    }

    /// By how much each counter has grown since it was told last; it then counts as told. Those of
    /// cleanups are left out.
    fn take_increases(&mut self, families: &[Family]) -> Increases {
        let told = families.iter().filter(|family| {
            family.metric.kind == Kind::Counter
                && ![CLEANUPS, FREED, COLLECTED].contains(&family.metric.name)
        });
        let (of_process, of_bursar): (Vec<_>, Vec<_>) =
            told.partition(|family| LABELS_OF_PROCESS.contains(&family.labels));
        let before = TOLD_OF_PROCESS.load_full().unwrap_or_default();
        let (totals, mut increases) = increases(&of_process, &before);
        TOLD_OF_PROCESS.store(Some(Arc::new(totals)));
        let (totals, since) = self::increases(&of_bursar, &self.told);
        self.told = totals;
        increases.extend(since);
        increases
    }
}

/// Of a cleanup that is over.
pub(super) fn cleaned_up(report: &CleanupReport) {
    counter!(target: "bursar", CLEANUPS).increment(1);
    counter!(target: "bursar", FREED).increment(report.freed_bytes);
    counter!(target: "bursar", COLLECTED).increment(report.collected_bytes.unwrap_or(0));
    histogram!(target: "bursar", CLEANUP_DURATION.name).record(report.elapsed.as_secs_f64());
}

fn describe(recorder: &dyn Recorder) {
    for (metric, _) in catalog::all() {
        let Metric { name, kind, meaning } = metric;
        let unit = match metric.unit() {
            Some("bytes") => Some(Unit::Bytes),
            Some("seconds") => Some(Unit::Seconds),
            _ => None,
        };
        let (name, meaning) = (name.into(), meaning.into());
        match kind {
            Kind::Counter => recorder.describe_counter(name, unit, meaning),
            Kind::Histogram => recorder.describe_histogram(name, unit, meaning),
            Kind::Gauge | Kind::Info => recorder.describe_gauge(name, unit, meaning),
        }
    }
}

/// The totals of these counters, and by how much each has grown since `before`. One below what it
/// was has begun anew.
fn increases(counters: &[&Family], before: &Totals) -> (Totals, Increases) {
    let (mut totals, mut increases) = (Totals::new(), Vec::new());
    for family in counters {
        for series in &family.series {
            // Whole units: the facade's counters have no fractions.
            let total = series.value.as_whole();
            let key = (family.metric.name, Arc::clone(&series.label_values));
            let before = before.get(&key).copied().unwrap_or(0);
            let increase = total.checked_sub(before).unwrap_or(total);
            totals.insert(key, total);
            increases.push((family.metric.name, labels(family, series), increase));
        }
    }
    (totals, increases)
}

fn labels(family: &Family, series: &Series) -> Vec<Label> {
    let labels = family.labels_of(series);
    labels.map(|(label, value)| Label::new(label, value.to_owned())).collect()
}

#[cfg(test)]
mod tests;
