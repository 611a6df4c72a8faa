//! [`Metric`]: a name, a kind and a meaning; and how rows of figures become series of bounded
//! number with labels that are fit to be written anywhere.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Rows of one kind (tags, purgeables, routes) that have series of their own; what is past them is
/// summed under [`OTHER`].
pub(crate) const MAX_ROWS: usize = 256;
/// What the rows past [`MAX_ROWS`] are summed under.
pub(crate) const OTHER: &str = "other";
/// A label's value is cut to this length.
pub(crate) const MAX_LABEL_BYTES: usize = 128;

/// What is told, under the same name wherever it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    /// With its unit, and `_total` where it only grows.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One sentence, without characters that would have to be escaped.
    pub(crate) meaning: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Gauge,
    Counter,
    /// Always 1; its labels say something.
    Info,
    /// Told by the `metrics` facade alone: statistics keep no distribution.
    Histogram,
}

impl Metric {
    /// The name without what the format puts behind it.
    pub(crate) fn family(&self) -> &'static str {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.name.strip_suffix(suffix).unwrap_or(self.name)
    }

    /// The base unit, which the name ends with.
    pub(crate) fn unit(&self) -> Option<&'static str> {
        let last = self.family().rsplit('_').next()?;
        ["bytes", "ratio", "seconds"].into_iter().find(|unit| *unit == last)
    }
}

/// What a metric is at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    Whole(u64),
    Signed(i64),
    Real(f64),
}

impl Value {
    /// Without its fraction; 0 for what is below it.
    #[cfg(feature = "metrics")]
    pub(crate) fn as_whole(self) -> u64 {
        match self {
            Self::Whole(value) => value,
            Self::Signed(value) => u64::try_from(value).unwrap_or(0),
            Self::Real(value) => value as u64,
        }
    }

    fn sum(self, other: Self) -> Self {
        match (self, other) {
            (Self::Whole(one), Self::Whole(two)) => Self::Whole(one.saturating_add(two)),
            (Self::Signed(one), Self::Signed(two)) => Self::Signed(one.saturating_add(two)),
            (one, two) => Self::Real(one.as_f64() + two.as_f64()),
        }
    }

    fn highest(self, other: Self) -> Self {
        if other.as_f64() > self.as_f64() { other } else { self }
    }

    /// As the nearest floating-point number.
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Whole(value) => value as f64,
            Self::Signed(value) => value as f64,
            Self::Real(value) => value,
        }
    }

    /// Neither a NaN nor an infinity, which statistics of another process may have.
    fn is_finite(&self) -> bool {
        self.as_f64().is_finite()
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Signed(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

/// A metric, and how it is read of a row.
pub(crate) struct Figure<T: 'static> {
    pub(crate) metric: Metric,
    /// `None` where it is not known.
    read: fn(&T) -> Option<Value>,
    /// What becomes of two rows under one label.
    merge: fn(Value, Value) -> Value,
}

impl<T> Figure<T> {
    pub(crate) const fn gauge(
        name: &'static str,
        meaning: &'static str,
        read: fn(&T) -> Option<Value>,
    ) -> Self {
        Self::new(Metric { name, kind: Kind::Gauge, meaning }, read)
    }

    pub(crate) const fn counter(
        name: &'static str,
        meaning: &'static str,
        read: fn(&T) -> Option<Value>,
    ) -> Self {
        Self::new(Metric { name, kind: Kind::Counter, meaning }, read)
    }

    pub(crate) const fn new(metric: Metric, read: fn(&T) -> Option<Value>) -> Self {
        Self { metric, read, merge: Value::sum }
    }

    /// Of two rows the higher counts, not their sum.
    pub(crate) const fn of_the_highest(mut self) -> Self {
        self.merge = Value::highest;
        self
    }

    /// The value of rows that share their labels.
    fn value(&self, rows: &[&T]) -> Option<Value> {
        let known = rows.iter().filter_map(|row| (self.read)(row)).filter(Value::is_finite);
        known.reduce(self.merge).filter(Value::is_finite)
    }
}

/// Figures of rows of one kind, told apart by labels.
pub(crate) struct Group<T: 'static> {
    pub(crate) labels: &'static [&'static str],
    /// The labels' values, in their order.
    pub(crate) label_values: fn(&T) -> Vec<&str>,
    pub(crate) figures: &'static [Figure<T>],
}

/// A metric with all its series.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) metric: Metric,
    pub(crate) labels: &'static [&'static str],
    pub(crate) series: Vec<Series>,
}

/// One value, and the values of its family's labels.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) label_values: Arc<[String]>,
    pub(crate) value: Value,
}

impl Family {
    /// Each label with its value.
    pub(crate) fn labels_of<'a>(
        &'a self,
        series: &'a Series,
    ) -> impl Iterator<Item = (&'static str, &'a str)> {
        self.labels.iter().copied().zip(series.label_values.iter().map(String::as_str))
    }
}

impl<T> Group<T> {
    /// Adds the families of these rows, in the order of their labels; none without a value.
    pub(crate) fn add_to(&self, families: &mut Vec<Family>, rows: &[T]) {
        let rows = self.rows_by_labels(rows);
        for figure in self.figures {
            let series: Vec<_> = rows
                .iter()
                .filter_map(|(label_values, rows)| {
                    let label_values = Arc::clone(label_values);
                    figure.value(rows).map(|value| Series { label_values, value })
                })
                .collect();
            if !series.is_empty() {
                families.push(Family { metric: figure.metric, labels: self.labels, series });
            }
        }
    }

    /// Which rows have series of their own does not depend on their figures, so that a counter
    /// does not move in and out of [`OTHER`].
    fn rows_by_labels<'a>(&self, rows: &'a [T]) -> BTreeMap<Arc<[String]>, Vec<&'a T>> {
        let mut by_labels: BTreeMap<Arc<[String]>, Vec<&T>> = BTreeMap::new();
        for row in rows {
            let labels = (self.label_values)(row).into_iter().map(fit_for_a_label).collect();
            by_labels.entry(labels).or_default().push(row);
        }
        if by_labels.len() > MAX_ROWS {
            let past = by_labels.keys().nth(MAX_ROWS).cloned();
            let past = past.map(|first| by_labels.split_off(&first)).unwrap_or_default();
            let mut other = vec![String::new(); self.labels.len()];
            if let Some(name) = other.first_mut() {
                OTHER.clone_into(name);
            }
            by_labels.entry(other.into()).or_default().extend(past.into_values().flatten());
        }
        by_labels
    }
}

/// Cut to [`MAX_LABEL_BYTES`]; control characters become U+FFFD.
fn fit_for_a_label(value: &str) -> String {
    let mut fit = String::with_capacity(value.len().min(MAX_LABEL_BYTES));
    for char in value.chars() {
        let char = if char.is_control() { char::REPLACEMENT_CHARACTER } else { char };
        if fit.len() + char.len_utf8() > MAX_LABEL_BYTES {
            break;
        }
        fit.push(char);
    }
    fit
}

#[cfg(test)]
mod tests;
