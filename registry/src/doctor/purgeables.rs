//! What is registered: whether it is of use, and whether it gives back what it is asked for.

use std::time::Duration;

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, names, ratio, shown};
use crate::stats::PurgeableStats;

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    let earlier = checkup.earlier_purgeables();
    let mut kinds: [Vec<Found>; 5] = Default::default();
    for purgeable in &checkup.stats.purgeables {
        let before = earlier.get(&*purgeable.name).copied();
        let of_each = [
            never_hit(checkup, purgeable, before),
            never_asked(checkup, purgeable, before),
            futile(checkup, purgeable),
            always_busy(purgeable),
            panics(purgeable),
        ];
        for (kind, found) in kinds.iter_mut().zip(of_each) {
            kind.extend(found);
        }
    }
    let mut kinds = Vec::from(kinds);
    kinds.push(bounds_unused(checkup).into_iter().collect());
    kinds
}

/// Hits and all look-ups, since the earlier reading if it can be told, and otherwise ever.
fn lookups(purgeable: &PurgeableStats, before: Option<&PurgeableStats>) -> Option<(u64, u64)> {
    let of = |purgeable: &PurgeableStats| {
        let (hits, misses) = (purgeable.hits_total?, purgeable.misses_total?);
        Some((hits, hits.saturating_add(misses)))
    };
    let (hits, all) = of(purgeable)?;
    let lately = before.and_then(of).and_then(|(hits_before, all_before)| {
        Some((hits.checked_sub(hits_before)?, all.checked_sub(all_before)?))
    });
    Some(match lately {
        Some((hits, all)) if all >= MANY_LOOKUPS => (hits, all),
        _ => (hits, all),
    })
}

/// Before so many, a cache may still be filling.
const MANY_LOOKUPS: u64 = 1000;
/// A cache that has one of a hundred saves next to nothing.
const LOW_HIT_RATIO: f64 = 0.01;

fn never_hit(
    checkup: &Checkup,
    purgeable: &PurgeableStats,
    before: Option<&PurgeableStats>,
) -> Option<Found> {
    let (hits, all) = lookups(purgeable, before)?;
    let held = purgeable.purgeable_bytes;
    let is_of_use = all < MANY_LOOKUPS || ratio(hits, all) >= LOW_HIT_RATIO;
    if is_of_use || !checkup.is_worthwhile(held) {
        return None;
    }
    let title = format!("`{}` hardly ever has what it is asked for", shown(&purgeable.name));
    Some(
        Found::new(Severity::Warning, AdviceCode::NeverHit, title)
            .of_bytes(held)
            .figure("asked", all)
            .figure("had it", hits)
            .share("hit ratio", ratio(hits, all))
            .size("holds", held)
            .remedy(
                "See whether its keys ever come again (a time or an id in them?), and whether it \
                 is large enough for those that do; if not, leave it out or bound it by \
                 `max_bytes`",
            ),
    )
}

/// What is used at all, is used within so long.
const UNUSED_FOR: Duration = Duration::from_secs(600);

fn never_asked(
    checkup: &Checkup,
    purgeable: &PurgeableStats,
    before: Option<&PurgeableStats>,
) -> Option<Found> {
    let (_, all) = lookups(purgeable, None)?;
    let before = before.and_then(|before| lookups(before, None)).zip(checkup.span());
    let (asked, time) = match before {
        Some(((_, all_before), span)) if span >= UNUSED_FOR => (all.checked_sub(all_before)?, span),
        _ => (all, checkup.stats.uptime),
    };
    let held = purgeable.purgeable_bytes;
    (asked == 0 && time >= UNUSED_FOR && checkup.is_worthwhile(held)).then(|| {
        let title = format!("`{}` holds memory and is asked for nothing", shown(&purgeable.name));
        Found::new(Severity::Notice, AdviceCode::NeverAsked, title)
            .of_bytes(held)
            .size("holds", held)
            .time("not asked for", time)
            .remedy(
                "If it is filled ahead, fill it when it is needed; if nobody uses it any more, \
                 drop it",
            )
    })
}

/// Purges of one purgeable, those aside in which it was busy, before its answers are judged.
const PURGES: u64 = 5;
/// A claim is an estimate; one of four times what came back is none.
const CLAIMED_TIMES: u64 = 4;

fn futile(checkup: &Checkup, purgeable: &PurgeableStats) -> Option<Found> {
    let answered = purgeable.purges_total.saturating_sub(purgeable.busy_total);
    let (claimed, freed) = (purgeable.claimed_bytes_total, purgeable.freed_bytes_total);
    if answered < PURGES {
        return None;
    }
    let name = shown(&purgeable.name);
    let figures = |found: Found| {
        found.figure("purges", answered).size("claimed", claimed).size("measured", freed)
    };
    if checkup.is_worthwhile(claimed) && claimed / CLAIMED_TIMES >= freed {
        let title = format!("`{name}` claims to free much more than it does");
        let found = Found::new(Severity::Warning, AdviceCode::ClaimsTooMuch, title);
        return Some(figures(found.of_bytes(claimed.saturating_sub(freed))).remedy(
            "What it drops is held by somebody else too, is freed on another thread, or is \
             charged to another tag: drop the last handle inside `purge`, and register it \
             (`Entry::tag`) with the tag that it allocates under",
        ));
    }
    if freed > 0 {
        return None;
    }
    let title = format!("`{name}` was purged again and again and freed nothing");
    let could_free = purgeable.purgeable_bytes;
    // One that is empty has done what it can.
    let severity = match checkup.is_worthwhile(could_free) {
        true => Severity::Warning,
        false => Severity::Notice,
    };
    let found = Found::new(severity, AdviceCode::FutileCallbacks, title).of_bytes(could_free);
    Some(figures(found).size("says it could free", could_free).remedy(
        "Have its `purgeable_bytes` say what a purge can really free, or do not register it",
    ))
}

/// As often as not: it may be used all the time, but a purge should find it free at times.
const BUSY_SHARE: f64 = 0.5;

fn always_busy(purgeable: &PurgeableStats) -> Option<Found> {
    let (busy, purges) = (purgeable.busy_total, purgeable.purges_total);
    (busy >= PURGES && ratio(busy, purges) >= BUSY_SHARE).then(|| {
        let title = format!("`{}` is busy when it is to give memory back", shown(&purgeable.name));
        Found::new(Severity::Warning, AdviceCode::AlwaysBusy, title)
            .of_bytes(purgeable.purgeable_bytes)
            .figure("purges", purges)
            .figure("busy", busy)
            .size("could free", purgeable.purgeable_bytes)
            .remedy(
                "Hold its lock for shorter, and never while something is loaded; or use `Cache`, \
                 which is locked in parts",
            )
    })
}

fn panics(purgeable: &PurgeableStats) -> Option<Found> {
    (purgeable.panics_total > 0).then(|| {
        let title = format!("`{}` panics when it is called", shown(&purgeable.name));
        Found::new(Severity::Warning, AdviceCode::Panics, title)
            .of_bytes(purgeable.purgeable_bytes)
            .figure("panics", purgeable.panics_total)
            .remedy(
                "See the panic hook's output for where; destructors of what it drops run inside \
                 `purge` too",
            )
    })
}

/// Letters that may be wrong in a name for it to be meant.
const MISTYPED: usize = 2;

fn bounds_unused(checkup: &Checkup) -> Option<Found> {
    let unused = &checkup.stats.bounds_unused;
    let first = shown(unused.first()?);
    let registered = || checkup.stats.purgeables.iter().map(|purgeable| shown(&purgeable.name));
    let meant = registered().find(|name| strsim::damerau_levenshtein(&first, name) <= MISTYPED);
    let title = "bounds are set for names that nothing is registered under";
    let found = Found::new(Severity::Notice, AdviceCode::BoundsUnused, title)
        .figure("names", names(unused.iter().map(String::as_str)));
    let hint = match meant {
        Some(name) => format!("is `{first}` meant to be `{name}`?"),
        None => "the names must be those of the registrations".to_owned(),
    };
    Some(found.remedy(format!(
        "Correct `max_bytes` and `max_entries` (BURSAR_MAX_BYTES, BURSAR_MAX_ENTRIES), unless \
         they are registered later: {hint}"
    )))
}
