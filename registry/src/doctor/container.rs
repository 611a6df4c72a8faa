//! What the kernel says of the container and the machine: kills, swap, standing still.

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, ratio};
use crate::reading::MemoryStall;
use crate::source::LimitSource;

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    let findings =
        [oom_kills(checkup), swapping(checkup), machine_swaps(checkup), thrashing(checkup)];
    findings.into_iter().map(|found| found.into_iter().collect()).collect()
}

/// The count is of the cgroup, whatever process was killed and when: one that came between two
/// readings is of now.
fn oom_kills(checkup: &Checkup) -> Option<Found> {
    let events = checkup.stats.sample.container_events?;
    let kills = events.oom_kill.filter(|&kills| kills > 0)?;
    let earlier = checkup.earlier.as_ref().and_then(|earlier| earlier.sample.container_events);
    let new = earlier
        .and_then(|earlier| earlier.oom_kill)
        .map_or(0, |earlier| kills.saturating_sub(earlier));
    let severity = if new > 0 { Severity::Critical } else { Severity::Warning };
    let title = "the kernel killed processes of this container for want of memory";
    let found = Found::new(severity, AdviceCode::OomKills, title).figure("kills", kills);
    let found = if new > 0 { found.figure("of them lately", new) } else { found };
    let found = match events.max {
        Some(max) => found.figure("times at the limit", max),
        None => found,
    };
    Some(found.remedy(
        "If it was this service, lower its budget or raise `reserve_bytes` (BURSAR_RESERVE), and \
         have `last_report` written to see what it held; if it was another process, give that a \
         container of its own",
    ))
}

/// Pages in swap are slow to come back, and each purge of something old reads them in.
fn swapping(checkup: &Checkup) -> Option<Found> {
    let swapped = checkup.stats.sample.container_swap_bytes?;
    checkup.is_worthwhile(swapped).then(|| {
        Found::new(
            Severity::Warning,
            AdviceCode::Swapping,
            "pages of this container are in swap",
        )
        .of_bytes(swapped)
        .size("swapped", swapped)
        .remedy(
            "Keep the budget below what the container has in memory, or turn swap off for it: a \
             cache that is read from swap is slower than none",
        )
    })
}

/// A machine that has used up this share of its swap has been short of memory for a while. A part
/// of it is in use on any machine that has been up for long.
const MUCH_SWAP: f64 = 0.5;

/// Asked where the machine's memory is the limit: the swap of a container's host is not ours.
fn machine_swaps(checkup: &Checkup) -> Option<Found> {
    if checkup.stats.limits.from != Some(LimitSource::PhysicalMemory) {
        return None;
    }
    let system = checkup.stats.sample.system?;
    let (total, free) = system.swap_total_bytes.zip(system.swap_free_bytes)?;
    let used = total.saturating_sub(free);
    (ratio(used, total) >= MUCH_SWAP).then(|| {
        Found::new(
            Severity::Notice,
            AdviceCode::Swapping,
            "the machine has much of its memory in swap",
        )
        .of_bytes(used)
        .size("swapped", used)
        .size("of", total)
        .remedy("Set a budget that leaves room for the machine's other processes")
    })
}

/// Some task waits for memory a tenth of the time: requests are slower for it.
const SOME_PERCENT: f64 = 10.0;
/// All tasks wait at once: nothing gets done then. A hundredth is already lost throughput.
const FULL_PERCENT: f64 = 1.0;
/// A tenth of the time lost is a service that hardly answers any more.
const FULL_CRITICAL_PERCENT: f64 = 10.0;

/// By the container where it says, and otherwise by the machine.
fn thrashing(checkup: &Checkup) -> Option<Found> {
    let sample = &checkup.stats.sample;
    let container = sample.container_stall.map(|stall| ("this container's tasks", stall));
    let (whose, stall) =
        container.or_else(|| sample.system_stall.map(|stall| ("the machine's tasks", stall)))?;
    let MemoryStall { some_avg10_percent: some, full_avg10_percent: full, .. } = stall;
    if !(some >= SOME_PERCENT || full >= FULL_PERCENT) {
        return None;
    }
    let severity =
        if full >= FULL_CRITICAL_PERCENT { Severity::Critical } else { Severity::Warning };
    let title = format!("{whose} stand still for want of memory");
    Some(
        Found::new(severity, AdviceCode::Thrashing, title)
            .figure("some task", format_args!("{some:.1} % of the last 10 s"))
            .figure("all tasks", format_args!("{full:.1} %"))
            .remedy(
                "Lower the budget, so that caches give way to pages that are in use, or raise \
                 the limit; refuse work meanwhile (`PressureSignal`)",
            ),
    )
}
