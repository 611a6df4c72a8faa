//! Tags and places in the code that grow over the run, and those that do not.

use std::collections::HashMap;

use super::*;
use crate::live_history::{SiteReading, TagReading};

const HOUR: u64 = UPTIME.as_secs();

/// An hour in which a tag and a site of it held so many MiB, by the share of the time.
fn hour(name: &'static str, of_tag: impl Fn(f64) -> f64, of_site: impl Fn(f64) -> f64) -> History {
    let mut history = History::default();
    let bytes = |mib: f64| (mib * MIB as f64) as u64;
    for at in (0..=HOUR).step_by(10) {
        let x = at as f64 / HOUR as f64;
        let tag = TagReading { name: name.into(), live_bytes: bytes(of_tag(x)) };
        let live_bytes = bytes(of_site(x));
        // One in half a MiB.
        let samples = live_bytes / (MIB / 2);
        let stack = vec![0x1234, 0x5678];
        let site = SiteReading { key: 7, tag: name.into(), stack, samples, live_bytes };
        history.add_live_bytes(Duration::from_secs(at), vec![tag], vec![site]);
    }
    history
}

fn none(_: f64) -> f64 {
    0.0
}

/// A healthy service with one more tag that holds so much.
fn with_tag(name: &'static str, mib: u64) -> Stats {
    with(|stats| stats.tags.push(tag(name, mib)))
}

fn examined(stats: Stats, history: History) -> Vec<Advice> {
    examine(&Checkup::new(stats).with_history(history))
}

#[test]
fn a_tag_that_grows_without_a_stop_is_told_with_its_rate_confidence_and_when_the_budget_is_reached()
{
    let history = hour("sessions", |x| 1.0 + 6.0 * x, none);
    let says = [
        "`sessions` has grown for 58m 40s without a stop",
        "grew by 5.",
        "an hour 6.0 MiB",
        "confidence more than 99.9 %",
        "budget reached in 9h 20m",
        "live 7.0 MiB",
        "feature `profile`",
    ];
    let advice = examined(with_tag("sessions", 7), history.clone());
    assert_only(advice, AdviceCode::LeakingTag, Severity::Warning, &says);

    let tight = Stats { soft_limit_bytes: 45 * MIB, ..with_tag("sessions", 7) };
    let advice = examined(tight, history.clone());
    let leak = advice.iter().find(|advice| advice.code == AdviceCode::LeakingTag).unwrap();
    assert!(leak.to_string().contains("budget reached in 10m"), "{leak}");
    let full = Stats { soft_limit_bytes: 40 * MIB, ..with_tag("sessions", 7) };
    let advice = examined(full, history.clone());
    let leak = advice.iter().find(|advice| advice.code == AdviceCode::LeakingTag).unwrap();
    assert_eq!(leak.severity, Severity::Critical, "{leak}");
    assert!(leak.to_string().contains("in no time: it is reached"), "{leak}");

    let mut vast = with_tag("sessions", 7);
    (vast.soft_limit_bytes, vast.sample.limit_bytes) = (350 * MIB, None);
    vast.sample.working_set_bytes = None;
    let advice = examined(vast, history);
    let leak = advice.iter().find(|advice| advice.code == AdviceCode::LeakingTag).unwrap();
    assert!(leak.to_string().contains("budget reached in 2days"), "{leak}");
}

#[test]
fn a_budget_that_is_reached_in_days_is_told_by_days_and_one_in_years_as_far_off() {
    // 1 MiB in the time, and a budget that is reached after 50 times as long.
    let told = |hours: u64| {
        let mut history = History::default();
        for tenth in 0..=600 {
            let at = Duration::from_secs(hours * 6 * tenth);
            let tag = TagReading { name: "pages".into(), live_bytes: MIB + MIB * tenth / 600 };
            history.add_live_bytes(at, vec![tag], Vec::new());
        }
        let mut stats = healthy();
        (stats.uptime, stats.soft_limit_bytes) = (Duration::from_secs(3600 * hours), 52 * MIB);
        (stats.live_bytes, stats.sample) = (2 * MIB, Sample::default());
        stats.tags = vec![tag("pages", 2)];
        stats.purgeables.clear();
        let advice = examined(stats, history);
        let leak = advice.iter().find(|advice| advice.code == AdviceCode::LeakingTag);
        leak.expect("it leaks").to_string()
    };
    assert!(told(1).contains("budget reached in 2days 2h"), "{}", told(1));
    assert!(told(10).contains("budget reached in 20 days"), "{}", told(10));
    assert!(told(240).contains("budget reached in more than a year"), "{}", told(240));
}

#[test]
fn what_is_freed_at_intervals_and_never_all_of_it_is_told_by_its_floor() {
    // What is kept to be freed is more at once than what leaks in an hour.
    let sawtooth = |x: f64| 1.0 + 8.0 * x + 14.0 * (x * HOUR as f64 / 70.0).fract();
    let leak = only(examined(with_tag("sessions", 20), hour("sessions", sawtooth, none)));
    assert_eq!(leak.code, AdviceCode::LeakingTag);
    let no_leak = |x: f64| sawtooth(x) - 8.0 * x;
    assert_eq!(examined(with_tag("sessions", 12), hour("sessions", no_leak, none)), []);
}

#[test]
fn of_bytes_without_a_tag_it_is_said_how_they_get_one() {
    let history = hour("untagged", |x| 4.0 + 6.0 * x, none);
    let leak = only(examined(healthy(), history));
    assert!(leak.title.contains("`untagged`") && leak.remedy.contains("enter a `Tag`"), "{leak}");
}

#[test]
fn growth_is_not_told_of_what_has_filled_can_be_had_back_is_small_gone_or_of_another_run() {
    let filled = |x: f64| 10.0 * (4.0 * x).min(1.0);
    assert_eq!(examined(with_tag("buffers", 10), hour("buffers", filled, filled)), []);

    let grows = |x: f64| 1.0 + 6.0 * x;
    let mut cache = with_tag("sessions", 7);
    cache.purgeables.push(purgeable("sessions", 6));
    assert_eq!(examined(cache, hour("sessions", grows, grows)), [], "it can be had back");

    let little = |x: f64| 1.0 + 1.2 * x;
    assert_eq!(examined(with_tag("sessions", 2), hour("sessions", little, little)), []);
    assert_eq!(examined(healthy(), hour("sessions", grows, none)), [], "there is no such tag");
    assert_eq!(
        examined(with_tag("sessions", 1), hour("sessions", grows, none)),
        [],
        "it was freed"
    );
    let young = Stats { uptime: UPTIME / 2, ..with_tag("sessions", 7) };
    assert_eq!(examined(young, hour("sessions", grows, grows)), [], "it is of another run");
}

#[test]
fn a_tag_is_told_once_by_what_has_been_seen_of_it_for_longest() {
    let mut before = with_tag("sessions", 1);
    before.uptime -= Duration::from_secs(60);
    let mut stats = with_tag("sessions", 7);
    stats.tags.last_mut().unwrap().allocated_bytes_total += 6 * MIB;
    let two_readings = Checkup::new(stats).with_earlier(before);
    assert_eq!(codes(&examine(&two_readings)), [AdviceCode::GrowingTag]);
    let with_history = two_readings.with_history(hour("sessions", |x| 1.0 + 6.0 * x, none));
    assert_eq!(codes(&examine(&with_history)), [AdviceCode::LeakingTag]);
}

/// What is told of a site alone: its tag as a whole goes up and down.
fn site_in_a_lively_tag(checkup: impl FnOnce(Checkup) -> Checkup) -> Advice {
    let lively = |x: f64| 30.0 + 20.0 * (40.0 * x).sin();
    let history = hour("sessions", lively, |x| 5.0 + 30.0 * x);
    only(examine(&checkup(Checkup::new(with_tag("sessions", 45)).with_history(history))))
}

#[test]
fn a_place_in_the_code_that_grows_is_told_with_its_tag_and_stack() {
    let by_address = site_in_a_lively_tag(|checkup| checkup);
    assert_eq!(
        (by_address.code, by_address.severity),
        (AdviceCode::LeakingSite, Severity::Warning)
    );
    let text = by_address.to_string();
    let says = [
        "what one place in the code allocates under `sessions` has grown for 58m 40s",
        "an hour 30.0 MiB",
        "samples 70",
        "allocated by 0x1234 < 0x5678",
        "`bursar profile` names the functions",
    ];
    for said in says {
        assert!(text.contains(said), "{said:?} in {text}");
    }

    let names = ["alloc::vec::Vec<T>::push", "shop::login", "shop::main"];
    let stacks = HashMap::from([(7, names.map(str::to_owned).to_vec())]);
    let by_name = site_in_a_lively_tag(|checkup| checkup.with_stacks(stacks)).to_string();
    let says = [
        "what `shop::login` allocates under `sessions` has grown",
        "allocated by shop::login < shop::main",
    ];
    for said in says {
        assert!(by_name.contains(said), "{said:?} in {by_name}");
    }
    assert!(!by_name.contains("0x1234") && !by_name.contains("bursar profile"), "{by_name}");
}

#[test]
fn of_few_samples_growth_has_to_be_beyond_what_they_are_off_by() {
    let grows = |x: f64| 8.0 + 4.0 * x;
    let with_samples = |samples_of: fn(u64) -> u64| {
        let mut history = History::default();
        for at in (0..=HOUR).step_by(10) {
            let live_bytes = (grows(at as f64 / HOUR as f64) * MIB as f64) as u64;
            let (tag, stack) = ("sessions".into(), vec![1]);
            let site =
                SiteReading { key: 1, tag, stack, samples: samples_of(live_bytes), live_bytes };
            history.add_live_bytes(Duration::from_secs(at), Vec::new(), vec![site]);
        }
        codes(&examined(with_tag("sessions", 12), history))
    };
    // One of 6 is off by 5 MiB, one of 1536 by 0.3.
    assert_eq!(with_samples(|bytes| bytes / (2 * MIB)), []);
    assert_eq!(with_samples(|bytes| bytes / (8 << 10)), [AdviceCode::LeakingSite]);
    assert_eq!(with_samples(|_| 0), []);
}

#[test]
fn a_tag_and_the_place_that_grows_in_it_are_told_by_one_finding_each() {
    let grows = |x: f64| 1.0 + 20.0 * x;
    let advice = examined(with_tag("sessions", 21), hour("sessions", grows, grows));
    assert_eq!(codes(&advice), [AdviceCode::LeakingTag, AdviceCode::LeakingSite]);
}
