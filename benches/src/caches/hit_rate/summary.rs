//! The hit rates of all traces side by side, as a table and as a chart.

use super::Entrant;
use super::contestant::{OURS, PLAIN_LRU};
use super::play::Played;
use crate::chart::{Bar, Bars, Chart, Drawing, Group, Hue, Series};
use crate::findings::Findings;
use crate::measure::{Spread, Table, cell};

/// What the caches did with each trace, at equal bytes.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// The caches, as the first trace had them.
    titles: Vec<&'static str>,
    traces: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    title: &'static str,
    /// By cache, in per cent.
    hits: Vec<Option<Spread>>,
    bytes_an_entry: Vec<Option<Spread>>,
}

impl Summary {
    /// Adds a trace.
    pub(super) fn add(
        &mut self,
        trace: &'static str,
        entrants: &[Entrant],
        played: &[Vec<Played>],
    ) {
        if self.titles.is_empty() {
            self.titles = entrants.iter().map(|(contestant, _)| contestant.title).collect();
        }
        let of = |figure: fn(&Played) -> f64| {
            played.iter().map(|rounds| Spread::of(rounds.iter().map(figure))).collect()
        };
        let (hits, bytes_an_entry) = (of(Played::hit_percent), of(Played::bytes_an_entry));
        self.traces.push(Row { title: trace, hits, bytes_an_entry });
    }

    /// The table, with what an entry takes under it, and the chart.
    pub(super) fn findings(&self, percent: u64) -> Findings {
        let what = format!("hit rate in %, at the bytes of an lru of {percent} % of the keys");
        let titles = self.titles.iter().copied().map(str::to_owned);
        let mut table = Table::new(std::iter::once(what).chain(titles));
        for row in &self.traces {
            let cells = row.hits.iter().map(|hits| cell(*hits, 1));
            table.add(std::iter::once(row.title.to_owned()).chain(cells));
        }
        for row in &self.traces {
            let cells = row.bytes_an_entry.iter().map(|bytes| cell(*bytes, 0));
            table.add(std::iter::once(format!("bytes an entry, {}", row.title)).chain(cells));
        }
        Findings { tables: vec![table], charts: vec![self.chart()] }
    }

    fn chart(&self) -> Chart {
        let bars = |row: &Row| {
            let bars = row.hits.iter().enumerate();
            bars.filter_map(|(number, hits)| Some(Bar::of(number, (*hits)?))).collect()
        };
        let group = |row: &Row| Group { title: row.title.to_owned(), bars: bars(row) };
        let mut peers = [Hue::Orange, Hue::Purple].into_iter().cycle();
        let mut hue = |title: &str| match title {
            PLAIN_LRU => Some(Hue::Grey),
            OURS => Some(Hue::Blue),
            _ if title.starts_with(OURS) => Some(Hue::Green),
            _ => peers.next(),
        };
        let series = self.titles.iter();
        let series = series.map(|title| Series::new(*title, hue(title).unwrap_or(Hue::Vermilion)));
        Chart {
            name: "caches",
            title: "Hit rates of caches that take the same bytes".to_owned(),
            drawing: Drawing::Bars(Bars {
                axis: "hits in per cent, more is better".to_owned(),
                decimals: 1,
                series: series.collect(),
                groups: self.traces.iter().map(group).collect(),
                mark: None,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::contestant::bounded_by_entries;
    use super::super::play::play;
    use super::super::trace::Trace;
    use super::*;

    #[test]
    fn a_trace_is_a_row_of_hit_rates_one_of_bytes_and_a_group_of_bars() {
        let trace = Trace { keys: (0..100).cycle().take(1_000).collect() };
        let entrants: Vec<Entrant> = bounded_by_entries().into_iter().map(|it| (it, 200)).collect();
        let played =
            entrants.iter().map(|&(it, capacity)| vec![play(it, capacity, &trace).unwrap()]);
        let mut summary = Summary::default();
        summary.add("round and round", &entrants, &played.collect::<Vec<_>>());
        let found = summary.findings(10);
        let table = found.tables[0].to_string();
        assert!(table.contains("| round and round") && table.contains(" 100.0 ("), "{table}");
        assert!(table.contains("| bytes an entry, round and round"), "{table}");
        let Drawing::Bars(bars) = &found.charts[0].drawing else { panic!("they are bars") };
        assert_eq!(bars.groups[0].bars.len(), entrants.len());
        assert_eq!(bars.series[1].hue, Hue::Blue);
    }
}
