//! The tables of a [`View`]: columns that fit the width, and rows in order.

use std::cmp::Reverse;

use bursar::{CleanupReport, Isolation, PurgeableStats, TagUsage};
use bytesize::ByteSize;

use super::view::{PurgeableOrder, Table, TagOrder, View};
use crate::failure::plain;

/// A column: its head, its width, and whether the table is sorted by it. The first column is as
/// wide as what is left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) head: &'static str,
    pub(super) width: u16,
    pub(super) is_order: bool,
}

/// A table's text.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
}

/// A column with its cells.
struct Filled<'a, T> {
    column: Column,
    cell: Box<dyn Fn(&T) -> String + 'a>,
}

/// What the first column needs at least.
const FIRST_WIDTH: u16 = 14;

impl View {
    /// The table that is turned to, with the columns for `width`: those to the right are left out
    /// first.
    pub(super) fn text(&self, width: u16) -> Text {
        match self.table {
            Table::Tags => {
                let mut tags: Vec<_> = self.stats.tags.iter().collect();
                match self.tag_order {
                    TagOrder::Live => tags.sort_by_key(|tag| Reverse(tag.live_bytes)),
                    TagOrder::Rate => tags.sort_by_key(|tag| Reverse(self.rate(tag))),
                    TagOrder::Peak => tags.sort_by_key(|tag| Reverse(tag.peak_bytes)),
                    TagOrder::Name => tags.sort_by(|a, b| a.name.cmp(&b.name)),
                }
                fill(self.tag_columns(), &tags, width)
            }
            Table::Purgeables => {
                let mut all: Vec<_> = self.stats.purgeables.iter().collect();
                match self.purgeable_order {
                    PurgeableOrder::CouldFree => all.sort_by_key(|of| Reverse(of.purgeable_bytes)),
                    PurgeableOrder::Freed => all.sort_by_key(|of| Reverse(of.freed_bytes_total)),
                    PurgeableOrder::Purges => all.sort_by_key(|of| Reverse(of.purges_total)),
                    PurgeableOrder::Name => all.sort_by(|a, b| a.name.cmp(&b.name)),
                }
                fill(self.purgeable_columns(), &all, width)
            }
            Table::Cleanups => {
                let all: Vec<_> = self.cleanups.iter().collect();
                fill(self.cleanup_columns(), &all, width)
            }
        }
    }

    fn rate(&self, tag: &TagUsage) -> Option<u64> {
        self.rates.get(&*tag.name).copied()
    }

    fn tag_columns(&self) -> Vec<Filled<'_, TagUsage>> {
        let order = self.tag_order;
        let mut columns = vec![
            filled("tag", 0, order == TagOrder::Name, |tag: &TagUsage| plain(&tag.name)),
            filled("live", 10, order == TagOrder::Live, |tag: &TagUsage| size(tag.live_bytes)),
            filled("allocated", 12, order == TagOrder::Rate, |tag: &TagUsage| {
                match self.rate(tag) {
                    Some(rate) => format!("{}/s", size(rate)),
                    None => "-".to_owned(),
                }
            }),
            filled("peak", 10, order == TagOrder::Peak, |tag: &TagUsage| size(tag.peak_bytes)),
        ];
        // No room is taken where no tag is isolated; else only live bytes matter more.
        if self.stats.tags.iter().any(|tag| tag.isolation != Isolation::Off) {
            columns.push(filled("own pages", 10, false, own_pages));
        }
        columns.extend([
            filled("blocks", 10, false, |tag: &TagUsage| tag.live_blocks.to_string()),
            filled("charged", 10, false, |tag: &TagUsage| size(tag.charged_bytes)),
            filled("budget", 10, false, |tag: &TagUsage| {
                tag.budget_bytes.map_or("-".to_owned(), size)
            }),
        ]);
        columns
    }

    fn purgeable_columns(&self) -> Vec<Filled<'_, PurgeableStats>> {
        let order = self.purgeable_order;
        let by = |wanted| order == wanted;
        vec![
            filled("purgeable", 0, by(PurgeableOrder::Name), |of: &PurgeableStats| plain(&of.name)),
            filled("could free", 11, by(PurgeableOrder::CouldFree), |of: &PurgeableStats| {
                size(of.purgeable_bytes)
            }),
            filled("freed", 10, by(PurgeableOrder::Freed), |of: &PurgeableStats| {
                size(of.freed_bytes_total)
            }),
            filled("purges", 8, by(PurgeableOrder::Purges), |of: &PurgeableStats| {
                of.purges_total.to_string()
            }),
            filled("hits", 8, false, hit_ratio),
            filled("stage", 9, false, |of: &PurgeableStats| of.stage.to_string()),
            filled("entries", 10, false, |of: &PurgeableStats| {
                of.entries.map_or("-".to_owned(), |entries| entries.to_string())
            }),
            filled("busy", 6, false, |of: &PurgeableStats| of.busy_total.to_string()),
        ]
    }

    fn cleanup_columns(&self) -> Vec<Filled<'_, CleanupReport>> {
        let uptime = self.stats.uptime;
        let ago = move |report: &CleanupReport| {
            let seconds = uptime.saturating_sub(report.started_at).as_secs();
            format!("{seconds} s ago")
        };
        vec![
            filled("cleanup", 0, true, ago),
            filled("level", 10, false, |report: &CleanupReport| report.level.to_string()),
            filled("freed", 10, false, |report: &CleanupReport| size(report.freed_bytes)),
            filled("pages", 10, false, |report: &CleanupReport| {
                report.collected_bytes.map_or("-".to_owned(), size)
            }),
            filled("took", 9, false, |report: &CleanupReport| format!("{:.1?}", report.elapsed)),
            filled("pressure", 9, false, |report: &CleanupReport| report.diagnosis.to_string()),
            filled("asked", 10, false, |report: &CleanupReport| match report.target_bytes {
                u64::MAX => "all".to_owned(),
                bytes => size(bytes),
            }),
        ]
    }
}

fn filled<'a, T>(
    head: &'static str,
    width: u16,
    is_order: bool,
    cell: impl Fn(&T) -> String + 'a,
) -> Filled<'a, T> {
    Filled { column: Column { head, width, is_order }, cell: Box::new(cell) }
}

fn fill<T>(columns: Vec<Filled<'_, T>>, items: &[&T], width: u16) -> Text {
    let mut left = width.saturating_sub(FIRST_WIDTH);
    let shown: Vec<_> = columns
        .into_iter()
        .take_while(|filled| {
            let needed = if filled.column.width == 0 { 0 } else { filled.column.width + 1 };
            let fits = needed <= left;
            left = left.saturating_sub(needed);
            fits
        })
        .collect();
    let row = |item: &&T| shown.iter().map(|filled| (filled.cell)(item)).collect();
    let rows = items.iter().map(row).collect();
    Text { columns: shown.iter().map(|filled| filled.column).collect(), rows }
}

/// Bytes in pages of an isolated tag's own, or that it was to have some.
fn own_pages(tag: &TagUsage) -> String {
    match tag.isolation {
        Isolation::Unsupported | Isolation::Exhausted => "no arena".to_owned(),
        _ => tag.active_bytes.map_or("-".to_owned(), size),
    }
}

fn size(bytes: u64) -> String {
    ByteSize(bytes).to_string()
}

fn hit_ratio(of: &PurgeableStats) -> String {
    let (Some(hits), Some(misses)) = (of.hits_total, of.misses_total) else {
        return "-".to_owned();
    };
    match hits.saturating_add(misses) {
        0 => "-".to_owned(),
        all => format!("{:.1} %", 100.0 * hits as f64 / all as f64),
    }
}
