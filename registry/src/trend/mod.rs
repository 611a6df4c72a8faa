//! [`Trend`]: whether bytes over time grow without a stop, how fast, and how sure that is.
//!
//! Pure. `mann_kendall` is how sure, `slope` how fast, `window` the points that are judged; here
//! is what has to hold. What grows is one thing and what goes up and down or has grown once is
//! another: a cache that has filled, a wave of load, a table that was doubled.

mod mann_kendall;
mod slope;
mod window;

use std::time::Duration;

use mann_kendall::confidence;
use slope::slope;
use window::{Dot, MIN_DOTS, dots_of, median, parts, span};

/// Growth without a stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trend {
    /// The first point of it.
    pub(crate) since: Duration,
    /// The last.
    pub(crate) until: Duration,
    /// From the first to the last, by the rate.
    pub(crate) grown_bytes: u64,
    /// The median of the rates between any two points.
    pub(crate) bytes_per_hour: f64,
    /// How unlikely it is by chance alone, as a share of one: Mann-Kendall's.
    pub(crate) confidence: f64,
}

/// Growth that has not gone on for so long is not judged: a service fills what it keeps in its
/// first minutes, and a burst of work takes some.
const MIN_SPAN: Duration = Duration::from_secs(300);
/// How sure it has to be of all points that are judged. Three windows are looked at, and one
/// series in a hundred of mere noise would pass this in each; what else has to hold leaves hardly
/// any of them.
const SURE: f64 = 0.99;
/// How sure it has to be of a part of the time by itself, which has a third of the points or two.
/// Of four points, the fewest there can be, it is so sure if each is above the one before.
const LIKELY: f64 = 0.90;
/// Growth goes on while a part of the time, its last third above all, has no less than this share
/// of the rate of the whole. A cache that fills ever more slowly has less once it is at nine tenths
/// (three time constants), and one that has filled has none.
const GOES_ON: f64 = 1.0 / 3.0;
/// Growth that began late is no less than this share of the mean rate of all the time before its
/// end. What fills ever more slowly has grown by even steps in its last half and quarter too, but
/// by smaller ones.
const KEEPS_UP: f64 = 0.5;
/// Parts of the time whose levels are compared, to tell growth from steps.
const PARTS: usize = 6;
/// What has more of its growth than this from one part of the time to the next has made a step. Of
/// even growth each has a fifth, and of growth by the square of the time the last has a third; of
/// two steps each has a half.
const STEP_SHARE: f64 = 0.42;
/// Of growth that began late, so much is above everything that was before. A wave comes back to
/// where it was; what began to grow goes on from there.
const NEW_HEIGHT: f64 = 0.5;
/// What has lost more of its growth than this by its last point does not grow without a stop.
const COME_BACK: f64 = 0.5;
/// The shares of the time that are judged, the longest first: what began late has grown in the
/// last half or quarter alone.
const WINDOWS: [f64; 3] = [1.0, 0.5, 0.25];

/// Judges points in the order of their times, 64 at most. Of windows that end with the last point,
/// the longest in which they grow without a stop; `None` if they do in none.
///
/// Takes any figures. Costs a microsecond or two where nothing has grown, and some ten to a hundred
/// where something has.
pub(crate) fn trend(points: impl Iterator<Item = (Duration, u64)>) -> Option<Trend> {
    let dots = dots_of(points);
    let (first, last) = (dots.first()?, dots.last()?);
    if dots.len() < MIN_DOTS || last.bytes <= first.bytes.min(dots[dots.len() / 2].bytes) {
        return None;
    }
    let mean_rate = (last.bytes - first.bytes) / span(&dots);
    WINDOWS.iter().find_map(|share| {
        let is_before = |dot: &Dot| last.at - dot.at > share * span(&dots);
        let (before, window) = dots.split_at(dots.partition_point(is_before));
        steady(before, window, mean_rate)
    })
}

/// The growth of a window, if that is what it shows. `before` is what came before it, and
/// `mean_rate` that of both.
fn steady(before: &[Dot], window: &[Dot], mean_rate: f64) -> Option<Trend> {
    let time = span(window);
    let confidence = confidence(window);
    if window.len() < MIN_DOTS || time < MIN_SPAN.as_secs_f64() || confidence < SURE {
        return None;
    }
    let rate = slope(window).filter(|rate| *rate > 0.0 && *rate >= KEEPS_UP * mean_rate)?;
    let grown = rate * time;
    let levels: Vec<f64> =
        parts(window, PARTS).map(|part| median(part.iter().map(|dot| dot.bytes))).collect();
    let holds =
        ends_high(before, window, rate, grown) && goes_on(window, &levels) && is_no_step(&levels);
    holds.then(|| Trend {
        since: time_of(window[0]),
        until: time_of(window[window.len() - 1]),
        grown_bytes: grown as u64,
        bytes_per_hour: 3600.0 * rate,
        confidence,
    })
}

/// Whether a window ends above all that was before, by a good part of what it has grown, and has
/// not come back down with its last point.
fn ends_high(before: &[Dot], window: &[Dot], rate: f64, grown: f64) -> bool {
    let highest = before.iter().map(|dot| dot.bytes).fold(0.0, f64::max);
    let last = window[window.len() - 1];
    // Where the line ends, whatever the last point is.
    let level = median(window.iter().map(|dot| dot.bytes + rate * (last.at - dot.at)));
    let is_new = before.is_empty() || level - highest >= NEW_HEIGHT * grown;
    is_new && level - last.bytes <= COME_BACK * grown
}

/// Whether the first two thirds of the time have grown, and the last third by itself, each at a
/// good part of the rate by which the levels have risen.
fn goes_on(window: &[Dot], levels: &[f64]) -> bool {
    let (time, steps) = (span(window), PARTS as f64 - 1.0);
    let rate = risen(levels) / (time * steps / PARTS as f64);
    let last_third = window[window.len() - 1].at - time / 3.0;
    let (early, late) = window.split_at(window.partition_point(|dot| dot.at < last_third));
    [early, late].into_iter().all(|part| {
        let goes_on = slope(part).is_some_and(|of_part| of_part >= GOES_ON * rate);
        goes_on && confidence(part) >= LIKELY
    })
}

/// Whether no single part of the time has most of the growth.
fn is_no_step(levels: &[f64]) -> bool {
    let steps = levels.windows(2).map(|pair| pair[1] - pair[0]);
    steps.fold(0.0, f64::max) <= STEP_SHARE * risen(levels)
}

/// From the level of the first part of the time to that of the last.
fn risen(levels: &[f64]) -> f64 {
    match levels {
        [first, .., last] => last - first,
        _ => 0.0,
    }
}

fn time_of(dot: Dot) -> Duration {
    // Came out of one, so that it fits.
    Duration::try_from_secs_f64(dot.at).unwrap_or_default()
}

#[cfg(test)]
mod tests;
