//! The text of `bursar status`.

use std::fmt::Write;
use std::time::Duration;

use bursar::{History, Isolation, PressureLevel, Stats, TagUsage};
use bytesize::ByteSize;

use crate::bar;
use crate::failure::plain;
use crate::output::Colours;

/// Tags that a short summary shows.
const TAGS: usize = 5;
const BAR_WIDTH: usize = 40;

/// A dozen lines: what one wants to know first.
pub(super) fn short(stats: &Stats, colours: Colours) -> String {
    let mut lines = Vec::new();
    let level = colours.paint(stats.level, stats.level.as_str());
    // A level that was entered is left some way below where it begins.
    let is_held =
        stats.level > PressureLevel::Normal && stats.usage_ratio < stats.watermarks.of(stats.level);
    let held = if is_held { " (held until usage is well below)" } else { "" };
    let pressure = stats.diagnosis.map(|what| format!(", {what} pressure")).unwrap_or_default();
    lines.push(format!(
        "level      {level} at {:.1} % of the budget of {}{pressure}{held}",
        100.0 * stats.usage_ratio,
        ByteSize(stats.soft_limit_bytes),
    ));
    let bar = bar::text(stats.usage_ratio, &stats.watermarks, BAR_WIDTH);
    let marks = &stats.watermarks;
    let [warning, critical, emergency] =
        [marks.warning, marks.critical, marks.emergency].map(|share| 100.0 * share);
    lines.push(format!(
        "           [{}] warning {warning:.0} %, critical {critical:.0} %, emergency \
         {emergency:.0} %",
        colours.paint(stats.level, &bar)
    ));
    // Whose limit stands in one line of its own.
    lines.push(format!("limit      {}", plain(&limit(stats)).replace('\n', " ")));
    lines.push(format!("memory     {}", memory(stats)));
    lines.extend(tags(stats));
    lines.push(format!("purgeable  {}", purgeables(stats)));
    lines.push(format!("cleanups   {}", plain(&cleanups(stats))));
    lines.extend(
        troubles(stats).into_iter().map(|trouble| format!("note       {}", plain(&trouble))),
    );
    lines.push(format!("running    {}", up(stats.uptime)));
    lines.join("\n")
}

fn limit(stats: &Stats) -> String {
    let text = stats.limits.to_string();
    text.strip_prefix("limit from ").map(str::to_owned).unwrap_or(text)
}

fn memory(stats: &Stats) -> String {
    let figures = [
        ("live", Some(stats.live_bytes)),
        ("active", stats.sample.active_bytes),
        ("dirty", stats.sample.dirty_bytes),
        ("resident", stats.sample.resident_bytes),
        ("working set", stats.sample.working_set_bytes),
        ("charged", Some(stats.charged_bytes).filter(|&bytes| bytes > 0)),
        ("reserved", Some(stats.reserved_bytes).filter(|&bytes| bytes > 0)),
    ];
    let known = figures.into_iter().filter_map(|(name, bytes)| Some((name, bytes?)));
    known.map(|(name, bytes)| format!("{name} {}", ByteSize(bytes))).collect::<Vec<_>>().join(", ")
}

fn tags(stats: &Stats) -> Vec<String> {
    let mut tags: Vec<_> = stats.tags.iter().collect();
    tags.sort_by_key(|tag| std::cmp::Reverse(tag.live_bytes));
    let rest = tags.split_off(tags.len().min(TAGS));
    let mut lines: Vec<_> = tags
        .iter()
        .map(|tag| {
            let (name, live) = (plain(&tag.name).replace('\n', " "), ByteSize(tag.live_bytes));
            format!("{name:<32} {:>12}{}", live.to_string(), isolation(tag))
        })
        .collect();
    if !rest.is_empty() {
        let live = rest.iter().map(|tag| tag.live_bytes).fold(0, u64::saturating_add);
        let name = format!("{} more", rest.len());
        lines.push(format!("{name:<32} {:>12}", ByteSize(live).to_string()));
    }
    let head = |index| if index == 0 { "tags       " } else { "           " };
    lines.iter().enumerate().map(|(index, line)| format!("{}{line}", head(index))).collect()
}

/// What is to be said behind an isolated tag's live bytes.
fn isolation(tag: &TagUsage) -> String {
    match (tag.isolation, tag.active_bytes) {
        (Isolation::Arena, Some(active)) => format!("  isolated, in {} of pages", ByteSize(active)),
        (Isolation::Unsupported | Isolation::Exhausted, _) => "  not isolated".to_owned(),
        _ => String::new(),
    }
}

fn purgeables(stats: &Stats) -> String {
    let count = stats.purgeables.len();
    let could_free =
        stats.purgeables.iter().map(|of| of.purgeable_bytes).fold(0, u64::saturating_add);
    match count {
        0 => "nothing is registered: there is nothing that could be freed".to_owned(),
        1 => format!("{} in 1 registered", ByteSize(could_free)),
        _ => format!("{} in {count} registered", ByteSize(could_free)),
    }
}

fn cleanups(stats: &Stats) -> String {
    if stats.cleanups_total == 0 {
        return "none".to_owned();
    }
    let mut text = format!(
        "{}, which freed {} and gave {} of pages back",
        stats.cleanups_total,
        ByteSize(stats.freed_bytes_total),
        ByteSize(stats.collected_bytes_total),
    );
    if let Some(last) = &stats.last_cleanup {
        let ago = stats.uptime.saturating_sub(last.started_at);
        let (freed, level) = (ByteSize(last.freed_bytes), last.level);
        let _ = write!(text, "; the last, {} ago at {level}, freed {freed}", rounded(ago));
    }
    text
}

/// What is not as it should be.
fn troubles(stats: &Stats) -> Vec<String> {
    let mut troubles = Vec::new();
    if let Some(stall) = &stats.stall {
        let (name, time) = (&stall.name, rounded(stall.running_for));
        troubles.push(format!("{name} has not returned from its callback for {time}"));
    }
    if let Some(cooldown) = &stats.cooldown {
        troubles.push(format!("cleanups wait {}: {}", rounded(cooldown.wait), cooldown.reason));
    }
    if stats.futile_cleanups_total > 0 {
        troubles.push(format!("{} cleanups freed next to nothing", stats.futile_cleanups_total));
    }
    let is_refused =
        |tag: &&TagUsage| matches!(tag.isolation, Isolation::Unsupported | Isolation::Exhausted);
    let refused: Vec<_> = stats.tags.iter().filter(is_refused).map(|tag| &*tag.name).collect();
    if !refused.is_empty() {
        troubles.push(format!("isolated in name only: {}", refused.join(", ")));
    }
    if !stats.bounds_unused.is_empty() {
        let names = stats.bounds_unused.join(", ");
        troubles.push(format!("bounded but not registered: {names}"));
    }
    if let Some(error) = &stats.last_report_error {
        troubles.push(format!("the last report could not be written: {error}"));
    }
    if stats.level >= PressureLevel::Critical {
        troubles.push("`bursar doctor` says what may be wrong and what to do".to_owned());
    }
    troubles.into_iter().map(|trouble| trouble.replace('\n', " ")).collect()
}

fn up(uptime: Duration) -> String {
    format!("for {}", rounded(uptime))
}

/// In whole seconds from one second on, in milliseconds below.
fn rounded(time: Duration) -> String {
    let rounded = match time {
        _ if time >= Duration::from_secs(1) => Duration::from_secs(time.as_secs()),
        _ => Duration::from_millis(u64::from(time.subsec_millis())),
    };
    humantime::format_duration(rounded).to_string()
}

/// All there is.
pub(super) fn whole(stats: &Stats, history: &History) -> String {
    let mut text = format!(
        "bursar {} in the service, running for {}\n{stats}",
        stats.version,
        rounded(stats.uptime)
    );
    if !stats.unavailable.is_empty() {
        text.push_str("\n\nnot known:");
        for (figure, reason) in &stats.unavailable {
            let _ = write!(text, "\n  {figure}: {reason}");
        }
    }
    text.push_str("\n\nlimits asked for:");
    for candidate in &stats.limits.candidates {
        let _ = write!(text, "\n  {candidate}");
    }
    write_purgeables(&mut text, stats);
    write_requests(&mut text, stats);
    if let Some(error) = &stats.last_report_error {
        let _ = write!(text, "\nthe last report could not be written: {error}");
    }
    let _ = write!(text, "\n\n{history}");
    text
}

fn write_purgeables(text: &mut String, stats: &Stats) {
    if stats.purgeables.is_empty() {
        return;
    }
    let [name, entries, hits, misses, busy, panics, claimed] =
        ["purgeable", "entries", "hits", "misses", "busy", "panics", "claimed"];
    let _ = write!(
        text,
        "\n\n{name:<24} {entries:>10} {hits:>12} {misses:>12} {busy:>6} {panics:>6} {claimed:>12}"
    );
    let known = |figure: Option<u64>| figure.map_or_else(|| "-".to_owned(), |it| it.to_string());
    for of in &stats.purgeables {
        let [entries, hits, misses] = [of.entries, of.hits_total, of.misses_total].map(known);
        let (name, busy, panics) = (&of.name, of.busy_total, of.panics_total);
        let claimed = ByteSize(of.claimed_bytes_total).to_string();
        let _ = write!(
            text,
            "\n{name:<24} {entries:>10} {hits:>12} {misses:>12} {busy:>6} {panics:>6} \
             {claimed:>12}"
        );
    }
}

fn write_requests(text: &mut String, stats: &Stats) {
    if stats.requests_in_flight > 0 {
        let _ = write!(text, "\n{} requests are being answered", stats.requests_in_flight);
    }
    for heavy in &stats.heaviest_requests {
        let (route, peak) = (&heavy.route, ByteSize(heavy.usage.peak_bytes));
        let (at, took) = (rounded(heavy.at), rounded(heavy.elapsed));
        let _ = write!(text, "\nheavy: {route} needed {peak} at once, at {at}, in {took}");
    }
}
