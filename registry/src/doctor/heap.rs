//! The allocator's pages: those that few blocks keep, and those that nobody keeps.

use std::time::Duration;

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, ratio};
use crate::pressure::{Diagnosis, Sample};

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    let findings = [fragmentation(checkup), dirty_pages(checkup)];
    findings.into_iter().map(|found| found.into_iter().collect()).collect()
}

/// What holds for so long is no wave of requests: pages that are free decay within 10 seconds, and
/// new blocks fill gaps as fast as they come.
const LASTING: Duration = Duration::from_secs(300);

/// Whether all readings of the last [`LASTING`] say so. Of each span the history keeps the reading
/// of the highest usage. Without a history, one reading so much earlier has to do.
pub(super) fn is_lasting(checkup: &Checkup, holds: impl Fn(&Sample) -> bool) -> bool {
    let Some(history) = &checkup.history else {
        let earlier = checkup.earlier.as_ref();
        return checkup.span().is_some_and(|span| span >= LASTING)
            && earlier.is_some_and(|earlier| holds(&earlier.sample));
    };
    let Some(last) = history.samples().next_back() else { return false };
    let since = last.at.checked_sub(LASTING);
    let is_covered =
        history.samples().next().zip(since).is_some_and(|(first, since)| first.at <= since);
    is_covered
        && history
            .samples()
            .filter(|point| Some(point.at) >= since)
            .all(|point| holds(&point.sample))
}

/// Pages half as large again as what is live in them: size classes and pages of a busy heap cost
/// up to a quarter, so that this much is gaps.
const FRAGMENTED: f64 = 1.5;
/// And gaps of this part of the budget: what a small heap has in gaps is no loss.
const GAPS_PART: u64 = 16;

/// Bytes in pages that hold live blocks, but not in the blocks; `None` where they are no loss.
pub(super) fn gaps(checkup: &Checkup, live: u64, active: u64) -> Option<u64> {
    let gaps = active.saturating_sub(live);
    let is_much = gaps > 0
        && gaps >= checkup.stats.soft_limit_bytes / GAPS_PART
        && active as f64 >= FRAGMENTED * live as f64;
    is_much.then_some(gaps)
}

/// Whether the process's pages have [`gaps`], and have had for long.
pub(super) fn is_fragmented_for_long(checkup: &Checkup) -> bool {
    is_lasting(checkup, |sample| {
        sample.active_bytes.is_some_and(|active| gaps(checkup, sample.live_bytes, active).is_some())
    })
}

fn fragmentation(checkup: &Checkup) -> Option<Found> {
    let sample = &checkup.stats.sample;
    let (live, active) = (sample.live_bytes, sample.active_bytes?);
    let gaps = gaps(checkup, live, active)?;
    let is_lasting = is_fragmented_for_long(checkup);
    let severity = if is_lasting { Severity::Warning } else { Severity::Notice };
    let for_long = if is_lasting { ", for minutes" } else { "" };
    let title = format!("few live blocks keep many pages{for_long}: fragmentation");
    Some(
        Found::new(severity, AdviceCode::Fragmentation, title)
            .of_bytes(gaps)
            .size("live", live)
            .size("in pages of", active)
            .size("gaps", gaps)
            .share("of the pages", ratio(gaps, active))
            .remedy(
                "No purge gives these back; new blocks fill them. Bound by bytes (`max_bytes`) \
                 what is filled and emptied in waves, and free together what is allocated \
                 together: buffers out of a `Pool`, values that are one block",
            ),
    )
}

/// Freed pages of a quarter of what is in memory: more than the working reserve that lets the next
/// wave begin without page faults.
const DIRTY_SHARE: f64 = 0.25;
/// And of this part of the budget, as for gaps.
const DIRTY_PART: u64 = 16;

fn dirty_pages(checkup: &Checkup) -> Option<Found> {
    let soft_limit = checkup.stats.soft_limit_bytes;
    let resident = |sample: &Sample| {
        let heap = sample.active_bytes.unwrap_or(sample.live_bytes);
        sample.resident_bytes.unwrap_or(heap.saturating_add(sample.dirty_bytes.unwrap_or(0)))
    };
    let is_dirty = |sample: &Sample| {
        let dirty = sample.dirty_bytes.unwrap_or(0);
        dirty > 0
            && dirty >= soft_limit / DIRTY_PART
            && dirty as f64 >= DIRTY_SHARE * resident(sample) as f64
    };
    let sample = &checkup.stats.sample;
    if !is_dirty(sample) {
        return None;
    }
    let dirty = sample.dirty_bytes?;
    let presses = checkup.stats.diagnosis == Some(Diagnosis::Dirty);
    let is_lasting = is_lasting(checkup, is_dirty);
    let severity = if presses || is_lasting { Severity::Warning } else { Severity::Notice };
    let for_long = if is_lasting { ", for minutes" } else { "" };
    let title = format!("the allocator keeps many freed pages{for_long}");
    Some(
        Found::new(severity, AdviceCode::DirtyPages, title)
            .of_bytes(dirty)
            .size("dirty", dirty)
            .size("resident", resident(sample))
            .share("of it", ratio(dirty, resident(sample)))
            .remedy(
                "They cost no entry to have back: `Bursar::collect` gives them to the system. An \
                 idle process does not decay by itself; call it after a wave, or let \
                 the level's own cleanup do it",
            ),
    )
}
