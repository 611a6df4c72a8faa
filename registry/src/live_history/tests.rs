//! What is kept of tags and sites, and what is not.

use bursar_alloc::thread_usage;
use proptest::prelude::*;

use super::series::POINTS;
use super::site::ADDRESSES;
use super::*;
use crate::bursar::BURSAR;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn tag(index: u64, live_bytes: u64) -> TagReading {
    TagReading { name: format!("tag-{index:060}").into(), live_bytes }
}

fn site(key: u64, live_bytes: u64) -> SiteReading {
    let tag = format!("tag-{key:060}").into();
    SiteReading { key, tag, stack: (0..127).collect(), samples: 1, live_bytes }
}

fn add_tags(history: &mut LiveHistory, at: u64, tags: Vec<TagReading>) {
    history.add(seconds(at), tags, Vec::new());
}

/// The bytes of one tag's points.
fn bytes(history: &LiveHistory, of: &TagReading) -> Option<Vec<u64>> {
    let series = history.tags().iter().find(|series| series.tag() == of.name)?;
    Some(series.points().map(|point| point.live_bytes).collect())
}

#[test]
fn a_series_spans_the_whole_run_and_keeps_the_floor_of_what_goes_up_and_down() {
    let mut history = LiveHistory::default();
    for reading in 0..10_000 {
        let of_requests = if reading % 7 == 3 { 0 } else { 500_000 };
        add_tags(&mut history, 10 * reading, vec![tag(1, 1000 + reading + of_requests)]);
    }
    let points: Vec<_> = history.tags()[0].points().collect();
    assert!((POINTS / 2..=POINTS).contains(&points.len()), "{}", points.len());
    let (first, last) = (points[0], points[points.len() - 1]);
    assert!(first.at < seconds(100) && last.at > seconds(95_000), "{first:?} {last:?}");
    // All but the last, which may have just begun.
    assert!(points[..points.len() - 1].iter().all(|point| point.live_bytes < 20_000));
    assert!(points.is_sorted_by(|a, b| a.at < b.at));
}

#[test]
fn of_more_tags_than_are_kept_the_largest_are_and_one_of_about_the_same_size_takes_no_place() {
    let mut history = LiveHistory::default();
    let many = || (0..240).map(|index| tag(index, 1000 + index)).collect::<Vec<_>>();
    add_tags(&mut history, 0, many());
    assert_eq!(history.tags().len(), SERIES);
    assert!(bytes(&history, &tag(239, 0)).is_some() && bytes(&history, &tag(175, 0)).is_none());

    let mut next = many();
    next[0].live_bytes = 2000;
    add_tags(&mut history, 10, next.clone());
    assert!(bytes(&history, &next[0]).is_none(), "it is larger than all others, but hardly");
    next[0].live_bytes = 2 * 1176;
    add_tags(&mut history, 20, next.clone());
    assert_eq!(bytes(&history, &next[0]), Some(vec![2352]));
    assert_eq!(history.tags().len(), SERIES);
    assert!(bytes(&history, &tag(176, 0)).is_none(), "the smallest made room");
    assert_eq!(bytes(&history, &tag(177, 0)).map(|bytes| bytes.len()), Some(3));
}

#[test]
fn what_is_gone_holds_nothing_and_is_dropped_after_a_while() {
    let mut history = LiveHistory::default();
    add_tags(&mut history, 0, vec![tag(1, 5), tag(2, 7), tag(3, 0)]);
    assert_eq!(history.tags().len(), 2, "one that holds nothing is not begun with");
    add_tags(&mut history, 10, vec![tag(2, 8)]);
    assert_eq!(bytes(&history, &tag(1, 0)), Some(vec![5, 0]));
    add_tags(&mut history, 590, vec![tag(1, 6), tag(2, 8)]);
    assert_eq!(bytes(&history, &tag(1, 0)), Some(vec![5, 0, 6]), "it is back in time");
    add_tags(&mut history, 1190, vec![tag(1, 0), tag(2, 8)]);
    assert_eq!(bytes(&history, &tag(1, 0)), None);
    assert_eq!(bytes(&history, &tag(2, 0)), Some(vec![7, 8, 8, 8]));
}

#[test]
fn a_clock_that_goes_back_or_to_its_end_leaves_points_in_order() {
    let mut history = LiveHistory::default();
    for at in [100, 200, 50, u64::MAX, 0, u64::MAX] {
        history.add(seconds(at), vec![tag(1, at)], vec![site(1, at)]);
    }
    let points: Vec<LivePoint> = history.tags()[0].points().collect();
    assert_eq!(points, history.sites()[0].points().collect::<Vec<_>>());
    assert!(points.is_sorted_by(|a, b| a.at < b.at), "{points:?}");
    let bytes: Vec<u64> = points.iter().map(|point| point.live_bytes).collect();
    assert_eq!(bytes, [100, 50, 0], "the lowest of those in one place");
}

/// The bound that the documentation states.
const MOST_BYTES: u64 = 200 << 10;

#[test]
fn filled_to_its_bounds_it_grows_no_more_and_keeps_to_what_is_stated() {
    let held = || {
        let usage = thread_usage(&BURSAR).expect("the accounting allocator");
        usage.allocated_bytes - usage.freed_bytes
    };
    let _tag = BURSAR.enter();
    let before = held();
    let mut history = LiveHistory::default();
    let mut fill = |readings: std::ops::Range<u64>| {
        for reading in readings {
            // Some are new now and then.
            let from = reading / 8;
            let tags = (from..from + 240).map(|index| tag(index, index * index)).collect();
            let sites = (from..from + 500).map(|index| site(index, index * index)).collect();
            history.add(seconds(10 * reading), tags, sites);
        }
        held() - before
    };
    let filled = fill(0..300);
    println!("{filled} bytes");
    assert!(filled <= MOST_BYTES, "{filled} bytes");
    assert!(filled >= MOST_BYTES / 2, "{filled} bytes: the stated bound is far off");
    assert!(fill(300..600) <= MOST_BYTES);
    assert_eq!(history.sites()[0].stack().len(), ADDRESSES);
}

proptest! {
    #[test]
    fn any_readings_leave_few_series_of_few_points_in_order(
        readings in proptest::collection::vec((any::<u64>(), 0u64..200, any::<u64>()), 1..200),
    ) {
        let mut history = LiveHistory::default();
        for (at, index, bytes) in readings {
            let tags = (index..index + 20).map(|index| tag(index % 200, bytes)).collect();
            let sites = (index..index + 20).map(|index| site(index % 200, bytes)).collect();
            history.add(Duration::from_millis(at), tags, sites);
        }
        prop_assert!(history.tags().len() <= SERIES && history.sites().len() <= SERIES);
        for series in history.tags() {
            prop_assert!(series.points().len() <= POINTS);
            prop_assert!(series.points().is_sorted_by(|a, b| a.at < b.at));
        }
    }
}

#[cfg(feature = "serde")]
mod json {
    use super::*;

    #[test]
    fn series_go_to_json_and_back() {
        let mut history = LiveHistory::default();
        for reading in 0..100 {
            let tags = vec![tag(1, 100 + reading), tag(2, u64::MAX)];
            history.add(seconds(10 * reading), tags, vec![site(u64::MAX, 1 + reading)]);
        }
        let json = serde_json::to_string(&history).unwrap();
        assert!(json.contains("\"points\":[[0,100],[20000,102],"), "{json}");
        assert_eq!(serde_json::from_str::<LiveHistory>(&json).unwrap(), history);
        assert!(json.len() < 10_000, "{} bytes", json.len());
    }

    #[test]
    fn what_was_made_up_is_cut_to_what_a_history_keeps() {
        let points: Vec<[u64; 2]> = (0..500).map(|index| [index % 7, u64::MAX]).collect();
        let one = serde_json::json!({
            "key": 1, "tag": "\u{e9}".repeat(100), "stack": vec![u64::MAX; 500],
            "points": points, "spacing_ms": 0, "held_at_ms": u64::MAX, "more": {"than": "this"},
        });
        let json = serde_json::json!({ "tags": vec![one.clone(); 300], "sites": vec![one; 300] });
        let mut history: LiveHistory = serde_json::from_value(json).unwrap();
        assert_eq!((history.tags().len(), history.sites().len()), (SERIES, SERIES));
        let one = &history.sites()[0];
        assert_eq!((one.stack().len(), one.tag().len()), (ADDRESSES, 64));
        let points: Vec<_> = one.points().collect();
        assert!(points.len() <= POINTS && points.is_sorted_by(|a, b| a.at < b.at), "{points:?}");
        history.add(seconds(1), vec![tag(1, 1)], vec![site(5, 5)]);
    }

    #[test]
    fn the_history_of_a_version_without_series_is_read() {
        let history: LiveHistory = serde_json::from_str("{}").unwrap();
        assert_eq!(history, LiveHistory::default());
    }
}
