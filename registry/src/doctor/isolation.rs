//! Tags with memory of their own: those that were to have some and have none, those whose pages are
//! mostly gaps all the same, and caches that would gain by it.

use std::collections::HashMap;

use bursar_alloc::{Isolation, TagUsage};

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, names, ratio, shown};
use super::heap::{gaps, is_fragmented_for_long, is_lasting};
use super::tags::OVERFLOW;

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    vec![
        unsupported(checkup).into_iter().collect(),
        exhausted(checkup).into_iter().collect(),
        isolated_gaps(checkup),
        worth_isolating(checkup),
    ]
}

fn with(checkup: &Checkup, isolation: Isolation) -> Vec<&TagUsage> {
    checkup.stats.tags.iter().filter(|tag| tag.isolation == isolation).collect()
}

/// What of these tags was to lie in pages of its own.
fn not_isolated(tags: &[&TagUsage], code: AdviceCode, title: &str) -> Option<Found> {
    let live = tags.iter().map(|tag| tag.live_bytes).fold(0, u64::saturating_add);
    (!tags.is_empty()).then(|| {
        Found::new(Severity::Notice, code, title)
            .of_bytes(live)
            .figure("tags", names(tags.iter().map(|tag| &*tag.name)))
            .size("live", live)
    })
}

fn unsupported(checkup: &Checkup) -> Option<Found> {
    let found = not_isolated(
        &with(checkup, Isolation::Unsupported),
        AdviceCode::IsolationUnsupported,
        "tags are isolated in name only: the allocator has no memory of their own for them",
    )?;
    let backend = checkup.stats.backend.as_deref().unwrap_or("unknown");
    Some(found.figure("allocator", shown(backend)).remedy(
        "Their blocks lie among the others, counted as ever. Use the jemalloc backend if their \
         pages are to come back by themselves, or leave `.isolated()` out",
    ))
}

fn exhausted(checkup: &Checkup) -> Option<Found> {
    let found = not_isolated(
        &with(checkup, Isolation::Exhausted),
        AdviceCode::IsolationExhausted,
        "tags that were to be isolated are not: no arena was left for them",
    )?;
    Some(found.figure("isolated", with(checkup, Isolation::Arena).len()).remedy(
        "32 tags at most have memory of their own, the first ones used. Isolate the few large \
         caches alone, and let small ones share a tag",
    ))
}

/// A tag's pages and what is live in them are held to the bounds of the whole heap's: a half more
/// than live, and a sixteenth of the budget.
fn gaps_of(checkup: &Checkup, tag: &TagUsage) -> Option<u64> {
    gaps(checkup, tag.live_bytes, tag.active_bytes?)
}

/// The history has no tags. A tag's gaps are taken to have been there for as long as the process
/// had this part of them, since they come and go.
const LASTING_PART: u64 = 2;

fn isolated_gaps(checkup: &Checkup) -> Vec<Found> {
    let earlier = checkup.earlier_tags();
    let is_lasting = |tag: &TagUsage, bytes: u64| {
        let before = earlier.get(&*tag.name);
        let were_there = before.is_some_and(|before| gaps_of(checkup, before).is_some());
        (checkup.earlier.is_none() || were_there)
            && is_lasting(checkup, |sample| {
                let of_all = sample.active_bytes.unwrap_or(0).saturating_sub(sample.live_bytes);
                of_all >= bytes / LASTING_PART
            })
    };
    with(checkup, Isolation::Arena)
        .into_iter()
        .filter_map(|tag| {
            let bytes = gaps_of(checkup, tag).filter(|&bytes| is_lasting(tag, bytes))?;
            Some(gaps_found(checkup, tag, bytes))
        })
        .collect()
}

fn gaps_found(checkup: &Checkup, tag: &TagUsage, bytes: u64) -> Found {
    let active = tag.active_bytes.unwrap_or(0);
    let name = shown(&tag.name);
    let title = format!("`{name}` is isolated, and few live blocks keep many of its pages");
    Found::new(Severity::Warning, AdviceCode::IsolatedTagGaps, title)
        .of_bytes(bytes)
        .size("live", tag.live_bytes)
        .size("in pages of", active)
        .size("gaps", bytes)
        .share("of the pages", ratio(bytes, active))
        .figure("caches of threads", checkup.stats.isolation_caches_in_use)
        .remedy(
            "Isolation gives back pages that nobody is left in. Entries dropped at random leave \
             somebody in each: drop the oldest first or all at once, and keep what lives long \
             under another tag. A thread that frees many has up to two thirds of a MiB in its \
             cache until it collects or ends: use few threads, or `collect()` on them",
        )
}

/// What an arena and the caches of its threads take (some 100 KiB, and up to two thirds of a MiB a
/// thread) is little beside a cache of this part of the budget.
const LARGE_PART: u64 = 8;
/// jemalloc puts blocks up to this together into pages; a larger one has pages to itself, which
/// come back with it, whoever its neighbours are.
const MOST_SHARING_BYTES: u64 = 14 << 10;
/// With so many isolated tags there is no arena for another.
const MOST_ISOLATED: usize = 32;
/// The allocator whose tags can be isolated.
const ISOLATING: &str = "jemalloc";

fn worth_isolating(checkup: &Checkup) -> Vec<Found> {
    let stats = &checkup.stats;
    let can_isolate = stats.backend.as_deref() == Some(ISOLATING)
        && with(checkup, Isolation::Exhausted).is_empty()
        && with(checkup, Isolation::Arena).len() < MOST_ISOLATED;
    let gaps = shared_gaps(checkup).filter(|_| can_isolate && is_fragmented_for_long(checkup));
    let Some(gaps) = gaps else { return Vec::new() };
    let mut freed: HashMap<&str, u64> = HashMap::new();
    for purgeable in &stats.purgeables {
        let sum = freed.entry(purgeable.tag.as_deref().unwrap_or_default()).or_default();
        *sum = sum.saturating_add(purgeable.freed_bytes_total);
    }
    with(checkup, Isolation::Off)
        .into_iter()
        .filter(|tag| tag.name != OVERFLOW && tag.peak_bytes >= stats.soft_limit_bytes / LARGE_PART)
        .filter(|tag| tag.live_bytes <= MOST_SHARING_BYTES.saturating_mul(tag.live_blocks))
        .filter_map(|tag| {
            // Before it was ever cut, it is not what left the gaps.
            let freed = *freed.get(&*tag.name)?;
            checkup.is_worthwhile(freed).then(|| worth_found(tag, freed, gaps))
        })
        .collect()
}

/// The gaps in pages that tags share.
fn shared_gaps(checkup: &Checkup) -> Option<u64> {
    let sample = &checkup.stats.sample;
    let isolated = with(checkup, Isolation::Arena);
    let (live, active) = isolated.iter().fold((0u64, 0u64), |(live, active), tag| {
        let of_tag = tag.active_bytes.unwrap_or(0);
        (live.saturating_add(tag.live_bytes), active.saturating_add(of_tag))
    });
    let active = sample.active_bytes?.saturating_sub(active);
    gaps(checkup, sample.live_bytes.saturating_sub(live), active)
}

fn worth_found(tag: &TagUsage, freed: u64, gaps: u64) -> Found {
    let name = shown(&tag.name);
    let title = format!("`{name}` shares its pages with others, and they stay when it is cut");
    let remedy = format!(
        "Give it memory of its own: `Tag::new(\"{name}\").isolated()`. Pages then come back when \
         all of its entries go, or the oldest; entries dropped at random gain nothing. It takes \
         some 100 KiB, and up to two thirds of a MiB for each thread that allocates under it"
    );
    Found::new(Severity::Notice, AdviceCode::WorthIsolating, title)
        .of_bytes(tag.peak_bytes)
        .size("live", tag.live_bytes)
        .size("peak", tag.peak_bytes)
        .size("freed by cleanups", freed)
        .size("gaps in pages that tags share", gaps)
        .remedy(remedy)
}
