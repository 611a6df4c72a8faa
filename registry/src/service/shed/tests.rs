use proptest::prelude::*;

use super::*;

const WATERMARKS: Watermarks = Watermarks { warning: 0.70, critical: 0.80, emergency: 0.95 };

fn signal(level: PressureLevel, usage: f64) -> PressureSignal {
    let signal = PressureSignal::default();
    signal.set_watermarks(WATERMARKS);
    signal.set_usage(usage);
    signal.set(level);
    signal
}

/// Whether each of so many requests in a row is refused.
fn refusals(shedding: &Shedding, signal: &PressureSignal, requests: usize) -> Vec<bool> {
    (0..requests).map(|_| shedding.admit(signal).is_err()).collect()
}

fn refused(refusals: &[bool]) -> usize {
    refusals.iter().filter(|is_refused| **is_refused).count()
}

fn is_about(share: f64, expected: f64) -> bool {
    (share - expected).abs() < 1e-9
}

#[test]
fn the_share_grows_linearly_from_the_watermark_at_which_it_begins_to_that_of_the_emergency() {
    let at = |from, usage| share(from, usage, &WATERMARKS);
    let critical = PressureLevel::Critical;
    for (usage, expected) in
        [(0.0, 0.0), (0.79, 0.0), (0.80, 0.0), (0.85, 1.0 / 3.0), (0.95, 1.0), (7.0, 1.0)]
    {
        assert!(is_about(at(critical, usage), expected), "{usage}: {}", at(critical, usage));
    }
    assert!(is_about(at(PressureLevel::Warning, 0.825), 0.5));
    assert_eq!(at(PressureLevel::Emergency, 0.9499), 0.0);
    assert_eq!(at(PressureLevel::Emergency, 0.95), 1.0);
    assert_eq!(at(critical, f64::NAN), 0.0);
}

#[test]
fn of_a_thousand_requests_at_three_tenths_three_hundred_are_refused_evenly_spread() {
    let shedding = Shedding::default();
    let refusals = refusals(&shedding, &signal(PressureLevel::Critical, 0.845), 1000);
    assert!((299..=301).contains(&refused(&refusals)), "{}", refused(&refusals));
    for ten in refusals.windows(10) {
        assert!((2..=4).contains(&refused(ten)), "{ten:?}");
    }
}

#[test]
fn below_the_level_at_which_it_begins_nothing_is_refused() {
    let (warning, shedding) = (signal(PressureLevel::Warning, 0.79), Shedding::default());
    assert_eq!(refused(&refusals(&shedding, &warning, 100)), 0);
    assert_eq!(refused(&refusals(&shedding, &PressureSignal::default(), 100)), 0);
    let shedding = Shedding::default().from(PressureLevel::Normal);
    assert_eq!(refused(&refusals(&shedding, &signal(PressureLevel::Normal, 0.6), 100)), 0);
    assert!(refused(&refusals(&shedding, &warning, 100)) > 0, "normal is taken for warning");
}

#[test]
fn a_level_that_outlasts_its_usage_refuses_nobody() {
    for shedding in [Shedding::default(), Shedding::at_emergency_only()] {
        let signal = signal(PressureLevel::Emergency, 0.97);
        assert_eq!(refused(&refusals(&shedding, &signal, 100)), 100);
        signal.set_usage(0.6);
        assert_eq!(signal.level(), PressureLevel::Emergency, "still within its dwell");
        assert_eq!(refused(&refusals(&shedding, &signal, 100)), 0);
    }
}

#[test]
fn at_emergency_only_it_is_all_or_nothing() {
    let shedding = Shedding::at_emergency_only();
    let below = signal(PressureLevel::Critical, 0.94);
    assert_eq!(refused(&refusals(&shedding, &below, 100)), 0);
    let at = signal(PressureLevel::Emergency, 0.95);
    assert_eq!(refused(&refusals(&shedding, &at, 100)), 100);
}

#[test]
fn those_who_are_refused_wait_the_longer_the_more_they_are_up_to_four_times() {
    let wait = |shedding: Shedding, usage: f64| {
        let signal = signal(PressureLevel::Emergency, usage);
        let refused = (0..10).find_map(|_| shedding.admit(&signal).err());
        refused.unwrap()
    };
    let ten = || Shedding::default().retry_after(Duration::from_secs(10));
    let (some, all) = (wait(ten(), 0.85), wait(ten(), 0.99));
    assert!((19.9..20.1).contains(&some.retry_after.as_secs_f64()), "{some:?}");
    assert_eq!(all.retry_after, Duration::from_secs(40));
    assert_eq!(all.to_string(), "memory is short (level emergency); try again in 40 s");
    let for_ever = Shedding::default().retry_after(Duration::MAX);
    assert_eq!(wait(for_ever, 0.99).retry_after, Duration::MAX);
}

#[test]
fn the_header_has_whole_seconds_and_at_least_one() {
    let seconds = |millis| {
        let retry_after = Duration::from_millis(millis);
        Refused { retry_after, level: PressureLevel::Critical }.retry_after_seconds()
    };
    assert_eq!([0, 1, 1000, 1001, 4000].map(seconds), [1, 1, 1, 2, 4]);
}

#[test]
fn threads_and_clones_that_ask_at_once_are_refused_their_share_together() {
    let shedding = Shedding::default();
    let signal = signal(PressureLevel::Critical, 0.845);
    let refused: usize = std::thread::scope(|threads| {
        let ask = |_| {
            let (shedding, signal) = (shedding.clone(), &signal);
            threads.spawn(move || refused(&refusals(&shedding, signal, 1000)))
        };
        let asking: Vec<_> = (0..4).map(ask).collect();
        asking.into_iter().map(|asks| asks.join().unwrap()).sum()
    });
    assert!((1199..=1201).contains(&refused), "{refused}");
}

proptest! {
    #[test]
    fn the_share_never_falls_as_usage_grows_and_is_between_nothing_and_all(
        from in prop::sample::select(PressureLevel::ABOVE_NORMAL.to_vec()),
        usage in 0.0f64..2.0,
        more in 0.0f64..1.0,
        marks in [0.001f64..1.0, 0.001f64..1.0, 0.001f64..1.0],
    ) {
        let mut marks = marks;
        marks.sort_by(f64::total_cmp);
        let [warning, critical, emergency] = marks;
        let watermarks = Watermarks { warning, critical, emergency };
        let low = share(from, usage, &watermarks);
        let high = share(from, usage + more, &watermarks);
        prop_assert!((0.0..=1.0).contains(&low) && low <= high && high <= 1.0);
        prop_assert!(usage >= watermarks.of(from) || low == 0.0);
        prop_assert!(usage < emergency || low == 1.0);
    }

    #[test]
    fn of_any_number_in_a_row_as_many_are_refused_as_the_share_says_give_or_take_one(
        share in 0.0f64..=1.0, before in any::<u32>(), requests in 1usize..5000,
    ) {
        let shedding = Shedding { remainder: Arc::new(before.into()), ..Shedding::default() };
        let refused = (0..requests).filter(|_| shedding.is_refused(share)).count();
        let expected = share * requests as f64;
        prop_assert!((refused as f64 - expected).abs() <= 1.0, "{refused} of {expected}");
    }
}
