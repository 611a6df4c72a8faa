//! Whether the budget can be kept: by what can be purged, and within the limit.

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, shown};
use crate::pressure::PressureLevel;
use crate::source::{LimitAnswer, LimitSource};

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    let findings = [
        never_met(checkup),
        above_limit(checkup),
        reserve_too_small(checkup),
        given_limit_above_container(checkup),
        limit_unknown(checkup),
        working_set_unknown(checkup),
        sources_unavailable(checkup),
        nothing_registered(checkup),
    ];
    findings.into_iter().map(|found| found.into_iter().collect()).collect()
}

/// What nobody can purge decides how low a cleanup can bring usage: at the warning watermark it
/// would be for nothing, at the whole budget the level never falls below emergency again.
fn never_met(checkup: &Checkup) -> Option<Found> {
    let stats = &checkup.stats;
    let fixed = checkup.fixed_bytes();
    let warning = checkup.watermark_bytes(PressureLevel::Warning);
    if fixed == 0 || fixed < warning {
        return None;
    }
    let is_hopeless = fixed >= stats.soft_limit_bytes;
    let (severity, title) = match is_hopeless {
        true => {
            (Severity::Critical, "no cleanup can meet the budget: what cannot be purged is more")
        }
        false => (
            Severity::Warning,
            "no cleanup can bring the level to normal: what cannot be purged is above the warning \
             watermark",
        ),
    };
    let found = Found::new(severity, AdviceCode::BudgetNeverMet, title)
        .of_bytes(fixed)
        .size("not purgeable", fixed)
        .size("purgeable", checkup.purgeable_bytes())
        .size("budget", stats.soft_limit_bytes)
        .size("warning at", warning);
    Some(found.largest_tag(stats).remedy(
        "Register what holds these bytes (`Bursar::register`) if it can do without some of them; \
         otherwise give the process a larger limit or budget, or make it hold less",
    ))
}

/// Nothing is left for what is outside the heap: the kernel acts before the budget is reached.
fn above_limit(checkup: &Checkup) -> Option<Found> {
    let (soft, limit) = (checkup.stats.soft_limit_bytes, checkup.stats.limits.limit_bytes?);
    (soft >= limit).then(|| {
        Found::new(
            Severity::Critical,
            AdviceCode::BudgetAboveLimit,
            "the budget is not below the limit: the kernel acts before it is reached",
        )
        .of_bytes(soft)
        .size("budget", soft)
        .size("limit", limit)
        .remedy(
            "Leave the budget out, so that it follows the limit less a reserve, or set one that \
             is a tenth or more below it",
        )
    })
}

/// Stacks, mapped files, C libraries and other processes are in the limit and not in the budget:
/// where both together pass the limit before the emergency watermark, the last level comes too
/// late. Known only where the allocator tells its pages from the rest.
fn reserve_too_small(checkup: &Checkup) -> Option<Found> {
    let stats = &checkup.stats;
    let sample = &stats.sample;
    let (used, limit) = sample
        .working_set_bytes
        .zip(sample.limit_bytes)
        .or_else(|| sample.resident_bytes.zip(sample.process_limit_bytes))?;
    let pages = sample.active_bytes?.checked_add(sample.dirty_bytes?)?;
    let outside = used.saturating_sub(pages);
    let last = checkup.watermark_bytes(PressureLevel::Emergency);
    if stats.soft_limit_bytes >= limit || !checkup.is_worthwhile(outside) {
        return None;
    }
    (last.saturating_add(outside) > limit).then(|| {
        Found::new(
            Severity::Warning,
            AdviceCode::ReserveTooSmall,
            "the limit leaves too little above the budget for what is outside the heap",
        )
        .of_bytes(outside)
        .size("outside the heap", outside)
        .size("limit", limit)
        .size("budget", stats.soft_limit_bytes)
        .size("left above it", limit.saturating_sub(stats.soft_limit_bytes))
        .remedy(
            "Raise `reserve_bytes` (BURSAR_RESERVE) to what is outside the heap and some more, \
             or lower the budget, or raise the container's limit; if it is a buffer of your own, \
             declare it by a `Charge`",
        )
    })
}

/// A given limit is never above what the kernel enforces: it was not taken.
fn given_limit_above_container(checkup: &Checkup) -> Option<Found> {
    let limits = &checkup.stats.limits;
    let given = limits.answer(LimitSource::Given).and_then(LimitAnswer::bytes)?;
    let (limit, from) = limits.limit_bytes.zip(limits.from)?;
    (given > limit && from != LimitSource::Given).then(|| {
        Found::new(
            Severity::Warning,
            AdviceCode::GivenLimitAboveContainer,
            format!("the limit that was given is above what {from} allows, and was not taken"),
        )
        .of_bytes(given)
        .size("given", given)
        .size("in force", limit)
        .remedy("Leave `limit_bytes` (BURSAR_LIMIT) out, or raise the container's own limit")
    })
}

fn limit_unknown(checkup: &Checkup) -> Option<Found> {
    let limits = &checkup.stats.limits;
    if limits.limit_bytes.is_some() {
        return None;
    }
    let unreadable = limits.candidates.iter().find_map(|candidate| match &candidate.answer {
        LimitAnswer::Unavailable { reason } => Some((candidate.source, reason)),
        _ => None,
    });
    // On a system without containers there is none to know; one that cannot be read may be near.
    let severity = if unreadable.is_some() { Severity::Warning } else { Severity::Notice };
    let title = "no limit is known: usage is held against the budget alone";
    let found = Found::new(severity, AdviceCode::LimitUnknown, title)
        .size("budget", checkup.stats.soft_limit_bytes);
    let found = match unreadable {
        Some((source, reason)) => found.figure(source.as_str(), shown(reason)),
        None => found,
    };
    Some(found.remedy(
        "Say what the process may use by `limit_bytes` (BURSAR_LIMIT), or make the container's \
         cgroup files readable",
    ))
}

/// In a container, what counts is the working set: without it, what grows outside the heap is
/// not seen.
fn working_set_unknown(checkup: &Checkup) -> Option<Found> {
    let stats = &checkup.stats;
    let is_contained = stats.limits.from == Some(LimitSource::Cgroup);
    if !is_contained || stats.sample.working_set_bytes.is_some() {
        return None;
    }
    let title = "the container's usage is unknown: what grows outside the heap is not seen";
    let found = Found::new(Severity::Warning, AdviceCode::WorkingSetUnknown, title);
    let reason = stats.unavailable.get("working_set_bytes");
    let found = match reason {
        Some(reason) => found.figure("reason", shown(reason)),
        None => found,
    };
    Some(found.remedy("Make the cgroup's memory files readable for the process"))
}

/// What the level is judged by. Many a kernel and container goes without the other figures, and
/// nothing is to be done about it: statistics have the reasons.
const JUDGED_BY: [&str; 3] = ["limit_bytes", "resident_bytes", "working_set_bytes"];

fn sources_unavailable(checkup: &Checkup) -> Option<Found> {
    let unavailable = &checkup.stats.unavailable;
    let mut missed = JUDGED_BY.iter().filter_map(|&name| Some((name, unavailable.get(name)?)));
    let title = "figures that the level is judged by cannot be read";
    let found = Found::new(Severity::Notice, AdviceCode::SourcesUnavailable, title);
    let first = missed.next()?;
    let found = std::iter::once(first).chain(missed).fold(found, |found, (name, reason)| {
        found.figure(name, format_args!("unknown: {}", shown(reason)))
    });
    Some(found.remedy(
        "Make them readable where the platform has them; meanwhile the level goes by the others: \
         none is guessed",
    ))
}

/// Without purgeables, all that can be done about pressure is to give free pages back.
fn nothing_registered(checkup: &Checkup) -> Option<Found> {
    if !checkup.stats.purgeables.is_empty() {
        return None;
    }
    let severity = if checkup.is_pressed() { Severity::Warning } else { Severity::Notice };
    Some(
        Found::new(
            severity,
            AdviceCode::NothingRegistered,
            "nothing is registered: under pressure, only free pages can be given back",
        )
        .size("held", checkup.held_bytes())
        .size("budget", checkup.stats.soft_limit_bytes)
        .remedy(
            "Register caches and pools by `Bursar::register`; for those of other crates there \
             are adapters, and `FnPurgeable` for anything else",
        ),
    )
}
