//! Whose bytes they are: tags that only grow, that hold too much, and bytes without a tag.

use std::collections::HashMap;
use std::time::Duration;

use bursar_alloc::TagUsage;
use bytesize::ByteSize;

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, ratio, shown, span};
use super::leaks;

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    let usage = checkup.usage.as_ref();
    let threads = usage.map_or(0, |usage| usage.thread_slots_refused_total);
    let blocks = usage.map_or(0, |usage| usage.unattributed_blocks_total);
    vec![
        growing(checkup),
        over_budget(checkup),
        mostly_untagged(checkup).into_iter().collect(),
        overflowed(checkup).into_iter().collect(),
        beyond_slots(threads).into_iter().collect(),
        unattributed(blocks).into_iter().collect(),
        samples_lost(checkup).into_iter().collect(),
    ]
}

/// Over a shorter time, what a wave of requests holds looks as if it stayed.
const GROWTH_SPAN: Duration = Duration::from_secs(10);
/// Of what it allocated meanwhile, a tag that only grows has freed less than this. What serves
/// requests frees nearly everything again.
const FREED_SHARE: f64 = 0.05;
/// Until then a process fills its tables and pools: what it keeps of that is no leak.
const WARM_UP: Duration = Duration::from_secs(60);
/// Below this the budget is reached before somebody has looked into it.
pub(super) const SOON: Duration = Duration::from_secs(600);

fn growing(checkup: &Checkup) -> Vec<Found> {
    let is_warm = checkup.earlier.as_ref().is_some_and(|earlier| earlier.uptime >= WARM_UP);
    let time = checkup.span().filter(|&time| is_warm && time >= GROWTH_SPAN);
    let Some(time) = time else { return Vec::new() };
    let earlier = checkup.earlier_tags();
    let cached = cached_bytes(checkup);
    let tags = checkup.stats.tags.iter().filter(|tag| !is_cache(&cached, tag));
    tags.filter_map(|tag| {
        let before = earlier.get(&*tag.name)?;
        let found = grown(checkup, before, tag, time)?;
        // What has grown for longer is told by that.
        (!leaks::is_leaking(checkup, &cached, &tag.name)).then_some(found)
    })
    .collect()
}

/// What fills a cache can be had back: that is what the cache is for.
pub(super) fn is_cache(cached: &HashMap<&str, u64>, tag: &TagUsage) -> bool {
    cached.get(&*tag.name).is_some_and(|&bytes| bytes >= tag.live_bytes / 2)
}

/// What can be had back of each tag, by its name.
pub(super) fn cached_bytes(checkup: &Checkup) -> HashMap<&str, u64> {
    let mut cached: HashMap<&str, u64> = HashMap::new();
    for purgeable in &checkup.stats.purgeables {
        let sum = cached.entry(purgeable.tag.as_deref().unwrap_or(UNTAGGED)).or_default();
        *sum = sum.saturating_add(purgeable.purgeable_bytes);
    }
    cached
}

fn grown(checkup: &Checkup, before: &TagUsage, tag: &TagUsage, time: Duration) -> Option<Found> {
    let grown = tag.live_bytes.checked_sub(before.live_bytes)?;
    let allocated = tag.allocated_bytes_total.checked_sub(before.allocated_bytes_total)?;
    let freed = allocated.saturating_sub(grown);
    if !checkup.is_worthwhile(grown) || ratio(freed, allocated) >= FREED_SHARE {
        return None;
    }
    let per_second = grown as f64 / time.as_secs_f64();
    let room = checkup.room_bytes();
    let left = Duration::try_from_secs_f64(room as f64 / per_second).unwrap_or(Duration::MAX);
    let reached = if room > 0 { span(left) } else { "no time: it is reached".to_owned() };
    let severity = if left < SOON { Severity::Critical } else { Severity::Warning };
    let title = format!("`{}` only grows", shown(&tag.name));
    Some(
        Found::new(severity, AdviceCode::GrowingTag, title)
            .of_bytes(grown)
            .size("grew by", grown)
            .time("in", time)
            .figure("a minute", ByteSize((60.0 * per_second) as u64))
            .size("freed meanwhile", freed)
            .size("live", tag.live_bytes)
            .figure("budget reached in", reached)
            .remedy(
                "Look for what is put into it and never taken out; if it is a cache, make it a \
                 `Cache` or register it, so that it can be purged, and bound it by `max_bytes`; \
                 `tag_budget` keeps it from taking what others need",
            ),
    )
}

fn over_budget(checkup: &Checkup) -> Vec<Found> {
    let over = checkup.stats.tags.iter().filter(|tag| tag.is_over_budget());
    over.map(|tag| {
        let (held, budget) = (tag.subtree_bytes(), tag.budget_bytes.unwrap_or(0));
        let title = format!("`{}` holds more than its own budget", shown(&tag.name));
        Found::new(Severity::Warning, AdviceCode::TagOverBudget, title)
            .of_bytes(held.saturating_sub(budget))
            .size("holds", held)
            .size("budget", budget)
            .remedy(
                "What is registered under the tag is asked for the difference: register what \
                 holds it, or give the tag a larger budget (`tag_budget`)",
            )
    })
    .collect()
}

/// The names that no tag of a user's has.
pub(super) const UNTAGGED: &str = "untagged";
pub(super) const OVERFLOW: &str = "overflow";

/// Most: it is not known whose bytes more than half of the heap are.
const MOST: f64 = 0.5;
/// And a part of the budget that would have to be explained if it were to grow.
const UNTAGGED_PART: u64 = 16;

fn mostly_untagged(checkup: &Checkup) -> Option<Found> {
    let stats = &checkup.stats;
    let tag = stats.tags.iter().find(|tag| tag.name == UNTAGGED)?;
    let untagged = tag.live_bytes;
    let is_much = untagged > 0 && untagged >= stats.soft_limit_bytes / UNTAGGED_PART;
    (is_much && ratio(untagged, stats.live_bytes) > MOST).then(|| {
        Found::new(
            Severity::Notice,
            AdviceCode::MostlyUntagged,
            "most live bytes are charged to no tag: nobody can say whose they are",
        )
        .of_bytes(untagged)
        .size("untagged", untagged)
        .size("of", stats.live_bytes)
        .share("which is", ratio(untagged, stats.live_bytes))
        .remedy(
            "Enter a `Tag` where the large things are built: `TAG.scope(..)`, and \
             `future.tagged(&TAG)` for what is async",
        )
    })
}

fn overflowed(checkup: &Checkup) -> Option<Found> {
    let tag = checkup.stats.tags.iter().find(|tag| tag.name == OVERFLOW)?;
    (tag.live_bytes > 0 || tag.live_blocks > 0).then(|| {
        Found::new(
            Severity::Notice,
            AdviceCode::TagsOverflowed,
            "there are more tags than can be told apart: some are counted together",
        )
        .of_bytes(tag.live_bytes)
        .size("counted together", tag.live_bytes)
        .figure("blocks", tag.live_blocks)
        .remedy("Use one tag for what is of a kind, and drop the handles of those that are done")
    })
}

fn beyond_slots(refused: u64) -> Option<Found> {
    (refused > 0).then(|| {
        Found::new(
            Severity::Notice,
            AdviceCode::ThreadsBeyondSlots,
            "more threads were alive at once than have counters of their own",
        )
        .figure("times", refused)
        .remedy(
            "The figures stay right; threads that share counters allocate more slowly. Have \
             fewer threads: a pool instead of one for each connection",
        )
    })
}

fn unattributed(blocks: u64) -> Option<Found> {
    (blocks > 0).then(|| {
        Found::new(
            Severity::Notice,
            AdviceCode::BlocksUnattributed,
            "large blocks are counted as untagged: the map of their tags could not be had",
        )
        .figure("blocks", blocks)
        .remedy("Raise the limit on address space (`ulimit -v`)")
    })
}

/// A profile that lacks less than a hundredth of what it should have is as good as whole.
const LOST_SHARE: f64 = 0.01;

fn samples_lost(checkup: &Checkup) -> Option<Found> {
    let sampling = checkup.stats.heap_sampling?;
    let lost = sampling.samples_lost_total;
    let due = sampling.samples_total.saturating_add(lost);
    (ratio(lost, due) >= LOST_SHARE).then(|| {
        Found::new(
            Severity::Notice,
            AdviceCode::SamplesLost,
            "samples of the heap were lost: its profile lacks what they stood for",
        )
        .figure("lost", lost)
        .figure("of", due)
        .figure("room for", sampling.capacity)
        .size("one each", sampling.interval_bytes)
        .remedy(
            "Give the samples more room (`sampling_table_bytes`), or sample less often \
             (`sampling_interval_bytes`)",
        )
    })
}
