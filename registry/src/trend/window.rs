//! The points that are judged.

use std::time::Duration;

/// A point, in seconds and bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dot {
    pub(super) at: f64,
    pub(super) bytes: f64,
}

/// Fewer say nothing: a third of them, which is judged by itself, are four.
pub(super) const MIN_DOTS: usize = 12;
/// What bounds the pairs that are looked at: as many as a series keeps.
const MAX_DOTS: usize = 64;
/// After its first point, what is watched fills its tables and pools for so long: no growth.
const WARM_UP: Duration = Duration::from_secs(60);

/// Points with times that rise, without those of the warm-up. The last is still being taken: it is
/// the lowest since it began, and may become lower. So it counts if it is below the one before,
/// and not if it is above, as it is at first of anything that goes up and down.
pub(super) fn dots_of(points: impl Iterator<Item = (Duration, u64)>) -> Vec<Dot> {
    let mut begun_at = None;
    let mut dots: Vec<Dot> = Vec::with_capacity(MAX_DOTS);
    for (at, bytes) in points.take(MAX_DOTS) {
        let begun_at = *begun_at.get_or_insert(at);
        let dot = Dot { at: at.as_secs_f64(), bytes: bytes as f64 };
        let is_later = dots.last().is_none_or(|last| last.at < dot.at);
        if is_later && at.saturating_sub(begun_at) >= WARM_UP {
            dots.push(dot);
        }
    }
    if let [.., before, last] = dots[..]
        && last.bytes > before.bytes
    {
        dots.pop();
    }
    dots
}

/// The time from the first to the last, in seconds.
pub(super) fn span(dots: &[Dot]) -> f64 {
    match dots {
        [first, .., last] => last.at - first.at,
        _ => 0.0,
    }
}

/// Points cut into so many parts of about as many each, none of which is empty.
pub(super) fn parts(dots: &[Dot], count: usize) -> impl Iterator<Item = &[Dot]> {
    let ends = (0..=count).map(move |part| part * dots.len() / count);
    let cuts: Vec<usize> = ends.collect();
    (0..count).map(move |part| &dots[cuts[part]..cuts[part + 1]]).filter(|part| !part.is_empty())
}

/// The one in the middle, of two the upper; 0 of none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
