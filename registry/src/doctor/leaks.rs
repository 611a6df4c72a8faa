//! What grows over the recorded run without a stop: tags, and places in the code.

use std::collections::HashMap;
use std::time::Duration;

use bytesize::ByteSize;

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, shown, span};
use super::stack;
use super::tags::{SOON, UNTAGGED, cached_bytes, is_cache};
use crate::live_history::{LivePoint, SiteSeries, TagSeries};
use crate::trend::{Trend, trend};

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    let Some(history) = &checkup.history else { return Vec::new() };
    let cached = cached_bytes(checkup);
    let tags = history.tag_series().filter_map(|series| {
        let grown = trend_of_tag(checkup, &cached, series)?;
        Some(leaking_tag(checkup, series.tag(), &grown))
    });
    let sites = history.site_series().filter_map(|series| {
        let grown = trend_of_site(checkup, &cached, series)?;
        Some(leaking_site(checkup, series, &grown))
    });
    vec![tags.collect(), sites.collect()]
}

/// Whether a tag is told to leak: then nothing else is to be said of its growth.
pub(super) fn is_leaking(checkup: &Checkup, cached: &HashMap<&str, u64>, tag: &str) -> bool {
    let mut series = checkup.history.iter().flat_map(|history| history.tag_series());
    let series = series.find(|series| series.tag() == tag);
    series.is_some_and(|series| trend_of_tag(checkup, cached, series).is_some())
}

/// A series may end so much after the statistics were read; one that ends later still is of another
/// run.
const READ_AFTER: Duration = Duration::from_secs(60);

/// What is told of a tag's points.
fn trend_of_tag(
    checkup: &Checkup,
    cached: &HashMap<&str, u64>,
    series: &TagSeries,
) -> Option<Trend> {
    let trend = trend_of(checkup, series.points())?;
    let tag = checkup.stats.tags.iter().find(|tag| tag.name == series.tag())?;
    let last_bytes = series.points().next_back().map_or(0, |point| point.live_bytes);
    // Freed since the last point was taken, for the most part.
    let is_freed = last_bytes.saturating_sub(tag.live_bytes) > trend.grown_bytes / 2;
    (!is_cache(cached, tag) && !is_freed).then_some(trend)
}

/// An estimate is uncertain by its samples: growth is beyond so many standard errors. Of three,
/// one estimate in a thousand is off by as much without any growth.
const STANDARD_ERRORS: f64 = 3.0;

/// What is told of a site's points.
fn trend_of_site(
    checkup: &Checkup,
    cached: &HashMap<&str, u64>,
    series: &SiteSeries,
) -> Option<Trend> {
    let trend = trend_of(checkup, series.points())?;
    let tag = checkup.stats.tags.iter().find(|tag| tag.name == series.tag());
    if tag.is_some_and(|tag| is_cache(cached, tag)) {
        return None;
    }
    let (first, last) = ends(&trend, series.points())?;
    let error = standard_error(first, last, series.samples());
    (trend.grown_bytes as f64 > STANDARD_ERRORS * error).then_some(trend)
}

/// The bytes of the points with which growth begins and ends.
fn ends(trend: &Trend, points: impl Iterator<Item = LivePoint>) -> Option<(u64, u64)> {
    let (mut first, mut last) = (None, None);
    for point in points.filter(|point| (trend.since..=trend.until).contains(&point.at)) {
        first.get_or_insert(point.live_bytes);
        last = Some(point.live_bytes);
    }
    first.zip(last)
}

/// That of the difference of two estimates. One of `n` samples has an error of its `sqrt(n)`th
/// part, and each sample stands for about the same bytes.
fn standard_error(first: u64, last: u64, samples: u64) -> f64 {
    let of_a_sample = last as f64 / samples.max(1) as f64;
    let variance = of_a_sample * (first as f64 + last as f64);
    variance.sqrt()
}

/// Growth without a stop that is worth a finding.
fn trend_of(checkup: &Checkup, points: impl Iterator<Item = LivePoint>) -> Option<Trend> {
    let trend = trend(points.map(|point| (point.at, point.live_bytes)))?;
    let is_of_this_run = trend.until <= checkup.stats.uptime.saturating_add(READ_AFTER);
    (is_of_this_run && checkup.is_worthwhile(trend.grown_bytes)).then_some(trend)
}

fn leaking_tag(checkup: &Checkup, tag: &str, trend: &Trend) -> Found {
    let name = shown(tag);
    let title = format!("`{name}` has grown for {} without a stop", lasted(checkup, trend));
    let usage = checkup.stats.tags.iter().find(|usage| usage.name == tag);
    let found = Found::new(severity(checkup, trend), AdviceCode::LeakingTag, title);
    let found = figures(checkup, found, trend);
    let found = match usage {
        Some(usage) => found.size("live", usage.live_bytes).figure("blocks", usage.live_blocks),
        None => found,
    };
    if tag == UNTAGGED {
        return found.remedy(
            "It is not known whose bytes these are: enter a `Tag` where things are built that are \
             kept, so that one of them is named; or sample the heap (feature `profile`), which says \
             what code allocates them",
        );
    }
    found.remedy(
        "Look for what is put into it and never taken out: a map without a bound, handles that \
         keep each other alive, tasks that never end; a heap profile (feature `profile`) says \
         which code allocates it. If it is a cache, make it a `Cache` or register it, and bound it \
         by `max_bytes`; `tag_budget` keeps it from taking what others need",
    )
}

fn leaking_site(checkup: &Checkup, series: &SiteSeries, trend: &Trend) -> Found {
    let tag = shown(series.tag());
    let names = checkup.stacks.get(&series.key());
    let stack = stack::shown_stack(names.map_or(&[], Vec::as_slice), series.stack());
    let place = stack.place.unwrap_or_else(|| "one place in the code".to_owned());
    let time = lasted(checkup, trend);
    let title = format!("what {place} allocates under `{tag}` has grown for {time} without a stop");
    let found = Found::new(severity(checkup, trend), AdviceCode::LeakingSite, title);
    let last_bytes = series.points().next_back().map_or(0, |point| point.live_bytes);
    figures(checkup, found, trend)
        .size("live, by estimate", last_bytes)
        .figure("samples", series.samples())
        .figure("allocated by", stack.calls)
        .remedy(match stack.has_names {
            true => {
                "Look for what keeps what this code allocates: who holds it last, and when it \
                     is to let go"
            }
            false => {
                "`bursar profile` names the functions of these addresses; then look for what \
                      keeps what they allocate"
            }
        })
}

fn severity(checkup: &Checkup, trend: &Trend) -> Severity {
    if time_left(checkup, trend) < SOON { Severity::Critical } else { Severity::Warning }
}

/// How long it has grown by now.
fn lasted(checkup: &Checkup, trend: &Trend) -> String {
    span(checkup.stats.uptime.max(trend.until).saturating_sub(trend.since))
}

/// When the budget is reached at this rate.
fn time_left(checkup: &Checkup, trend: &Trend) -> Duration {
    let seconds = checkup.room_bytes() as f64 / (trend.bytes_per_hour / 3600.0);
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// A time that is far off is not known to the second.
const FAR: Duration = Duration::from_secs(3 * DAY);
/// Nobody knows what is then.
const VERY_FAR: Duration = Duration::from_secs(365 * DAY);
const DAY: u64 = 24 * 3600;

fn figures(checkup: &Checkup, found: Found, trend: &Trend) -> Found {
    let left = time_left(checkup, trend);
    let reached = match (checkup.room_bytes(), left) {
        (0, _) => "no time: it is reached".to_owned(),
        (_, left) if left < FAR => span(left),
        (_, left) if left < VERY_FAR => format!("{} days", left.as_secs() / DAY),
        _ => "more than a year".to_owned(),
    };
    found
        .of_bytes(trend.grown_bytes)
        .size("grew by", trend.grown_bytes)
        .figure("an hour", ByteSize(trend.bytes_per_hour as u64))
        .figure("confidence", percent(trend.confidence))
        .figure("budget reached in", reached)
}

/// No test is sure: what is more than 99.9 % is told so.
fn percent(confidence: f64) -> String {
    let most = 0.999;
    if confidence > most {
        return "more than 99.9 %".to_owned();
    }
    format!("{:.1} %", 100.0 * confidence)
}
