//! Levels, waits, and what the monitor could not do.

use super::*;
use crate::cooldown::Cooldown;
use crate::report::CleanupReport;
use crate::status::Stall;

#[test]
fn a_callback_that_does_not_return_is_grave() {
    let running_for = Duration::from_millis(2500);
    let stats = with(|stats| stats.stall = Some(Stall { name: "pages".to_owned(), running_for }));
    let says = ["`pages`", "running for 2.5 s"];
    assert_only(found_in(stats), AdviceCode::Stalled, Severity::Critical, &says);
}

/// An hour's history in which usage was at its highest a quarter of an hour after the start.
fn with_peak(usage: f64, level: PressureLevel) -> Vec<Advice> {
    let sample = healthy().sample;
    let past = history(3600, |second| match second {
        900 => (sample, usage, level),
        _ => (sample, 0.4, PressureLevel::Normal),
    });
    examine(&Checkup::new(healthy()).with_history(past))
}

#[test]
fn an_emergency_is_grave_while_it_lasts_and_a_warning_after() {
    let now = with(|stats| (stats.level, stats.usage_ratio) = (PressureLevel::Emergency, 0.97));
    let code = AdviceCode::EmergencyReached;
    let says = ["usage 97.0 %", "largest tag pages, with 30.0 MiB"];
    assert_only(found_in(now), code, Severity::Critical, &says);
    let says = ["times 1", "last 45m ago", "usage then 97.0 %"];
    assert_only(with_peak(0.97, PressureLevel::Emergency), code, Severity::Warning, &says);
}

#[test]
fn a_peak_near_the_budget_is_a_notice_in_calm() {
    assert_eq!(with_peak(0.79, PressureLevel::Warning), []);
    let says = ["now 40.0 %", "highest 90.0 %", "seen 45m ago"];
    let advice = with_peak(0.90, PressureLevel::Critical);
    assert_only(advice, AdviceCode::PeakNearLimit, Severity::Notice, &says);
}

#[test]
fn a_level_that_goes_up_and_down_all_the_time_is_a_notice_while_it_does() {
    let sample = healthy().sample;
    let up_every = |seconds: u64| {
        history(600, |second| {
            let is_up = second % seconds == seconds - 1;
            let level = if is_up { PressureLevel::Warning } else { PressureLevel::Normal };
            (sample, 0.7, level)
        })
    };
    let at = |seconds: u64, uptime: u64| {
        let stats = Stats { uptime: Duration::from_secs(uptime), ..healthy() };
        examine(&Checkup::new(stats).with_history(up_every(seconds)))
    };
    assert_eq!(at(10, 600), []);
    let says = ["times up 15", "within 1m", "hysteresis"];
    assert_only(at(4, 600), AdviceCode::Flapping, Severity::Notice, &says);
    assert_eq!(at(4, 700), [], "it has stopped");
}

/// The report of a cleanup that began when the process had run for so long.
fn cleanup(started_at: Duration) -> CleanupReport {
    CleanupReport {
        level: PressureLevel::Warning,
        diagnosis: Diagnosis::Live,
        tag: None,
        observed_only: false,
        is_cut_short: false,
        target_bytes: MIB,
        freed_bytes: MIB,
        held_bytes_before: 0,
        held_bytes_after: 0,
        collected_bytes: None,
        started_at,
        elapsed: Duration::ZERO,
        stages: Vec::new(),
    }
}

/// What is found at the end of ten seconds with so many cleanups, the last before each reading so
/// long ago.
fn after_cleanups(made: u64, ago: [Duration; 2]) -> Vec<Advice> {
    const SPAN: Duration = Duration::from_secs(10);
    let reading = |uptime, made, ago| {
        with(|stats| {
            (stats.uptime, stats.cleanups_total) = (uptime, 100 + made);
            stats.last_cleanup = Some(cleanup(uptime - ago));
            let freed_bytes = made * MIB;
            stats.freed_bytes_total += freed_bytes;
            stats.purgeables[0].freed_bytes_total += freed_bytes;
            stats.purgeables[0].claimed_bytes_total += freed_bytes;
            stats.purgeables[0].hits_total = Some(90_000 + made);
        })
    };
    let (earlier, now) = (reading(UPTIME - SPAN, 0, ago[0]), reading(UPTIME, made, ago[1]));
    examine(&Checkup::new(now).with_earlier(earlier))
}

#[test]
fn one_cleanup_after_the_other_is_a_notice_and_a_burst_of_them_is_not() {
    let (now, long_ago) = (Duration::from_millis(400), Duration::from_secs(5));
    let says = ["made 20", "within 10s", "freed 20.0 MiB", "most by pages", "max_bytes"];
    let code = AdviceCode::CleanupsFrequent;
    assert_only(after_cleanups(20, [now, now]), code, Severity::Notice, &says);
    assert_eq!(after_cleanups(4, [now, now]), [], "now and then");
    assert_eq!(after_cleanups(20, [long_ago, now]), [], "it has just begun");
    assert_eq!(after_cleanups(20, [now, long_ago]), [], "it is over");
}

#[test]
fn a_wait_under_pressure_is_told_with_its_reason() {
    let cooldown = Cooldown {
        level: PressureLevel::Warning,
        wait: Duration::from_secs(8),
        until: UPTIME,
        reason: "the callbacks freed 3 of 9 bytes".to_owned(),
    };
    let at = |level| with(|stats| (stats.level, stats.cooldown) = (level, Some(cooldown.clone())));
    assert_eq!(found_in(at(PressureLevel::Normal)), []);
    let says = ["the callbacks freed 3 of 9 bytes", "wait 8.0 s"];
    let warning = found_in(at(PressureLevel::Warning));
    assert_only(warning, AdviceCode::CoolingDown, Severity::Warning, &says);
}

#[test]
fn cleanups_that_are_put_off_more_than_they_are_made_are_told() {
    let of = |deferred, made| {
        with(|stats| (stats.deferred_cleanups_total, stats.cleanups_total) = (deferred, made))
    };
    assert_eq!(found_in(of(99, 1)), [], "one burst");
    assert_eq!(found_in(of(200, 200)), []);
    let says = ["put off 200", "made 20", "max_cpu_share"];
    let code = AdviceCode::CleanupsDeferred;
    assert_only(found_in(of(200, 20)), code, Severity::Warning, &says);
    let earlier = before(UPTIME / 2, of(150, 20));
    assert_eq!(examine(&Checkup::new(of(200, 20)).with_earlier(earlier)), [], "not any more");
}

#[test]
fn that_it_only_observes_is_a_notice_in_calm_and_a_warning_under_pressure() {
    let observed = |level| {
        with(|stats| {
            stats.level = level;
            let observed_only = true;
            stats.last_cleanup = Some(CleanupReport { observed_only, ..cleanup(UPTIME) });
        })
    };
    let code = AdviceCode::ObserveOnly;
    let says = ["observe_only"];
    assert_only(found_in(observed(PressureLevel::Normal)), code, Severity::Notice, &says);
    assert_only(found_in(observed(PressureLevel::Critical)), code, Severity::Warning, &says);
}

#[test]
fn a_report_that_could_not_be_written_is_told_with_the_error() {
    let error = "/var/last: read-only file system".to_owned();
    let stats = with(|stats| stats.last_report_error = Some(error));
    let says = ["read-only file system", "BURSAR_LAST_REPORT"];
    assert_only(found_in(stats), AdviceCode::LastReportFailed, Severity::Warning, &says);
}
