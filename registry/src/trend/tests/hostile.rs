//! Figures that no clock and no counter could have made.

use proptest::prelude::*;

use super::*;

fn figure() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX / 2), Just(u64::MAX), any::<u64>()]
}

proptest! {
    #[test]
    fn any_figures_in_any_order_are_judged_and_what_is_told_is_a_number(
        points in proptest::collection::vec((figure(), figure()), 0..100),
    ) {
        let points: Vec<_> =
            points.iter().map(|&(at, bytes)| (Duration::from_millis(at), bytes)).collect();
        if let Some(trend) = of(&points) {
            prop_assert!(trend.bytes_per_hour.is_finite() && trend.bytes_per_hour > 0.0);
            prop_assert!((0.99..=1.0).contains(&trend.confidence));
            prop_assert!(trend.since < trend.until);
        }
    }

    #[test]
    fn what_never_rises_is_never_told(
        mut points in proptest::collection::vec((0u64..1 << 40, figure()), 0..100),
    ) {
        points.sort_by_key(|point| point.0);
        let mut lowest = u64::MAX;
        let falling = points.iter().map(|&(at, bytes)| {
            lowest = lowest.min(bytes);
            (Duration::from_millis(at), lowest)
        });
        let falling: Vec<_> = falling.collect();
        prop_assert_eq!(of(&falling), None);
    }

    #[test]
    fn times_and_bytes_in_other_units_change_nothing_but_the_units(
        bytes in proptest::collection::vec(0u32..1 << 20, 14..60),
        rise in 0u32..1 << 20,
    ) {
        let series = |minutes: u64, unit: u64| -> Vec<_> {
            let point = |(index, &bytes): (u64, &u32)| {
                let bytes = u64::from(bytes) + index * u64::from(rise);
                (Duration::from_secs(60 * minutes * index), unit * bytes)
            };
            (0..).zip(&bytes).map(point).collect()
        };
        // Of both, the first point alone is within the warm-up.
        let (short, long) = (of(&series(2, 1)), of(&series(30, 1 << 10)));
        prop_assert_eq!(short.is_some(), long.is_some());
        if let (Some(short), Some(long)) = (short, long) {
            prop_assert_eq!(short.confidence, long.confidence);
            let times = long.bytes_per_hour / short.bytes_per_hour;
            prop_assert!((times / (1024.0 / 15.0) - 1.0).abs() < 1e-6, "{}", times);
        }
    }
}

#[test]
fn nothing_is_made_of_nothing_and_of_a_clock_that_stands_still_or_goes_back() {
    assert_eq!(of(&[]), None);
    let minute = Duration::from_secs(60);
    let still: Vec<_> = (0..60).map(|bytes| (minute, bytes << 20)).collect();
    assert_eq!(of(&still), None);
    let back: Vec<_> =
        (0..60).map(|index: u32| (minute * (60 - index), u64::from(index) << 20)).collect();
    assert_eq!(of(&back), None);
}

#[test]
fn a_clock_that_began_anew_leaves_what_came_before_it() {
    let leak = |x: f64| 10.0 + 50.0 * x;
    let mut points = over(5.0, 40, leak);
    points.extend(over(1.0, 20, |_| 0.0));
    let alone = of(&points[..40]).unwrap();
    let both = of(&points).unwrap();
    assert_eq!(both.since, alone.since);
}
