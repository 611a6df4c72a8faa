//! What a look of the monitor, a plan and a cleanup cost with one purgeable registered and with a
//! thousand.

use std::error::Error;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use bursar::{
    Budget, Bursar, Candidate, Diagnosis, Entry, Ladder, PressureLevel, PurgeOutcome, PurgeRequest,
    Purgeable, RebuildCost, Registration, Sample, Stage, Tag,
};

use crate::chart::{Chart, Drawing, Hue, Line, Lines, Series};
use crate::findings::Findings;
use crate::measure::{Options, Spread, Table, cell, in_turns, of_this_thread};

pub(crate) const ROUNDS: usize = 9;
const REGISTERED: [usize; 4] = [1, 10, 100, 1000];

static TAG: Tag = Tag::new("purgeables");
static BALLAST: Tag = Tag::new("ballast");

/// Nothing presses.
const CALM_BYTES: u64 = 2 << 30;
/// Nearly all of it is ballast, which is never written to: no memory is used.
const PRESSED_BYTES: u64 = 1 << 30;
const BALLAST_BYTES: usize = 1 << 30;
/// What each purgeable has to free: all together far from enough.
const BLOCK_BYTES: usize = 4 << 10;

/// What is timed.
struct Row {
    title: &'static str,
    hue: Hue,
    /// Its microseconds.
    measure: fn(registered: usize, is_quick: bool) -> Result<f64, Box<dyn Error>>,
}

const ROWS: [Row; 4] = [
    Row { title: "a look, nothing due: checkpoint()", hue: Hue::Blue, measure: look },
    Row { title: "a plan: Ladder::plan", hue: Hue::Green, measure: plan },
    Row { title: "a cleanup that asks everyone", hue: Hue::Orange, measure: clean_up },
    Row { title: "all figures: stats()", hue: Hue::Purple, measure: read_stats },
];

/// Microseconds by row and number registered, each by round.
type Micros = Vec<Vec<Vec<f64>>>;

/// The table and the chart.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    let mut micros = Micros::new();
    for row in &ROWS {
        eprintln!("{} rounds: {}", options.rounds, row.title);
        let of_row = in_turns(options.rounds, REGISTERED.len(), |number| {
            (row.measure)(REGISTERED[number], options.quick)
        })?;
        micros.push(of_row);
    }
    Ok(Findings { tables: vec![table(&micros)], charts: vec![chart(&micros)] })
}

fn table(micros: &Micros) -> Table {
    let registered = REGISTERED.map(|registered| match registered {
        1 => "1 purgeable".to_owned(),
        _ => format!("{registered} purgeables"),
    });
    let what = "microseconds on a processor".to_owned();
    let mut table = Table::new(std::iter::once(what).chain(registered));
    for (row, micros) in ROWS.iter().zip(micros) {
        let cells = micros.iter().map(|micros| cell(Spread::of(micros.iter().copied()), 1));
        table.add(std::iter::once(row.title.to_owned()).chain(cells));
    }
    table
}

fn chart(micros: &Micros) -> Chart {
    let line = |(row, micros): (&Row, &Vec<Vec<f64>>)| {
        let points = REGISTERED.iter().zip(micros).filter_map(|(registered, micros)| {
            Some((*registered as f64, Spread::of(micros.iter().copied())?))
        });
        Line { series: Series::new(row.title, row.hue), points: points.collect() }
    };
    Chart {
        name: "purgeables",
        title: "What the monitor does, by the number of purgeables".to_owned(),
        drawing: Drawing::Lines(Lines {
            across: "purgeables registered".to_owned(),
            up: "microseconds, less is better".to_owned(),
            is_log: true,
            lines: ROWS.iter().zip(micros).map(line).collect(),
        }),
    }
}

/// Holds a block until it is asked for it.
#[derive(Debug, Default)]
struct Held(Mutex<Vec<u8>>);

impl Held {
    fn fill(&self) {
        let block = TAG.scope(|| vec![1u8; BLOCK_BYTES]);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = block;
    }
}

impl Purgeable for Held {
    fn purgeable_bytes(&self) -> u64 {
        self.0.try_lock().map_or(0, |block| block.len() as u64)
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        let Ok(mut locked) = self.0.try_lock() else { return PurgeOutcome::Busy };
        let block = std::mem::take(&mut *locked);
        drop(locked);
        if block.is_empty() { PurgeOutcome::Empty } else { PurgeOutcome::Freed(block.len() as u64) }
    }
}

/// A Bursar without a thread, and what is registered with it.
struct Scene {
    bursar: Bursar,
    held: Vec<Arc<Held>>,
    _registrations: Vec<Registration>,
}

impl Scene {
    fn set(registered: usize, budget_bytes: u64) -> Result<Self, Box<dyn Error>> {
        let bursar = Bursar::builder().budget(budget_bytes).threadless(true).start()?;
        let held: Vec<Arc<Held>> = (0..registered).map(|_| Arc::default()).collect();
        let register = |(number, held): (usize, &Arc<Held>)| {
            held.fill();
            let purgeable: Arc<dyn Purgeable> = held.clone();
            bursar.register(Entry::new(format!("held/{number}"), purgeable).tag(&TAG))
        };
        let registrations = held.iter().enumerate().map(register).collect::<Result<_, _>>()?;
        Ok(Self { bursar, held, _registrations: registrations })
    }
}

/// The time of one of so many; it is done once before the clock starts. False is what was not done.
fn micros_of(count: usize, mut work: impl FnMut() -> bool) -> Result<f64, Box<dyn Error>> {
    let mut is_done = work();
    let begun = of_this_thread()?;
    for _ in 0..count {
        is_done &= work();
    }
    let time = of_this_thread()?.saturating_sub(begun);
    if !is_done {
        return Err("what was to be timed was not done".into());
    }
    Ok(time.as_secs_f64() * 1e6 / count as f64)
}

/// So many that a round takes some milliseconds.
fn count(most: usize, registered: usize, is_quick: bool) -> usize {
    let count = (most / (registered + 10)).max(5);
    if is_quick { count.min(5) } else { count }
}

fn look(registered: usize, is_quick: bool) -> Result<f64, Box<dyn Error>> {
    let scene = Scene::set(registered, CALM_BYTES)?;
    micros_of(count(20_000, registered, is_quick), || {
        scene.bursar.checkpoint().is_ok_and(|found| found.level == PressureLevel::Normal)
    })
}

fn read_stats(registered: usize, is_quick: bool) -> Result<f64, Box<dyn Error>> {
    let scene = Scene::set(registered, CALM_BYTES)?;
    micros_of(count(20_000, registered, is_quick), || {
        black_box(scene.bursar.stats()).purgeables.len() == registered
    })
}

fn plan(registered: usize, is_quick: bool) -> Result<f64, Box<dyn Error>> {
    let candidate = |index| Candidate {
        index,
        stage: Stage::Trim,
        priority: 0,
        rebuild_cost: RebuildCost::Medium,
        purgeable_bytes: BLOCK_BYTES as u64,
    };
    let candidates: Vec<_> = (0..registered).map(candidate).collect();
    let (ladder, budget) = (Ladder::default(), Budget::new(PRESSED_BYTES)?);
    let mut sample = Sample::default();
    sample.live_bytes = PRESSED_BYTES;
    micros_of(count(100_000, registered, is_quick), || {
        let level = black_box(PressureLevel::Emergency);
        let plan = ladder.plan(level, Diagnosis::Live, &sample, &budget, &candidates);
        black_box(plan).is_some_and(|plan| plan.stages.iter().any(|it| it.asks.len() == registered))
    })
}

/// The whole of it: the look, the plan, everyone's callback, and the pages that go back. What is
/// purged is put there before the clock starts.
fn clean_up(registered: usize, is_quick: bool) -> Result<f64, Box<dyn Error>> {
    let scene = Scene::set(registered, PRESSED_BYTES)?;
    let ballast: Vec<u8> = BALLAST.scope(|| black_box(Vec::with_capacity(BALLAST_BYTES)));
    let mut micros = 0.0;
    let times = if is_quick { 1 } else { 5 };
    for _ in 0..times {
        scene.held.iter().for_each(|held| held.fill());
        let begun = of_this_thread()?;
        let report = scene.bursar.reclaim(PressureLevel::Emergency)?;
        micros += of_this_thread()?.saturating_sub(begun).as_secs_f64() * 1e6;
        let freed = (registered * BLOCK_BYTES) as u64;
        if report.freed_bytes != freed {
            return Err(format!("{freed} bytes were to be freed: {report}").into());
        }
    }
    drop(ballast);
    Ok(micros / f64::from(times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_given_up_once() {
        let held = Held::default();
        assert_eq!(held.purgeable_bytes(), 0);
        held.fill();
        assert_eq!(held.purgeable_bytes(), BLOCK_BYTES as u64);
        let request = PurgeRequest::new(u64::MAX, PressureLevel::Emergency);
        assert_eq!(held.purge(&request), PurgeOutcome::Freed(BLOCK_BYTES as u64));
        assert_eq!(held.purge(&request), PurgeOutcome::Empty);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn work_that_is_not_done_is_an_error_and_no_quick_one() {
        assert!(micros_of(3, || true).is_ok());
        let mut left = 3;
        let error = micros_of(3, || {
            left -= 1;
            left > 0
        });
        assert_eq!(error.unwrap_err().to_string(), "what was to be timed was not done");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_plan_asks_everyone() {
        for registered in [1, 100] {
            assert!(plan(registered, true).is_ok());
        }
    }

    #[test]
    fn each_thing_that_is_timed_is_a_row_and_a_line() {
        let micros: Micros =
            ROWS.iter().map(|_| REGISTERED.map(|count| vec![count as f64; 3]).to_vec()).collect();
        let table = table(&micros).to_string();
        assert_eq!(table.matches("1000.0 (1000.0..1000.0)").count(), ROWS.len(), "{table}");
        let Drawing::Lines(lines) = chart(&micros).drawing else { panic!("they are lines") };
        assert_eq!(lines.lines.len(), ROWS.len());
    }
}
