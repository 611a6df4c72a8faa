//! The heaviest requests, on a clock that is set.

use super::*;
use crate::service::RequestUsage;

const MIB: u64 = 1 << 20;
const MINUTE: Duration = Duration::from_secs(60);

fn heaviest() -> Heaviest {
    Heaviest::new(MIB)
}

/// A request of so many bytes at once, ended so many minutes in.
fn offer(heaviest: &Heaviest, peak_bytes: u64, minute: u32) {
    let usage = RequestUsage { peak_bytes, ..RequestUsage::default() };
    let (route, at) = (Arc::new(Route::new("GET /".into())), minute * MINUTE);
    let ended = EndedRequest { status: Some(200), usage, at, elapsed: Duration::ZERO };
    heaviest.offer(&route, &ended);
}

fn peaks_mib(heaviest: &Heaviest, minute: u32) -> Vec<u64> {
    let requests = heaviest.read(minute * MINUTE);
    requests.iter().map(|request| request.usage.peak_bytes / MIB).collect()
}

#[test]
fn the_heaviest_comes_first_and_those_that_are_light_are_not_there() {
    let heaviest = heaviest();
    for peak_bytes in [3 * MIB, MIB - 1, 5 * MIB, MIB, 0] {
        offer(&heaviest, peak_bytes, 0);
    }
    assert_eq!(peaks_mib(&heaviest, 0), [5, 3, 1]);
}

#[test]
fn of_each_ten_minutes_the_sixteen_heaviest_are_kept() {
    let heaviest = heaviest();
    for mib in (1..=20).chain(21..=40).rev() {
        offer(&heaviest, mib * MIB, 3);
    }
    for mib in 101..=140 {
        offer(&heaviest, mib * MIB, 13);
    }
    let expected: Vec<u64> = (125..=140).rev().chain((25..=40).rev()).collect();
    assert_eq!(peaks_mib(&heaviest, 13), expected);
}

#[test]
fn a_request_that_is_too_light_takes_no_lock() {
    let heaviest = heaviest();
    (1..=16).for_each(|mib| offer(&heaviest, (10 + mib) * MIB, 3));
    let is_locked = heaviest.lock();
    // These would wait for ever.
    offer(&heaviest, MIB - 1, 3);
    offer(&heaviest, 11 * MIB, 3);
    drop(is_locked);
    assert_eq!(peaks_mib(&heaviest, 3).len(), 16);
}

#[test]
fn a_new_stretch_of_time_begins_with_the_lightest_of_interest() {
    let heaviest = heaviest();
    (1..=16).for_each(|mib| offer(&heaviest, (10 + mib) * MIB, 9));
    offer(&heaviest, 2 * MIB, 9);
    assert_eq!(peaks_mib(&heaviest, 9).len(), 16, "lighter than all of them");
    offer(&heaviest, 2 * MIB, 10);
    assert_eq!(peaks_mib(&heaviest, 10).len(), 17);
    offer(&heaviest, 3 * MIB, 10);
    assert_eq!(peaks_mib(&heaviest, 10).len(), 18);
}

#[test]
fn a_request_is_there_for_an_hour() {
    let heaviest = heaviest();
    offer(&heaviest, 7 * MIB, 9);
    offer(&heaviest, 2 * MIB, 68);
    assert_eq!(peaks_mib(&heaviest, 69), [7, 2]);
    assert_eq!(peaks_mib(&heaviest, 70), [2]);
    assert_eq!(peaks_mib(&heaviest, 200), [0; 0]);
}

#[test]
fn stretches_past_the_hour_give_their_place_away() {
    let heaviest = heaviest();
    for minute in 0..200 {
        (1..=20).for_each(|mib| offer(&heaviest, mib * MIB, minute));
    }
    assert_eq!(heaviest.lock().len(), STRETCHES);
    assert_eq!(peaks_mib(&heaviest, 199).first(), Some(&20));
    offer(&heaviest, MIB, 100_000);
    assert_eq!(peaks_mib(&heaviest, 100_000), [1]);
}

#[test]
fn a_request_that_was_late_for_its_stretch_is_kept_in_the_one_after() {
    let heaviest = heaviest();
    offer(&heaviest, 2 * MIB, 10);
    offer(&heaviest, 3 * MIB, 9);
    assert_eq!(peaks_mib(&heaviest, 10), [3, 2]);
}
