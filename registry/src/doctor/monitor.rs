//! What the monitor found and did: levels reached, waits, what it could not do.

use std::time::Duration;

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, shown, span};
use crate::pressure::PressureLevel;
use crate::stats::Stats;

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    let findings = [
        stalled(checkup),
        emergency_reached(checkup),
        peak_near_limit(checkup),
        flapping(checkup).or_else(|| cleanups_frequent(checkup)),
        cooling_down(checkup),
        cleanups_deferred(checkup),
        observe_only(checkup),
        last_report_failed(checkup),
    ];
    findings.into_iter().map(|found| found.into_iter().collect()).collect()
}

fn stalled(checkup: &Checkup) -> Option<Found> {
    let stall = checkup.stats.stall.as_ref()?;
    let title = format!(
        "the callback of `{}` does not return: nothing else is cleaned up",
        shown(&stall.name)
    );
    Some(
        Found::new(Severity::Critical, AdviceCode::Stalled, title)
            .time("running for", stall.running_for)
            .remedy(
                "A `purge` must try locks and answer `Busy`, not wait; look for a lock that is \
                 held where memory is asked for",
            ),
    )
}

/// Bytes of the budget that a share of it is. Any share may come.
fn share_bytes(checkup: &Checkup, share: f64) -> u64 {
    (checkup.stats.soft_limit_bytes as f64 * share) as u64
}

fn emergency_reached(checkup: &Checkup) -> Option<Found> {
    let stats = &checkup.stats;
    if stats.level == PressureLevel::Emergency {
        let title = "the level is emergency: everything purgeable goes";
        let found = Found::new(Severity::Critical, AdviceCode::EmergencyReached, title)
            .of_bytes(share_bytes(checkup, stats.usage_ratio))
            .share("usage", stats.usage_ratio)
            .size("budget", stats.soft_limit_bytes);
        let found = match stats.diagnosis {
            Some(diagnosis) => found.figure("pressure", diagnosis),
            None => found,
        };
        return Some(found.largest_tag(stats).remedy(
            "Refuse work until it falls (`PressureSignal::should_shed`); then have the largest \
             tag hold less, or raise the budget and the limit if it has to hold it",
        ));
    }
    let history = checkup.history.as_ref()?;
    let reached = || history.level_changes().filter(|change| change.to == PressureLevel::Emergency);
    let last = reached().next_back()?;
    let ago = stats.uptime.saturating_sub(last.at);
    Some(
        Found::new(
            Severity::Warning,
            AdviceCode::EmergencyReached,
            "the emergency level was reached",
        )
        .of_bytes(share_bytes(checkup, last.usage_ratio))
        .figure("times", reached().count())
        .figure("last", format_args!("{} ago", span(ago)))
        .share("usage then", last.usage_ratio)
        .remedy(
            "Usage grew faster than it was purged: lower the watermarks or raise `targets`, so \
             that cleanups begin earlier and take more; or bound what grows (`max_bytes`)",
        ),
    )
}

/// Told while it is calm: one who looks then would think that there is room.
fn peak_near_limit(checkup: &Checkup) -> Option<Found> {
    let stats = &checkup.stats;
    let (critical, emergency) = (stats.watermarks.critical, stats.watermarks.emergency);
    if checkup.is_pressed() {
        return None;
    }
    let points = checkup.history.iter().flat_map(|history| history.samples());
    let highest = points.max_by(|a, b| a.usage_ratio.total_cmp(&b.usage_ratio))?;
    // An emergency is a finding of its own.
    if !(highest.usage_ratio >= critical && highest.usage_ratio < emergency) {
        return None;
    }
    Some(
        Found::new(
            Severity::Notice,
            AdviceCode::PeakNearLimit,
            "the level is normal now, and usage was near the budget before",
        )
        .of_bytes(share_bytes(checkup, highest.usage_ratio))
        .share("now", stats.usage_ratio)
        .share("highest", highest.usage_ratio)
        .figure("seen", format_args!("{} ago", span(stats.uptime.saturating_sub(highest.at))))
        .size("budget", stats.soft_limit_bytes)
        .remedy(
            "Size the container by the highest figure, not by this one; the routes' peaks say \
             which requests made it",
        ),
    )
}

/// The time over which changes are counted.
const FLAPS_WITHIN: Duration = Duration::from_secs(60);
/// Entries into a level above normal in that time: one in five seconds. A level lasts for its
/// dwell of a second at least, so that thirty are the most there can be; a cache that is bounded
/// by the budget alone makes one now and then.
const FLAPS: usize = 12;

fn flapping(checkup: &Checkup) -> Option<Found> {
    let history = checkup.history.as_ref()?;
    let last = history.level_changes().next_back()?;
    let since = last.at.saturating_sub(FLAPS_WITHIN);
    let is_recent = checkup.stats.uptime.saturating_sub(last.at) <= FLAPS_WITHIN;
    let up = history
        .level_changes()
        .filter(|change| change.at > since && change.from == PressureLevel::Normal)
        .count();
    (is_recent && up >= FLAPS).then(|| {
        Found::new(
            Severity::Notice,
            AdviceCode::Flapping,
            "the level goes up and down all the time",
        )
        .figure("times up", up)
        .time("within", FLAPS_WITHIN)
        .figure("changes in all", history.level_changes_total())
        .remedy(
            "Bound the caches (`max_bytes`) so that they are full below the warning watermark, \
             or widen `hysteresis` and raise `targets`, so that a cleanup lasts for longer",
        )
    })
}

/// The time in which there is one cleanup at least, where they are frequent. A level lasts for its
/// dwell of a second at least: with a cleanup in two, it is not normal for most of the time.
const FREQUENT_WITHIN: Duration = Duration::from_secs(2);
/// The shortest time between two readings by which it is judged: a burst is over before.
const FREQUENT_FOR: Duration = Duration::from_secs(8);

/// Told where the level stays up, so that nothing goes up and down: a cache that is bounded by
/// the budget alone, under load. A cleanup that was not made is a finding of its own.
fn cleanups_frequent(checkup: &Checkup) -> Option<Found> {
    let (stats, earlier) = (&checkup.stats, checkup.earlier.as_ref()?);
    let span = checkup.span().filter(|span| *span >= FREQUENT_FOR)?;
    // At both ends, so that they did not come all at once in between.
    let has_just_cleaned_up = |stats: &Stats| {
        let report = stats.last_cleanup.as_ref().filter(|report| !report.observed_only);
        report
            .is_some_and(|report| stats.uptime.saturating_sub(report.started_at) <= FREQUENT_WITHIN)
    };
    let made = stats.cleanups_total.saturating_sub(earlier.cleanups_total);
    let is_frequent = made as f64 * FREQUENT_WITHIN.as_secs_f64() >= span.as_secs_f64();
    if !(is_frequent && has_just_cleaned_up(earlier) && has_just_cleaned_up(stats)) {
        return None;
    }
    let freed = stats.freed_bytes_total.saturating_sub(earlier.freed_bytes_total);
    let found =
        Found::new(Severity::Notice, AdviceCode::CleanupsFrequent, "one cleanup follows the other")
            .of_bytes(freed)
            .figure("made", made)
            .time("within", span)
            .size("freed", freed);
    Some(freed_most(checkup, found).remedy(
        "Bound what fills up again (`max_bytes`) so that it is full below the warning watermark: \
         it then evicts as it takes in; or raise `targets`, so that a cleanup lasts for longer",
    ))
}

/// With the purgeable that has freed most since the earlier reading, if one has freed anything.
fn freed_most(checkup: &Checkup, found: Found) -> Found {
    let before = checkup.earlier_purgeables();
    let freed = checkup.stats.purgeables.iter().map(|purgeable| {
        let before = before.get(&*purgeable.name).map_or(0, |before| before.freed_bytes_total);
        (purgeable.freed_bytes_total.saturating_sub(before), &purgeable.name)
    });
    match freed.max() {
        Some((freed @ 1.., name)) => found.figure("most by", shown(name)).size("with", freed),
        _ => found,
    }
}

fn cooling_down(checkup: &Checkup) -> Option<Found> {
    let cooldown = checkup.stats.cooldown.as_ref().filter(|_| checkup.is_pressed())?;
    let severity = match checkup.stats.level {
        PressureLevel::Emergency => Severity::Critical,
        _ => Severity::Warning,
    };
    let title = format!("cleanups wait although usage is high: {}", shown(&cooldown.reason));
    Some(
        Found::new(severity, AdviceCode::CoolingDown, title)
            .time("wait", cooldown.wait)
            .share("usage", checkup.stats.usage_ratio)
            .remedy(
                "Another cleanup would be for nothing. Register more of what holds memory, see \
                 which purgeables free what they claim, or give the process more",
            ),
    )
}

/// Fewer may be one burst, which is what the cap is for.
const MANY_DEFERRED: u64 = 100;

/// More cleanups were put off than made: the cap holds them back most of the time.
fn cleanups_deferred(checkup: &Checkup) -> Option<Found> {
    let stats = &checkup.stats;
    let earlier = checkup.earlier.as_ref();
    let (deferred_before, made_before) =
        earlier.map_or((0, 0), |earlier| (earlier.deferred_cleanups_total, earlier.cleanups_total));
    let deferred = stats.deferred_cleanups_total.saturating_sub(deferred_before);
    let made = stats.cleanups_total.saturating_sub(made_before);
    (deferred >= MANY_DEFERRED && deferred > made).then(|| {
        Found::new(
            Severity::Warning,
            AdviceCode::CleanupsDeferred,
            "cleanups have had their share of a core, and wait",
        )
        .figure("put off", deferred)
        .figure("made", made)
        .remedy(
            "See in the last cleanup's report which callback takes so long and make it cheaper; \
             or raise `max_cpu_share` (BURSAR_MAX_CPU_SHARE), or make cleanups take more at once \
             (`targets`)",
        )
    })
}

fn observe_only(checkup: &Checkup) -> Option<Found> {
    let report = checkup.stats.last_cleanup.as_ref().filter(|report| report.observed_only)?;
    let severity = if checkup.is_pressed() { Severity::Warning } else { Severity::Notice };
    let title = "nothing is purged: Bursar only observes";
    Some(
        Found::new(severity, AdviceCode::ObserveOnly, title)
            .figure("cleanups not made", checkup.stats.cleanups_total)
            .figure("last at", report.level)
            .remedy("Once its reports look right, turn `observe_only` (BURSAR_OBSERVE_ONLY) off"),
    )
}

fn last_report_failed(checkup: &Checkup) -> Option<Found> {
    let error = checkup.stats.last_report_error.as_ref()?;
    Some(
        Found::new(
            Severity::Warning,
            AdviceCode::LastReportFailed,
            "the report of an emergency could not be written",
        )
        .figure("error", shown(error))
        .remedy("Give `last_report` (BURSAR_LAST_REPORT) a path that the process may write to"),
    )
}
