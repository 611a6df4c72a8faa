//! Pages and tags.

use super::*;
use crate::stats::HeapSampling;

/// A history of so many seconds, always with the sample that the statistics have.
fn always(stats: &Stats, seconds: u64) -> History {
    let sample = stats.sample;
    history(seconds, |_| (sample, 0.4, PressureLevel::Normal))
}

#[track_caller]
fn assert_warns_once_it_lasts(stats: &Stats, code: AdviceCode, says: &[&str]) {
    assert_only(found_in(stats.clone()), code, Severity::Notice, says);
    let over = |history| examine(&Checkup::new(stats.clone()).with_history(history));
    assert_only(over(always(stats, 200)), code, Severity::Notice, says);
    assert_only(over(always(stats, 400)), code, Severity::Warning, says);
    let calm = healthy().sample;
    let sample = stats.sample;
    let wave = history(400, |second| {
        (if second == 350 { calm } else { sample }, 0.4, PressureLevel::Normal)
    });
    assert_only(over(wave), code, Severity::Notice, says);
    let earlier = before(UPTIME / 2, stats.clone());
    let two_readings = examine(&Checkup::new(stats.clone()).with_earlier(earlier));
    assert_only(two_readings, code, Severity::Warning, says);
}

#[test]
fn gaps_in_pages_are_a_notice_and_a_warning_once_they_last() {
    let stats = with(|stats| {
        stats.sample.active_bytes = Some(64 * MIB);
        stats.sample.working_set_bytes = Some(70 * MIB);
    });
    let says = ["live 40.0 MiB", "in pages of 64.0 MiB", "gaps 24.0 MiB", "37.5 %"];
    assert_warns_once_it_lasts(&stats, AdviceCode::Fragmentation, &says);
    let little = with(|stats| {
        (stats.sample.live_bytes, stats.sample.active_bytes) = (4 * MIB, Some(8 * MIB));
        stats.sample.working_set_bytes = Some(20 * MIB);
    });
    assert_eq!(found_in(little), [], "of a small heap it is no loss");
}

#[test]
fn freed_pages_that_are_kept_are_a_notice_and_a_warning_once_they_last() {
    let stats = with(|stats| {
        stats.sample.dirty_bytes = Some(20 * MIB);
        stats.sample.resident_bytes = Some(70 * MIB);
        stats.sample.working_set_bytes = Some(70 * MIB);
    });
    let says = ["dirty 20.0 MiB", "resident 70.0 MiB", "28.6 %", "Bursar::collect"];
    assert_warns_once_it_lasts(&stats, AdviceCode::DirtyPages, &says);
    let pressing =
        Stats { level: PressureLevel::Warning, diagnosis: Some(Diagnosis::Dirty), ..stats };
    assert_only(found_in(pressing), AdviceCode::DirtyPages, Severity::Warning, &says);
}

/// A minute in which the tag `sessions` grew, out of so much that it allocated.
fn grew(grown_mib: u64, allocated_mib: u64) -> (Stats, Stats) {
    let with_tag = |tag: TagUsage| with(|stats| stats.tags.push(tag));
    let before = tag("sessions", 1);
    let mut after = tag("sessions", 1 + grown_mib);
    after.allocated_bytes_total += allocated_mib * MIB;
    let earlier = Stats { uptime: UPTIME - Duration::from_secs(60), ..with_tag(before) };
    (earlier, with_tag(after))
}

fn examined(earlier: Stats, stats: Stats) -> Vec<Advice> {
    examine(&Checkup::new(stats).with_earlier(earlier))
}

#[test]
fn a_tag_that_only_grows_is_told_with_its_rate_and_when_the_budget_is_reached() {
    let (earlier, stats) = grew(6, 6);
    let says = ["`sessions`", "grew by 6.0 MiB", "a minute 6.0 MiB", "freed meanwhile 0 B"];
    let advice = examined(earlier, stats);
    assert_only(advice.clone(), AdviceCode::GrowingTag, Severity::Critical, &says);
    // 56 MiB to the budget, at a tenth of one a second.
    assert!(advice[0].to_string().contains("budget reached in 9m 20s"), "{}", advice[0]);

    let (earlier, mut stats) = grew(6, 6);
    stats.soft_limit_bytes = 40 * MIB;
    let over = examined(earlier, stats);
    let over = over.iter().find(|advice| advice.code == AdviceCode::GrowingTag).unwrap();
    assert!(over.to_string().contains("budget reached in no time: it is reached"), "{over}");

    let (earlier, stats) = grew(6, 600);
    assert_eq!(examined(earlier, stats), [], "it frees most of what it allocates");
    let (earlier, stats) = grew(1, 1);
    assert_eq!(examined(earlier, stats), [], "it is hardly anything");
}

#[test]
fn growth_is_not_told_of_a_cache_nor_over_seconds_nor_of_a_start_nor_from_another_run() {
    let (earlier, mut stats) = grew(6, 6);
    stats.purgeables.push(purgeable("sessions", 7));
    assert_eq!(examined(earlier.clone(), stats.clone()), [], "it can be had back");

    let mut untagged = [&earlier, &stats].map(|stats| stats.clone());
    for (stats, mib) in untagged.iter_mut().zip([10, 16]) {
        stats.tags = vec![tag("untagged", mib)];
        stats.tags[0].allocated_bytes_total = 1000 * MIB + mib * MIB;
        stats.purgeables.push(PurgeableStats { tag: None, ..purgeable("drafts", mib) });
    }
    let [before, after] = untagged;
    assert_eq!(examined(before, after), [], "it has no tag");

    let (_, stats) = grew(6, 6);
    let moment = Stats { uptime: UPTIME - Duration::from_secs(5), ..earlier.clone() };
    assert_eq!(examined(moment, stats.clone()), []);
    let start = Stats { uptime: Duration::from_secs(59), ..earlier.clone() };
    let soon = Stats { uptime: Duration::from_secs(90), ..stats.clone() };
    assert_eq!(examined(start, soon), []);
    let another_run = Stats { uptime: UPTIME + Duration::from_secs(60), ..earlier };
    assert_eq!(examined(another_run, stats), []);
}

#[test]
fn a_tag_over_its_own_budget_is_told() {
    let of = |budget_mib: u64| with(|stats| stats.tags[0].budget_bytes = Some(budget_mib * MIB));
    assert_eq!(found_in(of(30)), []);
    let says = ["`pages`", "holds 30.0 MiB", "budget 20.0 MiB"];
    assert_only(found_in(of(20)), AdviceCode::TagOverBudget, Severity::Warning, &says);
}

#[test]
fn bytes_without_a_tag_are_a_notice_if_they_are_most_and_many() {
    let of = |mib: u64| with(|stats| stats.tags[1] = tag("untagged", mib));
    assert_eq!(found_in(of(20)), [], "half");
    let says = ["untagged 30.0 MiB", "75.0 %"];
    assert_only(found_in(of(30)), AdviceCode::MostlyUntagged, Severity::Notice, &says);
    let small = with(|stats| {
        (stats.live_bytes, stats.tags[1]) = (3 * MIB, tag("untagged", 2));
    });
    assert_eq!(found_in(small), []);
}

#[test]
fn tags_threads_and_blocks_past_what_can_be_told_apart_are_notices() {
    let stats = with(|stats| stats.tags.push(tag("overflow", 1)));
    assert_only(found_in(stats), AdviceCode::TagsOverflowed, Severity::Notice, &["1.0 MiB"]);
    let mut usage = bursar_alloc::usage();
    (usage.thread_slots_refused_total, usage.unattributed_blocks_total) = (3, 9);
    let advice = examine(&Checkup::new(healthy()).with_usage(usage));
    use AdviceCode::{BlocksUnattributed, ThreadsBeyondSlots};
    assert_eq!(codes(&advice), [ThreadsBeyondSlots, BlocksUnattributed]);
}

#[test]
fn lost_samples_are_told_of_once_they_are_a_hundredth() {
    let sampled = |lost: u64| {
        with(|stats| {
            stats.heap_sampling = Some(HeapSampling {
                interval_bytes: 512 << 10,
                live_samples: 500,
                capacity: 500,
                samples_total: 99_000,
                samples_lost_total: lost,
            });
        })
    };
    assert_eq!(found_in(sampled(900)), []);
    let says = ["lost 1000", "of 100000", "room for 500", "512.0 KiB"];
    assert_only(found_in(sampled(1000)), AdviceCode::SamplesLost, Severity::Notice, &says);
}
