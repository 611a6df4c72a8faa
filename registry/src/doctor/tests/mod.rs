//! Each finding as a story: a healthy service, and one thing that goes wrong with it.

mod container;
mod hostile;
mod isolation;
mod leaks;
mod memory;
mod purgeables;
mod running;

use std::time::Duration;

use bursar_alloc::TagUsage;

use super::*;
use crate::budget::Budget;
use crate::history::History;
use crate::pressure::{Diagnosis, Finding, PressureLevel, Sample};
use crate::registry::Registry;
use crate::source::{LimitAnswer, LimitCandidate, LimitReport, LimitSource};
use crate::stats::{PurgeableStats, Stats};
use crate::status::Shared;
use crate::testing::MIB;

const BUDGET: u64 = 100 * MIB;
const LIMIT: u64 = 128 * MIB;
const UPTIME: Duration = Duration::from_secs(3600);

/// A service of 40 MiB in a container of 128: a cache of 30 that is hit, and 10 of its own.
fn healthy() -> Stats {
    let registry = Registry::default();
    let shared = Shared::default();
    let budget = Budget::new(BUDGET).unwrap();
    let mut stats = Stats::read(&budget, &registry, &shared, UPTIME);
    let place = "memory.max".to_owned();
    stats.limits =
        limits(vec![(LimitSource::Cgroup, LimitAnswer::Limited { bytes: LIMIT, place })]);
    stats.usage_ratio = 0.4;
    (stats.live_bytes, stats.peak_bytes, stats.charged_bytes) = (40 * MIB, 45 * MIB, 0);
    stats.sample = Sample {
        live_bytes: 40 * MIB,
        active_bytes: Some(44 * MIB),
        dirty_bytes: Some(2 * MIB),
        resident_bytes: Some(52 * MIB),
        working_set_bytes: Some(50 * MIB),
        limit_bytes: Some(LIMIT),
        ..Sample::default()
    };
    stats.tags = vec![tag("pages", 30), tag("untagged", 10)];
    stats.purgeables = vec![purgeable("pages", 30)];
    stats
}

fn limits(candidates: Vec<(LimitSource, LimitAnswer)>) -> LimitReport {
    let candidate = |(source, answer)| LimitCandidate { source, answer };
    LimitReport::decide(candidates.into_iter().map(candidate).collect())
}

fn tag(name: &'static str, mib: u64) -> TagUsage {
    let mut tag = bursar_alloc::usage().tags.swap_remove(0);
    (tag.name, tag.parent, tag.budget_bytes) = (name.into(), None, None);
    (tag.live_bytes, tag.subtree_live_bytes, tag.peak_bytes) = (mib * MIB, mib * MIB, mib * MIB);
    (tag.charged_bytes, tag.subtree_charged_bytes) = (0, 0);
    (tag.live_blocks, tag.allocated_bytes_total) = (100, 1000 * MIB);
    tag
}

fn purgeable(name: &str, mib: u64) -> PurgeableStats {
    PurgeableStats {
        name: name.to_owned(),
        tag: Some(name.to_owned()),
        stage: crate::ladder::Stage::Trim,
        priority: 0,
        rebuild_cost: crate::purge::RebuildCost::Medium,
        max_bytes: None,
        max_entries: None,
        purgeable_bytes: mib * MIB,
        entries: Some(1000),
        hits_total: Some(90_000),
        misses_total: Some(10_000),
        purges_total: 20,
        busy_total: 1,
        panics_total: 0,
        claimed_bytes_total: 55 * MIB,
        freed_bytes_total: 50 * MIB,
        cooldown: None,
    }
}

/// A history of readings a second apart.
fn history(seconds: u64, reading: impl Fn(u64) -> (Sample, f64, PressureLevel)) -> History {
    let mut history = History::default();
    for second in 0..seconds {
        let (sample, usage, level) = reading(second);
        let finding = Finding { usage, diagnosis: Diagnosis::Live };
        history.add_reading(Duration::from_secs(second), sample, finding, level);
    }
    history
}

fn with(change: impl FnOnce(&mut Stats)) -> Stats {
    let mut stats = healthy();
    change(&mut stats);
    stats
}

/// The same statistics some time before, when the cache had been hit less often.
fn before(ago: Duration, stats: Stats) -> Stats {
    let mut stats = Stats { uptime: UPTIME - ago, ..stats };
    for purgeable in &mut stats.purgeables {
        purgeable.hits_total = purgeable.hits_total.map(|hits| hits.saturating_sub(5000));
    }
    stats
}

/// What is found in one reading.
fn found_in(stats: Stats) -> Vec<Advice> {
    examine(&Checkup::new(stats))
}

fn codes(advice: &[Advice]) -> Vec<AdviceCode> {
    advice.iter().map(|advice| advice.code).collect()
}

/// The one thing that is found.
#[track_caller]
fn only(advice: Vec<Advice>) -> Advice {
    let [only] = &advice[..] else { panic!("one finding: {advice:#?}") };
    only.clone()
}

/// The one thing that is found, by kind and severity, and what it says.
#[track_caller]
fn assert_only(advice: Vec<Advice>, code: AdviceCode, severity: Severity, says: &[&str]) {
    let advice = only(advice);
    assert_eq!((advice.code, advice.severity), (code, severity), "{advice}");
    let text = advice.to_string();
    for said in says {
        assert!(text.contains(said), "{said:?} in {text}");
    }
    assert!(!advice.figures.is_empty() && !advice.remedy.is_empty(), "{text}");
}

#[test]
fn in_a_healthy_service_nothing_is_found() {
    assert_eq!(found_in(healthy()), []);
    let earlier = before(Duration::from_secs(60), healthy());
    let calm = history(600, |_| (healthy().sample, 0.4, PressureLevel::Normal));
    let checkup = Checkup::new(healthy()).with_earlier(earlier).with_history(calm);
    assert_eq!(examine(&checkup.with_usage(bursar_alloc::usage())), []);
}

#[test]
fn the_gravest_comes_first_and_of_one_severity_the_largest() {
    let stats = with(|stats| {
        stats.bounds_unused = vec!["x".to_owned()];
        stats.sample.container_swap_bytes = Some(10 * MIB);
        stats.last_report_error = Some("read-only file system".to_owned());
        stats.stall = Some(crate::status::Stall { name: "pages".to_owned(), running_for: UPTIME });
    });
    use AdviceCode::{BoundsUnused, LastReportFailed, Stalled, Swapping};
    assert_eq!(codes(&found_in(stats)), [Stalled, Swapping, LastReportFailed, BoundsUnused]);
}

#[test]
fn of_one_kind_the_largest_five_are_told_and_how_many_more_there_are() {
    let stats = with(|stats| {
        let useless = |mib: u64| PurgeableStats {
            hits_total: Some(0),
            ..purgeable(&format!("cache-{mib}"), mib)
        };
        stats.purgeables = (2..10).map(useless).collect();
    });
    let advice = found_in(stats);
    assert_eq!(codes(&advice), [AdviceCode::NeverHit; 5]);
    assert!(advice[0].title.contains("`cache-9`"), "{}", advice[0]);
    assert!(advice[4].to_string().contains("and others like it 3"), "{}", advice[4]);
}

#[test]
fn it_reads_well() {
    let stats = with(|stats| stats.purgeables[0].hits_total = Some(12));
    let text = only(found_in(stats)).to_string();
    assert_eq!(
        text,
        "warning: `pages` hardly ever has what it is asked for [never_hit]\n  \
         asked 10012, had it 12, hit ratio 0.1 %, holds 30.0 MiB\n  \
         See whether its keys ever come again (a time or an id in them?), and whether it is \
         large enough for those that do; if not, leave it out or bound it by `max_bytes`"
    );
}

#[cfg(feature = "serde")]
#[test]
fn advice_goes_to_json_and_back() {
    let stats = with(|stats| stats.purgeables[0].panics_total = 3);
    let advice = found_in(stats);
    let json = serde_json::to_string(&advice).unwrap();
    assert!(json.contains("\"severity\":\"warning\",\"code\":\"panics\""), "{json}");
    assert!(json.contains("{\"name\":\"panics\",\"value\":\"3\"}"), "{json}");
    assert_eq!(serde_json::from_str::<Vec<Advice>>(&json).unwrap(), advice);
}
