//! What grows and what does not, shape by shape.

mod hostile;
mod noise;

use super::*;

const MIB: f64 = (1 << 20) as f64;

/// Points as a series has them after some hours.
const POINTS: u32 = 60;
const HOURS: f64 = 5.0;

/// Numbers that look like chance, the same in each run: splitmix64.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    pub(super) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Normally distributed, with a standard deviation of 1: Box and Muller.
    pub(super) fn normal(&mut self) -> f64 {
        let (radius, turn) = (1.0 - self.share(), self.share());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
    }
}

/// Five hours of MiB, by the share of the time that has passed.
fn shape(mib: impl FnMut(f64) -> f64) -> Vec<(Duration, u64)> {
    over(HOURS, POINTS, mib)
}

pub(super) fn over(
    hours: f64,
    points: u32,
    mut mib: impl FnMut(f64) -> f64,
) -> Vec<(Duration, u64)> {
    let point = |index: u32| {
        let share = f64::from(index) / f64::from(points - 1);
        let at = Duration::from_secs_f64(3600.0 * hours * share);
        (at, (mib(share).max(0.0) * MIB) as u64)
    };
    (0..points).map(point).collect()
}

pub(super) fn of(points: &[(Duration, u64)]) -> Option<Trend> {
    trend(points.iter().copied())
}

/// Of a shape that grows: since which share of the time it is told to.
#[track_caller]
fn since(mib: impl FnMut(f64) -> f64) -> f64 {
    let trend = of(&shape(mib)).expect("it grows");
    trend.since.as_secs_f64() / 3600.0 / HOURS
}

#[track_caller]
fn assert_silent(name: &str, mib: impl FnMut(f64) -> f64) {
    assert_eq!(of(&shape(mib)), None, "{name}");
}

#[test]
fn an_even_leak_is_told_with_its_rate_since_its_beginning_and_with_confidence() {
    let trend = of(&shape(|x| 10.0 + 50.0 * x)).unwrap();
    assert!((trend.bytes_per_hour / (10.0 * MIB) - 1.0).abs() < 1e-3, "{trend:?}");
    assert!(trend.since < Duration::from_secs(700), "{trend:?}");
    assert!((trend.grown_bytes as f64 / MIB - 48.0).abs() < 2.0, "{trend:?}");
    assert!(trend.confidence > 0.9999, "{trend:?}");
}

#[test]
fn leaks_of_other_forms_are_told_too() {
    assert!(since(|x| 5.0 + 60.0 * x * x) < 0.1, "ever faster");
    assert!(since(|x| 5.0 + 60.0 * x.sqrt()) < 0.6, "somewhat more slowly");
    since(|x| (4.0 * x).exp());
    // What is freed at intervals, as by a garbage collector, and never all of it.
    since(|x| 10.0 + 60.0 * x + 8.0 * (12.0 * x).fract());
    // Each time a table is doubled that much is added, and that often.
    since(|x| 10.0 + 6.0 * (10.0 * x).floor());
}

#[test]
fn a_leak_that_began_late_is_told_since_then() {
    for begin in [0.3, 0.5, 0.6, 0.75] {
        let mut chance = Chance(7);
        let since = since(|x| 20.0 + 0.2 * chance.normal() + 80.0 * (x - begin).max(0.0));
        assert!((since - begin).abs() < 0.3, "{begin}: {since}");
    }
    // After a cache had filled in the first tenth.
    since(|x| 20.0 * (x / 0.1).min(1.0) + 60.0 * (x - 0.4).max(0.0));
}

#[test]
fn a_slow_leak_in_the_noise_of_requests_is_told() {
    let mut chance = Chance(11);
    let trend = of(&shape(|x| 40.0 + 5.0 * chance.normal() + 50.0 * x)).unwrap();
    assert!((trend.bytes_per_hour / (10.0 * MIB) - 1.0).abs() < 0.2, "{trend:?}");
}

#[test]
fn a_cache_that_has_filled_is_silent_however_fast_it_did() {
    // It has stayed for half as long as it took to fill, or longer.
    for filled in [0.01, 0.1, 0.3, 0.5, 0.6, 0.66] {
        let mut chance = Chance(3);
        assert_silent(&format!("even, until {filled}"), |x| 100.0 * (x / filled).min(1.0));
        assert_silent(&format!("with noise, until {filled}"), |x| {
            100.0 * (x / filled).min(1.0) + 0.5 * chance.normal()
        });
    }
    for constants in [3.0, 4.0, 6.0, 10.0, 50.0, 500.0] {
        assert_silent(&format!("{constants} time constants"), |x| {
            100.0 * (1.0 - (-constants * x).exp())
        });
    }
    for tables in [50.0, 1e3, 1e6] {
        assert_silent(&format!("the logarithm of {tables}"), |x| 10.0 * (1.0 + tables * x).ln());
    }
}

#[test]
fn what_goes_up_and_down_or_down_or_stays_is_silent() {
    let turns = |count: f64, phase: f64| {
        move |x: f64| 50.0 + 30.0 * (std::f64::consts::TAU * (count * x + phase)).sin()
    };
    // From three quarters of a wave on: what has only risen so far could be anything.
    for quarters in 6..80 {
        for phase in 0..8 {
            let (count, phase) = (f64::from(quarters) / 4.0, f64::from(phase) / 8.0);
            assert_silent(&format!("{count} waves from {phase}"), turns(count, phase));
        }
    }
    let mut chance = Chance(5);
    assert_silent("noise", |_| 50.0 + 5.0 * chance.normal());
    assert_silent("spikes", |x| if (x * 59.0).round() % 9.0 == 0.0 { 90.0 } else { 10.0 });
    assert_silent("nothing happens", |_| 50.0);
    assert_silent("it becomes less", |x| 100.0 - 80.0 * x);
    assert_silent("it was freed at last", |x| if x > 0.95 { 10.0 } else { 10.0 + 50.0 * x });
    assert_silent(
        "most of it was freed at last",
        |x| if x == 1.0 { 30.0 } else { 10.0 + 50.0 * x },
    );
}

#[test]
fn steps_are_silent_wherever_they_are() {
    for at in 1..20 {
        let at = f64::from(at) / 20.0;
        let mut chance = Chance(9);
        assert_silent(&format!("one at {at}"), |x| if x < at { 10.0 } else { 60.0 });
        assert_silent(&format!("one with noise at {at}"), |x| {
            chance.normal() + if x < at { 10.0 } else { 60.0 }
        });
    }
    for (first, second) in [(0.2, 0.5), (0.3, 0.8), (0.4, 0.7), (0.55, 0.85)] {
        assert_silent(&format!("two, at {first} and {second}"), |x| {
            10.0 + if x < first { 0.0 } else { 30.0 } + if x < second { 0.0 } else { 30.0 }
        });
    }
}

#[test]
fn too_short_a_time_or_too_few_points_are_silent() {
    let grows = |x: f64| 10.0 + 50.0 * x;
    assert_eq!(of(&over(5.9 / 60.0, 36, grows)), None, "five minutes after the warm-up, or less");
    assert!(of(&over(6.5 / 60.0, 40, grows)).is_some());
    assert_eq!(of(&over(5.0, 13, grows)), None);
    assert!(of(&over(5.0, 14, grows)).is_some());
}

#[test]
fn a_last_point_counts_only_if_it_is_lower() {
    let mut points = shape(|_| 50.0);
    points.last_mut().unwrap().1 = u64::MAX;
    assert_eq!(of(&points), None);
    let mut points = shape(|x| 10.0 + 50.0 * x);
    assert!(of(&points).is_some());
    points.last_mut().unwrap().1 = 0;
    assert_eq!(of(&points), None, "all of it was freed");
}
