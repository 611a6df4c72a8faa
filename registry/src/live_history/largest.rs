//! Which series are kept: those of what holds most.

use std::cmp::Reverse;
use std::time::Duration;

use super::series::Series;

/// A series, and what it is of.
pub(super) trait Kept: Sized {
    /// What one of its kind held at one moment.
    type Reading;
    /// What it is known by.
    type Key: Ord + ?Sized;

    fn key(&self) -> &Self::Key;

    fn key_of(reading: &Self::Reading) -> &Self::Key;

    fn bytes_of(reading: &Self::Reading) -> u64;

    /// One without points.
    fn begin(reading: &Self::Reading) -> Self;

    /// What else the latest reading says.
    fn note(&mut self, _reading: &Self::Reading) {}

    fn series(&self) -> &Series;

    fn series_mut(&mut self) -> &mut Series;
}

/// A new one takes the place of another if it holds so many times as much: so those of about the
/// same size do not take turns, in which each would lose what was kept of it.
const TIMES_LARGER: u64 = 2;

/// Adds a point to each series: what was not read holds nothing. Drops what is gone, and begins
/// series of what is new, the largest first, while there are fewer than `most`; then in place of
/// the smallest.
///
/// Costs a sort of the readings and a look at each series.
pub(super) fn take_in<K: Kept>(
    kept: &mut Vec<K>,
    mut readings: Vec<K::Reading>,
    at: Duration,
    most: usize,
) {
    readings.sort_unstable_by(|a, b| K::key_of(a).cmp(K::key_of(b)));
    let mut is_kept = vec![false; readings.len()];
    for one in kept.iter_mut() {
        let found = readings.binary_search_by(|reading| K::key_of(reading).cmp(one.key()));
        let reading = found.ok().map(|index| {
            is_kept[index] = true;
            &readings[index]
        });
        one.series_mut().push(at, reading.map_or(0, K::bytes_of));
        reading.into_iter().for_each(|reading| one.note(reading));
    }
    kept.retain(|one| !one.series().is_gone(at));
    let is_new =
        |&(index, reading): &(usize, &K::Reading)| !is_kept[index] && K::bytes_of(reading) > 0;
    let mut new: Vec<&K::Reading> =
        readings.iter().enumerate().filter(is_new).map(|(_, reading)| reading).collect();
    new.sort_by_key(|reading| Reverse(K::bytes_of(reading)));
    for reading in new.into_iter().take(most) {
        let mut one = K::begin(reading);
        one.series_mut().push(at, K::bytes_of(reading));
        if kept.len() < most {
            kept.push(one);
        } else if let Some(smallest) = kept.iter_mut().min_by_key(|one| one.series().last_bytes())
            && K::bytes_of(reading) / TIMES_LARGER >= smallest.series().last_bytes()
        {
            *smallest = one;
        } else {
            break;
        }
    }
}
