//! The end of a drill: both runs side by side, and whether it was passed.

use crate::run::{Fate, Report};
use bytesize::ByteSize;
use comfy_table::{CellAlignment, Table, presets};
use std::time::Duration;

/// Both runs.
#[derive(Debug)]
pub(crate) struct Both {
    pub(crate) bare: Report,
    pub(crate) bursar: Report,
    /// Whether the kernel held the limit and nothing bounded the bare run.
    pub(crate) must_kill: bool,
}

impl Both {
    /// The table that ends a drill.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["", "bare allocator", "with Bursar"]);
        let mut row = |name: &str, show: &dyn Fn(&Report) -> String| {
            table.add_row([name.to_owned(), show(&self.bare), show(&self.bursar)]);
        };
        row("fate", &|run| run.fate.in_words());
        row("alive", &|run| format!("{:.1} s", run.alive.as_secs_f64()));
        row("requests served", &|run| grouped(run.tally.served));
        row("data sent", &|run| bytes(run.tally.bytes));
        row("requests a second", &|run| grouped(run.throughput() as u64));
        row("requests a CPU-second", &|run| or_dash(run.per_cpu_second()));
        row("hit rate", &|run| format!("{:.1} %", run.hit_rate() * 100.0));
        row("latency p50", &|run| run.latency(0.5));
        row("latency p99", &|run| run.latency(0.99));
        row("latency p99.9", &|run| run.latency(0.999));
        row("peak memory", &|run| bytes(run.peak));
        row("wrong answers", &|run| grouped(run.tally.wrong));
        row("failed requests", &|run| grouped(run.tally.failed));
        row("cleanups", &|run| or_dash(run.reclaim.map(|did| did.cleanups)));
        row("given back: entries", &|run| or_dash_bytes(run.reclaim.map(|did| did.freed)));
        row("given back: pages", &|run| or_dash_bytes(run.reclaim.map(|did| did.collected)));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.to_string()
    }

    /// Everything that should have gone otherwise; nothing if all went well.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if !matches!(self.bursar.fate, Fate::Served | Fate::TimeUp) {
            let fate = self.bursar.fate.in_words();
            complaints.push(format!("the server under Bursar did not live: {fate}"));
        }
        let ended_early = matches!(self.bare.fate, Fate::Killed | Fate::Stopped);
        if ended_early && self.bursar.tally.served < self.bare.tally.served {
            complaints.push("the server under Bursar did not outlive the bare one".to_owned());
        }
        if self.must_kill && self.bare.fate != Fate::Killed {
            let fate = self.bare.fate.in_words();
            complaints.push(format!("the bare server was not killed by the kernel: {fate}"));
        }
        for (run, name) in [(&self.bare, "bare"), (&self.bursar, "Bursar's")] {
            if run.tally.wrong > 0 {
                complaints.push(format!("{} wrong answers in the {name} run", run.tally.wrong));
            }
        }
        if self.bursar.tally.failed > 0 {
            complaints.push(format!("{} requests failed under Bursar", self.bursar.tally.failed));
        }
        complaints
    }
}

impl Fate {
    fn in_words(&self) -> String {
        match self {
            Fate::Served => "served everything".to_owned(),
            Fate::TimeUp => "still serving when its time was up".to_owned(),
            Fate::Killed => "killed by the kernel".to_owned(),
            Fate::Stopped => "stopped by the drill".to_owned(),
            Fate::Died(how) => format!("ended: {how}"),
        }
    }
}

impl Report {
    fn throughput(&self) -> f64 {
        self.tally.served as f64 / self.alive.max(Duration::from_millis(1)).as_secs_f64()
    }

    /// Requests for each second of the server's processor time.
    fn per_cpu_second(&self) -> Option<u64> {
        let last = self.samples.last()?;
        let rate = last.served as f64 / last.cpu.as_secs_f64();
        rate.is_finite().then_some(rate as u64)
    }

    fn hit_rate(&self) -> f64 {
        self.tally.hits as f64 / self.tally.served.max(1) as f64
    }

    fn latency(&self, quantile: f64) -> String {
        let micros = self.tally.latencies.value_at_quantile(quantile);
        format!("{:.1} ms", micros as f64 / 1_000.0)
    }
}

fn bytes(bytes: u64) -> String {
    ByteSize(bytes).display().iec().to_string()
}

fn or_dash_bytes(number: Option<u64>) -> String {
    number.map_or_else(dash, bytes)
}

fn dash() -> String {
    "-".to_owned()
}

fn or_dash(number: Option<u64>) -> String {
    number.map_or_else(dash, grouped)
}

/// A number with a comma between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let lead = digits.len() % 3;
    let (head, tail) = digits.split_at(lead);
    let groups = tail.as_bytes().chunks(3).map(String::from_utf8_lossy);
    let all: Vec<_> = (lead > 0).then(|| head.into()).into_iter().chain(groups).collect();
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Tally;

    fn report(fate: Fate) -> Report {
        Report {
            fate,
            alive: Duration::from_secs(2),
            tally: Tally::new().expect("a tally"),
            samples: Vec::new(),
            peak: 128 << 20,
            swap: None,
            reclaim: None,
        }
    }

    fn both(bare: Fate, bursar: Fate, must_kill: bool) -> Both {
        Both { bare: report(bare), bursar: report(bursar), must_kill }
    }

    #[test]
    fn a_drill_is_passed_when_only_the_bare_server_is_killed() {
        assert!(both(Fate::Killed, Fate::Served, true).complaints().is_empty());
        assert!(both(Fate::Stopped, Fate::Served, false).complaints().is_empty());
        assert_eq!(both(Fate::Killed, Fate::Killed, true).complaints().len(), 1);
        assert_eq!(both(Fate::Served, Fate::Served, true).complaints().len(), 1);
    }

    #[test]
    fn wrong_answers_in_either_run_are_complained_of() {
        let mut both = both(Fate::Killed, Fate::Served, true);
        both.bare.tally.wrong = 1;
        assert_eq!(both.complaints(), ["1 wrong answers in the bare run"]);
    }

    #[test]
    fn thousands_are_grouped() {
        let shown = [0, 999, 1_000, 1_234_567].map(grouped);
        assert_eq!(shown, ["0", "999", "1,000", "1,234,567"]);
    }
}
