//! The quantiles of some times.

use std::time::Duration;

/// Times in order.
#[derive(Debug, Default)]
pub(super) struct Quantiles(Vec<Duration>);

impl Quantiles {
    pub(super) fn of(times: impl IntoIterator<Item = Duration>) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort();
        Self(times)
    }

    /// The least time that `share` of all are no longer than.
    pub(super) fn at(&self, share: f64) -> Option<Duration> {
        let rank = (share * self.0.len() as f64).ceil() as usize;
        self.0.get(rank.max(1) - 1).copied()
    }

    /// How many there are, the 50th, 90th and 99th percentile and the longest, as cells.
    pub(super) fn cells(&self) -> Vec<String> {
        let quantiles = [0.5, 0.9, 0.99, 1.0].map(|share| self.at(share).map_or_else(dash, millis));
        std::iter::once(self.0.len().to_string()).chain(quantiles).collect()
    }
}

/// The columns of [`Quantiles::cells`].
pub(super) const COLUMNS: [&str; 5] = ["times", "p50", "p90", "p99", "longest"];

pub(super) fn millis(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1_000.0)
}

fn dash() -> String {
    "-".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_the_least_time_that_so_many_are_no_longer_than() {
        let times = Quantiles::of((1..=200).rev().map(Duration::from_millis));
        let at = |share| times.at(share).map(|time| time.as_millis());
        assert_eq!(at(0.5), Some(100));
        assert_eq!(at(0.99), Some(198));
        assert_eq!(at(1.0), Some(200));
        assert_eq!(at(0.0), Some(1));
        assert_eq!(Quantiles::default().at(0.5), None);
        assert_eq!(Quantiles::default().cells(), ["0", "-", "-", "-", "-"]);
    }
}
