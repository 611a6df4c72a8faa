//! What a soak came to, and whether it kept what it is held to.

use crate::churn::Churned;
use crate::row::Row;
use crate::run::budget_of;
use crate::show::{self, bytes, grouped, or_dash, percent, seconds};
use crate::verdict::Verdict;
use bursar::PressureLevel;
use std::time::Duration;

/// What Bursar holds itself is in the last quarter of the time at most so many
/// times what it was in the second.
const GROWTH: f64 = 1.05;
/// Its history fills for a while: shorter soaks are not judged by its growth.
const JUDGED_FROM: Duration = Duration::from_secs(1_800);
/// A limit that has not changed for so many rows has been followed.
const FOLLOWED_AFTER: usize = 5;

/// How a soak ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Its time was up.
    Served,
    /// The user ended it.
    Interrupted,
    /// The kernel killed the server for want of memory.
    Killed,
    /// The server ended in another way.
    Died(String),
}

/// What came of a soak.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) end: End,
    pub(crate) lasted: Duration,
    /// Whether the churn was ended and compared a last time.
    pub(crate) finished: bool,
    pub(crate) contained: bool,
    pub(crate) swap: Option<&'static str>,
    /// The most that was ever charged to the container.
    pub(crate) peak: Option<u64>,
    pub(crate) limit_changes: u64,
    pub(crate) rows: Vec<Row>,
    pub(crate) churned: Churned,
    pub(crate) served: u64,
    pub(crate) hits: u64,
    pub(crate) failed: u64,
    pub(crate) wrong: u64,
    /// Statistics that were asked for and not had.
    pub(crate) unread: u64,
    pub(crate) server_cores: Option<f64>,
    pub(crate) client_cores: Option<f64>,
}

impl End {
    fn in_words(&self) -> String {
        match self {
            End::Served => "served to the end".to_owned(),
            End::Interrupted => "served until the soak was interrupted".to_owned(),
            End::Killed => "killed by the kernel".to_owned(),
            End::Died(how) => format!("ended: {how}"),
        }
    }

    fn lived(&self) -> bool {
        matches!(self, End::Served | End::Interrupted)
    }
}

impl Outcome {
    /// The table that ends a soak.
    pub(crate) fn table(&self) -> String {
        let mut table = show::table(["", "soak"]);
        let mut row = |name: &str, shown: String| {
            table.add_row([name.to_owned(), shown]);
        };
        let last = self.rows.last().copied().unwrap_or_default();
        let churned = &self.churned;
        let level = self.rows.iter().map(|row| row.level).max().unwrap_or(PressureLevel::Normal);
        let cores = |cores| or_dash(cores, |cores: f64| format!("{cores:.2}"));
        row("lasted", seconds(self.lasted));
        row("cores used by the server", cores(self.server_cores));
        row("cores used by the load", cores(self.client_cores));
        row("requests served", grouped(self.served));
        row("hit rate", percent(self.hits as f64 / self.served.max(1) as f64));
        row("peak of the container", or_dash(self.peak, bytes));
        row("swap", self.swap.unwrap_or("-").to_owned());
        row("changes of the limit", grouped(self.limit_changes));
        row("cleanups", grouped(last.cleanups));
        row("highest level seen", level.to_string());
        row("threads", grouped(churned.threads));
        row("tags made", grouped(churned.tags));
        row("tags refused, all numbers in use", grouped(churned.tags_refused));
        row("purgeables registered", grouped(churned.shelves));
        row("comparisons", grouped(churned.comparisons));
        row("tags compared", grouped(churned.tags_compared));
        row("data compared", bytes(churned.bytes_compared));
        show::align(&mut table);
        table.to_string()
    }

    /// Everything that the soak is held to.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        let Self { churned, failed, wrong, unread, .. } = self;
        let cleanups = self.rows.last().map_or(0, |row| row.cleanups);
        let verdict = |what, found, bar: &str, passed| {
            let bar = bar.to_owned();
            Verdict { what, found, bar, passed }
        };
        vec![
            verdict("the server", self.end.in_words(), "serves to the end", self.end.lived()),
            verdict(
                "answers",
                format!("{wrong} wrong, {failed} failed, of {}", grouped(self.served + failed)),
                "some, none wrong, none failed",
                self.served > 0 && *wrong == 0 && *failed == 0,
            ),
            verdict(
                "sums by tag",
                format!(
                    "{} differences in {} comparisons",
                    churned.differences, churned.comparisons
                ),
                "none, at the end either",
                self.finished && churned.bytes_compared > 0 && churned.differences == 0,
            ),
            verdict(
                "blocks",
                format!("{} spoiled, {} churners lost", churned.spoiled, churned.lost),
                "none",
                churned.spoiled == 0 && churned.lost == 0,
            ),
            self.growth(),
            self.following(),
            verdict("cleanups", grouped(cleanups), "some", cleanups > 0),
            verdict("statistics", format!("{unread} not answered"), "none", *unread == 0),
        ]
    }

    /// Bursar's own memory in the last quarter of the time, beside the second.
    fn growth(&self) -> Verdict {
        let quarter = self.rows.len() / 4;
        let median = |rows: &[Row]| median(rows.iter().map(|row| row.bursar).collect());
        let second = median(&self.rows[quarter..quarter * 2]);
        let last = median(&self.rows[quarter * 3..]);
        let found = second.zip(last);
        let flat = found.is_some_and(|(second, last)| last as f64 <= second as f64 * GROWTH);
        Verdict {
            what: "Bursar's own memory, in the second and the last quarter",
            found: or_dash(found, |(second, last)| format!("{}, {}", bytes(second), bytes(last))),
            bar: "5 % more at most, judged from half an hour on".to_owned(),
            passed: flat || self.lasted < JUDGED_FROM,
        }
    }

    /// Whether the budget was what follows from the limit, wherever the limit had
    /// stood for a while.
    fn following(&self) -> Verdict {
        let steady = |rows: &&[Row]| rows.iter().all(|row| row.limit == rows[0].limit);
        let steady: Vec<_> = self.rows.windows(FOLLOWED_AFTER + 1).filter(steady).collect();
        let strays = |rows: &&&[Row]| {
            let row = rows[FOLLOWED_AFTER];
            row.limit.is_some_and(|limit| row.budget != budget_of(limit))
        };
        let strays = steady.iter().filter(strays).count();
        Verdict {
            what: "the budget follows the limit",
            found: format!("{strays} strays in {} seconds of a steady limit", steady.len()),
            bar: "none".to_owned(),
            passed: strays == 0 && (!steady.is_empty() || !self.contained),
        }
    }
}

/// The middle figure, of an even number the one below the middle.
fn median(mut figures: Vec<u64>) -> Option<u64> {
    figures.sort_unstable();
    figures.get(figures.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests;
