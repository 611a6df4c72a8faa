//! The end of a drill: its runs side by side, and whether it was passed.

use crate::run::{Fate, Report};
use crate::server::Reclaim;
use crate::show::{self, bytes, grouped, or_dash, percent};
use std::time::Duration;

/// The runs of a drill.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) bare: Report,
    pub(crate) bursar: Report,
    /// The same with unlimited memory, if that was asked for.
    pub(crate) unlimited: Option<Report>,
    /// Whether the kernel held the limit and nothing bounded the bare run.
    pub(crate) must_kill: bool,
}

impl Runs {
    /// The table that ends a drill.
    pub(crate) fn table(&self) -> String {
        let mut named = vec![("bare allocator", &self.bare), ("with Bursar", &self.bursar)];
        named.extend(self.unlimited.as_ref().map(|run| ("unlimited memory", run)));
        table(&named)
    }

    /// Everything that should have gone otherwise; nothing if all went well.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        if !self.bursar.fate.lived() {
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

/// Runs with their names, side by side.
pub(crate) fn table(runs: &[(&str, &Report)]) -> String {
    let names = runs.iter().map(|&(name, _)| name);
    let mut table = show::table([""].into_iter().chain(names));
    let mut row = |name: &str, show: &dyn Fn(&Report) -> String| {
        let cells = runs.iter().map(|&(_, run)| show(run));
        table.add_row([name.to_owned()].into_iter().chain(cells).collect::<Vec<_>>());
    };
    row("fate", &|run| run.fate.in_words());
    row("alive", &|run| show::seconds(run.alive));
    row("requests served", &|run| grouped(run.tally.served));
    row("data sent", &|run| bytes(run.tally.bytes));
    row("requests a second", &|run| grouped(run.throughput() as u64));
    row("requests a CPU-second", &|run| or_dash(run.per_cpu_second(), |rate| grouped(rate as u64)));
    row("hit rate", &|run| percent(run.hit_rate()));
    row("latency p50", &|run| run.latency(0.5));
    row("latency p99", &|run| run.latency(0.99));
    row("latency p99.9", &|run| run.latency(0.999));
    row("peak memory", &|run| bytes(run.peak));
    row("wrong answers", &|run| grouped(run.tally.wrong));
    row("failed requests", &|run| grouped(run.tally.failed));
    row("cleanups", &|run| or_dash(run.reclaim(), |did| grouped(did.cleanups)));
    row("given back: entries", &|run| or_dash(run.reclaim(), |did| bytes(did.freed)));
    row("given back: pages", &|run| or_dash(run.reclaim(), |did| bytes(did.collected)));
    show::align(&mut table);
    table.to_string()
}

impl Fate {
    pub(crate) fn in_words(&self) -> String {
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
    /// Requests served a second.
    pub(crate) fn throughput(&self) -> f64 {
        self.tally.served as f64 / self.alive.max(Duration::from_millis(1)).as_secs_f64()
    }

    /// Requests for each second of the server's processor time.
    pub(crate) fn per_cpu_second(&self) -> Option<f64> {
        let last = self.samples.last()?;
        let rate = last.served as f64 / last.cpu.as_secs_f64();
        rate.is_finite().then_some(rate)
    }

    /// Cores that the server used on average.
    pub(crate) fn cores_used(&self) -> Option<f64> {
        let last = self.samples.last()?;
        let cores = last.cpu.as_secs_f64() / last.at.as_secs_f64();
        cores.is_finite().then_some(cores)
    }

    pub(crate) fn hit_rate(&self) -> f64 {
        self.tally.hits as f64 / self.tally.served.max(1) as f64
    }

    /// By how much memory grew while the last `requests` were answered, as far
    /// as the samples tell: over no fewer than those.
    pub(crate) fn growth(&self, requests: u64) -> Option<u64> {
        let last = self.samples.last()?;
        let before = last.served.checked_sub(requests)?;
        let first = self.samples.iter().rfind(|sample| sample.served <= before)?;
        Some(last.memory.saturating_sub(first.memory))
    }

    pub(crate) fn reclaim(&self) -> Option<Reclaim> {
        self.account?.bursar
    }

    fn latency(&self, quantile: f64) -> String {
        let micros = self.tally.latencies.value_at_quantile(quantile);
        format!("{:.1} ms", micros as f64 / 1_000.0)
    }
}

#[cfg(test)]
pub(crate) fn report(fate: Fate) -> Report {
    Report {
        fate,
        alive: Duration::from_secs(2),
        tally: crate::load::Tally::new().expect("a tally"),
        samples: Vec::new(),
        peak: 128 << 20,
        swap: None,
        throttled: None,
        account: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Sample;

    fn runs(bare: Fate, bursar: Fate, must_kill: bool) -> Runs {
        Runs { bare: report(bare), bursar: report(bursar), unlimited: None, must_kill }
    }

    #[test]
    fn a_drill_is_passed_when_only_the_bare_server_is_killed() {
        assert!(runs(Fate::Killed, Fate::Served, true).complaints().is_empty());
        assert!(runs(Fate::Stopped, Fate::Served, false).complaints().is_empty());
        assert_eq!(runs(Fate::Killed, Fate::Killed, true).complaints().len(), 1);
        assert_eq!(runs(Fate::Served, Fate::Served, true).complaints().len(), 1);
    }

    #[test]
    fn wrong_answers_in_either_run_are_complained_of() {
        let mut runs = runs(Fate::Killed, Fate::Served, true);
        runs.bare.tally.wrong = 1;
        assert_eq!(runs.complaints(), ["1 wrong answers in the bare run"]);
    }

    #[test]
    fn the_table_has_a_column_for_unlimited_memory_only_if_there_is_such_a_run() {
        let mut runs = runs(Fate::Killed, Fate::Served, true);
        assert!(!runs.table().contains("unlimited memory"));
        runs.unlimited = Some(report(Fate::Served));
        assert!(runs.table().contains("unlimited memory"));
    }

    #[test]
    fn growth_is_what_came_with_the_last_requests_and_nothing_after_a_cleanup() {
        let mut report = report(Fate::Served);
        let sample = |served, memory| Sample {
            at: Duration::from_secs(served),
            memory,
            cpu: Duration::from_secs(served / 2),
            served,
        };
        assert_eq!(report.growth(100), None);
        report.samples = vec![sample(10, 5), sample(900, 7), sample(950, 40), sample(1_000, 50)];
        assert_eq!(report.growth(100), Some(43));
        assert_eq!(report.growth(50), Some(10));
        assert_eq!(report.growth(1_000), None);
        assert_eq!(report.per_cpu_second(), Some(2.0));
        assert_eq!(report.cores_used(), Some(0.5));
        report.samples.push(sample(1_100, 3));
        assert_eq!(report.growth(100), Some(0));
    }
}
