//! [`Series`]: live bytes of one thing over time.

use std::time::Duration;

use crate::thinned::{Point, Thinned};

/// How many points a series has at most.
pub(super) const POINTS: usize = 64;
/// The rhythm at which live bytes are read, and the spacing of points at first: 64 of them are
/// the ten minutes in which a fast leak shows. A reading takes 2 us of 5 tags and 35 of 235, and up
/// to some hundreds where hundreds of threads have counters: a thirty-thousandth of a core at most.
pub(crate) const SPACING: Duration = Duration::from_secs(10);
/// What has held nothing for so long is gone: a tag made at run time that is no more, code that
/// ran once. Tags that come back within the time, as those of a customer who does, go on.
const GONE_AFTER: Duration = Duration::from_secs(600);

/// How many bytes were alive at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LivePoint {
    /// When, on the monitor's clock, to the millisecond.
    pub at: Duration,
    /// Bytes allocated and not yet freed; for a site an estimate.
    pub live_bytes: u64,
}

/// A point as it is kept and as it is in JSON: milliseconds and bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Kept(u64, u64);

/// Of points that share a place the lowest is kept: what a leak leaves is the floor, and what
/// requests hold for a while is not. Times never go back, whatever the clock does.
impl Point for Kept {
    fn at(&self) -> Duration {
        Duration::from_millis(self.0)
    }

    fn merge(self, later: Self) -> Self {
        if later.1 <= self.1 { Self(later.0.max(self.0), later.1) } else { self }
    }
}

/// Points over the time since it was first seen, 64 at most, and when it last held anything.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    points: Thinned<Kept>,
    held_at_ms: u64,
}

impl Series {
    pub(super) fn new() -> Self {
        Self { points: Thinned::new(POINTS, SPACING), held_at_ms: 0 }
    }

    /// Takes a reading in; one before the last is taken with it.
    pub(super) fn push(&mut self, at: Duration, live_bytes: u64) {
        let at_ms = millis(at);
        self.points.push(Kept(at_ms, live_bytes));
        if live_bytes > 0 {
            self.held_at_ms = self.held_at_ms.max(at_ms);
        }
    }

    pub(super) fn is_gone(&self, now: Duration) -> bool {
        millis(now).saturating_sub(self.held_at_ms) >= millis(GONE_AFTER)
    }

    /// The lowest since the last point began.
    pub(super) fn last_bytes(&self) -> u64 {
        self.points.iter().next_back().map_or(0, |point| point.1)
    }

    pub(super) fn points(&self) -> impl DoubleEndedIterator<Item = LivePoint> + ExactSizeIterator {
        self.points.iter().map(|point| LivePoint { at: point.at(), live_bytes: point.1 })
    }
}

fn millis(at: Duration) -> u64 {
    u64::try_from(at.as_millis()).unwrap_or(u64::MAX)
}

/// A [`Series`] in JSON, as fields of what it is of.
#[cfg(feature = "serde")]
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct WireSeries {
    /// The time that a point stands for.
    #[serde(default)]
    spacing_ms: u64,
    #[serde(default)]
    held_at_ms: u64,
    /// Milliseconds and bytes of each.
    points: Vec<Kept>,
}

#[cfg(feature = "serde")]
impl From<Series> for WireSeries {
    fn from(series: Series) -> Self {
        Self {
            spacing_ms: millis(series.points.spacing()),
            held_at_ms: series.held_at_ms,
            points: series.points.iter().copied().collect(),
        }
    }
}

/// Whatever was read, no more points than a series has, in the order of their times.
#[cfg(feature = "serde")]
impl From<WireSeries> for Series {
    fn from(wire: WireSeries) -> Self {
        let mut points = Thinned::new(POINTS, Duration::from_millis(wire.spacing_ms));
        wire.points.into_iter().take(POINTS).for_each(|point| points.push(point));
        Self { points, held_at_ms: wire.held_at_ms }
    }
}
