//! What was tried beside Bursar and what came of it: the best fixed size, and
//! how far Bursar is from it.

use crate::run::{Fate, Report};

/// The most points of hit rate that Bursar may be behind.
pub(crate) const MOST_POINTS: f64 = 3.0;
/// The least share of the throughput that it is to have.
pub(crate) const LEAST_THROUGHPUT: f64 = 0.95;

/// What a run comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) fate: Fate,
    pub(crate) hit_rate: f64,
    /// Requests for each second of the server's processor time.
    pub(crate) per_cpu_second: f64,
    /// Bytes.
    pub(crate) peak: u64,
    pub(crate) wrong: u64,
    pub(crate) failed: u64,
}

impl Outcome {
    pub(crate) fn of(report: &Report) -> Self {
        Self {
            fate: report.fate.clone(),
            hit_rate: report.hit_rate(),
            per_cpu_second: report.per_cpu_second().unwrap_or(0.0),
            peak: report.peak,
            wrong: report.tally.wrong,
            failed: report.tally.failed,
        }
    }
}

/// The median of what `figure` says of each run; none of no runs.
pub(crate) fn median(runs: &[Outcome], figure: impl Fn(&Outcome) -> f64) -> Option<f64> {
    let mut figures: Vec<f64> = runs.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    let below = figures.get(figures.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(*below, figures[figures.len() / 2]))
}

/// The runs of one fixed size.
#[derive(Debug)]
pub(crate) struct Size {
    pub(crate) entries: usize,
    /// While sizes were searched.
    pub(crate) trial: Outcome,
    /// In turns with Bursar's.
    pub(crate) finals: Vec<Outcome>,
}

impl Size {
    pub(crate) fn runs(&self) -> impl Iterator<Item = &Outcome> {
        std::iter::once(&self.trial).chain(&self.finals)
    }

    fn lived(&self) -> bool {
        self.runs().all(|run| run.fate.lived())
    }

    /// The runs that count: those in turns with Bursar's, if there are any.
    pub(crate) fn counting(&self) -> &[Outcome] {
        if self.finals.is_empty() { std::slice::from_ref(&self.trial) } else { &self.finals }
    }
}

/// Everything that was tried.
#[derive(Debug, Default)]
pub(crate) struct Board {
    pub(crate) sizes: Vec<Size>,
    pub(crate) bursar: Vec<Outcome>,
    pub(crate) unlimited: Option<Outcome>,
}

/// The best sizes: often one and the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Best<'a> {
    pub(crate) by_hit_rate: &'a Size,
    pub(crate) by_throughput: &'a Size,
}

/// How far Bursar is from the best of each kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Distance {
    /// Points of hit rate that it is behind; negative ahead.
    pub(crate) points: f64,
    /// Its throughput as a share of the best.
    pub(crate) throughput: f64,
}

impl Distance {
    pub(crate) fn hit_rate_passes(&self) -> bool {
        self.points <= MOST_POINTS
    }

    pub(crate) fn throughput_passes(&self) -> bool {
        self.throughput >= LEAST_THROUGHPUT
    }

    pub(crate) fn passes(&self) -> bool {
        self.hit_rate_passes() && self.throughput_passes()
    }
}

impl Board {
    /// The sizes tried and whether each lived, for the search.
    pub(crate) fn tried(&self) -> Vec<(usize, bool)> {
        self.sizes.iter().map(|size| (size.entries, size.lived())).collect()
    }

    /// The best of the sizes that lived in every run. They are told by their
    /// trials, so that the finalists stay the same while they run again.
    pub(crate) fn best(&self) -> Option<Best<'_>> {
        let by = |figure: fn(&Outcome) -> f64| {
            let alive = self.sizes.iter().filter(|size| size.lived());
            alive.max_by(|a, b| figure(&a.trial).total_cmp(&figure(&b.trial)))
        };
        Some(Best {
            by_hit_rate: by(|run| run.hit_rate)?,
            by_throughput: by(|run| run.per_cpu_second)?,
        })
    }

    /// A size that is to run again before `rounds` rounds are complete. One that
    /// is killed then makes way for the next best.
    pub(crate) fn due(&self, rounds: usize) -> Option<usize> {
        let best = self.best()?;
        let finalists = [best.by_hit_rate, best.by_throughput];
        let due = finalists.into_iter().find(|size| size.finals.len() < rounds);
        due.map(|size| size.entries)
    }

    /// Files a run of a finalist.
    pub(crate) fn add_final(&mut self, entries: usize, outcome: Outcome) {
        if let Some(size) = self.sizes.iter_mut().find(|size| size.entries == entries) {
            size.finals.push(outcome);
        }
    }

    /// Medians of Bursar's runs beside those of the best sizes, each figure
    /// beside the size that is best by it.
    pub(crate) fn distance(&self) -> Option<Distance> {
        let best = self.best()?;
        let hit_rate = |runs| median(runs, |run| run.hit_rate);
        let throughput = |runs| median(runs, |run| run.per_cpu_second);
        let behind = hit_rate(best.by_hit_rate.counting())? - hit_rate(&self.bursar)?;
        let best_throughput = throughput(best.by_throughput.counting())?;
        Some(Distance {
            points: behind * 100.0,
            throughput: throughput(&self.bursar)? / best_throughput,
        })
    }

    /// Everything that keeps the drill from being passed, whatever the distance.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        let dead = self.bursar.iter().filter(|run| !run.fate.lived());
        complaints.extend(
            dead.map(|run| format!("a server under Bursar did not live: {}", run.fate.in_words())),
        );
        if self.best().is_none() {
            complaints.push("no fixed size lived".to_owned());
        }
        let counting = self.best().into_iter().flat_map(|best| {
            [best.by_hit_rate, best.by_throughput].into_iter().flat_map(Size::counting)
        });
        if self.bursar.iter().chain(counting).any(|run| run.fate == Fate::TimeUp) {
            let why = "a run was out of time, and its figures are of fewer requests";
            complaints.push(format!("{why}: give --seconds more"));
        }
        let fixed: Vec<_> = self.sizes.iter().flat_map(Size::runs).collect();
        for (runs, whose) in
            [(self.bursar.iter().collect(), "under Bursar"), (fixed, "of fixed sizes")]
        {
            let wrong: u64 = runs.iter().map(|run| run.wrong).sum();
            let lived = runs.iter().filter(|run| run.fate.lived());
            let failed: u64 = lived.map(|run| run.failed).sum();
            for (count, what) in [(wrong, "wrong answers"), (failed, "failed requests")] {
                if count > 0 {
                    complaints.push(format!("{count} {what} {whose}"));
                }
            }
        }
        complaints
    }
}

#[cfg(test)]
mod tests;
