//! Budget, limits, and what the kernel says.

use super::*;
use crate::reading::{CgroupEvents, MemoryStall, SystemUsage};

#[test]
fn what_cannot_be_purged_is_above_the_warning_watermark_or_the_budget() {
    let held = |mib: u64| {
        with(|stats| {
            stats.live_bytes = mib * MIB;
            stats.tags = vec![tag("pages", 30), tag("sessions", mib - 30)];
        })
    };
    assert_eq!(found_in(held(99)), [], "30 of them can be purged");
    let says = ["not purgeable 70.0 MiB", "largest tag sessions", "warning at 70.0 MiB"];
    assert_only(found_in(held(100)), AdviceCode::BudgetNeverMet, Severity::Warning, &says);
    let says = ["no cleanup can meet the budget", "not purgeable 100.0 MiB"];
    assert_only(found_in(held(130)), AdviceCode::BudgetNeverMet, Severity::Critical, &says);

    let earlier = before(Duration::from_secs(5), held(110));
    let both = Checkup::new(held(130)).with_earlier(earlier);
    let says = ["not purgeable 80.0 MiB"];
    assert_only(examine(&both), AdviceCode::BudgetNeverMet, Severity::Warning, &says);
    let earlier = before(Duration::from_secs(5), healthy());
    let wave = Checkup::new(held(130)).with_earlier(earlier);
    assert_eq!(examine(&wave), [], "requests held it for a moment");
}

#[test]
fn a_budget_as_high_as_the_limit_leaves_nothing_for_what_is_outside_the_heap() {
    let stats = with(|stats| stats.soft_limit_bytes = LIMIT);
    let says = ["budget 128.0 MiB", "limit 128.0 MiB"];
    assert_only(found_in(stats), AdviceCode::BudgetAboveLimit, Severity::Critical, &says);
}

#[test]
fn what_is_outside_the_heap_is_more_than_the_limit_leaves_above_the_budget() {
    let outside = |mib: u64| {
        let used = Some((44 + 2 + mib) * MIB);
        with(|stats| stats.sample.working_set_bytes = used)
    };
    assert_eq!(found_in(outside(33)), [], "95 and 33 are 128");
    let says = ["outside the heap 34.0 MiB", "left above it 28.0 MiB", "reserve_bytes"];
    assert_only(found_in(outside(34)), AdviceCode::ReserveTooSmall, Severity::Warning, &says);

    let unknown = with(|stats| {
        stats.sample.working_set_bytes = Some(120 * MIB);
        stats.sample.dirty_bytes = None;
    });
    assert_eq!(found_in(unknown), [], "the heap's own pages may be it");
}

#[test]
fn a_given_limit_that_the_container_does_not_allow_was_not_taken() {
    let limited = |mib: u64| LimitAnswer::Limited { bytes: mib * MIB, place: "there".to_owned() };
    let given = |mib: u64| {
        let candidates =
            vec![(LimitSource::Given, limited(mib)), (LimitSource::Cgroup, limited(128))];
        with(|stats| stats.limits = limits(candidates))
    };
    assert_eq!(found_in(given(120)), []);
    let says = ["cgroup", "given 1.0 GiB", "in force 128.0 MiB"];
    let code = AdviceCode::GivenLimitAboveContainer;
    assert_only(found_in(given(1024)), code, Severity::Warning, &says);
}

#[test]
fn no_limit_is_a_notice_and_one_that_cannot_be_read_a_warning() {
    let of = |answer| with(|stats| stats.limits = limits(vec![(LimitSource::Cgroup, answer)]));
    let none = of(LimitAnswer::Unlimited);
    assert_only(found_in(none), AdviceCode::LimitUnknown, Severity::Notice, &["100.0 MiB"]);
    let garbled = of(LimitAnswer::Unavailable { reason: "memory.max is \"x\"".to_owned() });
    let says = ["cgroup memory.max is \"x\""];
    assert_only(found_in(garbled), AdviceCode::LimitUnknown, Severity::Warning, &says);
}

#[test]
fn in_a_container_whose_usage_is_unknown_the_reason_is_told() {
    let stats = with(|stats| {
        stats.sample.working_set_bytes = None;
        let reason = "memory.stat: permission denied".to_owned();
        stats.unavailable = [("working_set_bytes".to_owned(), reason)].into();
    });
    use AdviceCode::{SourcesUnavailable, WorkingSetUnknown};
    let advice = found_in(stats);
    assert_eq!(codes(&advice), [WorkingSetUnknown, SourcesUnavailable]);
    for advice in advice {
        assert!(advice.to_string().contains("permission denied"), "{advice}");
    }
}

#[test]
fn figures_that_many_a_kernel_does_not_have_are_no_finding() {
    let reason = "memory.pressure cannot be read: entity not found".to_owned();
    let stats = with(|stats| {
        stats.unavailable = [("container_stall".to_owned(), reason)].into();
    });
    assert_eq!(found_in(stats), []);
}

#[test]
fn with_nothing_registered_pressure_can_only_be_looked_at() {
    let stats = with(|stats| stats.purgeables.clear());
    let code = AdviceCode::NothingRegistered;
    assert_only(found_in(stats.clone()), code, Severity::Notice, &["held 40.0 MiB"]);
    let pressed = Stats { level: PressureLevel::Warning, ..stats };
    assert_only(found_in(pressed), code, Severity::Warning, &["Bursar::register"]);
}

#[test]
fn a_kill_by_the_kernel_is_grave_if_it_was_just_now() {
    let killed = |kills: u64| {
        let events = CgroupEvents { oom_kill: Some(kills), max: Some(7), ..Default::default() };
        with(|stats| stats.sample.container_events = Some(events))
    };
    assert_eq!(found_in(killed(0)), []);
    let says = ["kills 2", "times at the limit 7"];
    assert_only(found_in(killed(2)), AdviceCode::OomKills, Severity::Warning, &says);
    let earlier = before(UPTIME / 2, killed(1));
    let lately = examine(&Checkup::new(killed(2)).with_earlier(earlier));
    assert_only(lately, AdviceCode::OomKills, Severity::Critical, &["of them lately 1"]);
}

#[test]
fn pages_in_swap_are_told_of_the_container_and_of_the_machine_where_that_is_the_limit() {
    let stats = with(|stats| stats.sample.container_swap_bytes = Some(20 * MIB));
    assert_only(found_in(stats), AdviceCode::Swapping, Severity::Warning, &["20.0 MiB"]);

    let mut system = SystemUsage::default();
    (system.swap_total_bytes, system.swap_free_bytes) = (Some(100 * MIB), Some(40 * MIB));
    let stats = with(|stats| stats.sample.system = Some(system));
    assert_eq!(found_in(stats.clone()), [], "the host's swap is not ours");
    let place = "MemTotal".to_owned();
    let machine = LimitAnswer::Limited { bytes: LIMIT, place };
    let limits = limits(vec![(LimitSource::PhysicalMemory, machine)]);
    let advice = found_in(Stats { limits, ..stats });
    assert_only(advice, AdviceCode::Swapping, Severity::Notice, &["swapped 60.0 MiB"]);
}

#[test]
fn tasks_that_stand_still_are_told_by_how_much() {
    let stalled = |some, full| {
        let stall = MemoryStall {
            some_avg10_percent: some,
            full_avg10_percent: full,
            ..MemoryStall::default()
        };
        with(|stats| stats.sample.container_stall = Some(stall))
    };
    assert_eq!(found_in(stalled(9.0, 0.5)), []);
    let code = AdviceCode::Thrashing;
    assert_only(found_in(stalled(12.0, 0.0)), code, Severity::Warning, &["12.0 % of the last"]);
    assert_only(found_in(stalled(50.0, 30.0)), code, Severity::Critical, &["all tasks 30.0 %"]);
}
