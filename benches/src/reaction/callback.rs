//! From the allocation that uses up the headroom to the first callback.

use std::error::Error;
use std::hint::black_box;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bursar::{Bursar, Entry, PurgeOutcome, PurgeRequest, Purgeable, Registration, Tag};

use super::quantiles::{COLUMNS, Quantiles};
use super::table;
use super::wake::{Sleeper, Spinners, until};
use crate::chart::{Bar, Bars, Chart, Drawing, Group, Hue, Series};
use crate::findings::Findings;
use crate::measure::Spread;
use crate::random::Random;

static BALLAST: Tag = Tag::new("ballast");

const BUDGET_BYTES: u64 = 64 << 20;
/// Always there: below the first watermark of every profile.
const BALLAST_BYTES: usize = 36 << 20;
/// The block that uses up the headroom: with it usage is past the first watermark, at 70 % of the
/// budget, and short of the second. It is worth a cleanup by itself.
const BLOCK_BYTES: usize = 12 << 20;
/// Between two reactions in milliseconds, so that the monitor is parked again.
const PAUSE_MILLIS: [usize; 2] = [10, 30];

/// What is timed.
const NAMES: [&str; 2] = ["to the first callback", "a bare parked thread woken"];
/// The quantiles that are drawn.
const SHOWN: [(f64, &str); 3] = [(0.5, "p50"), (0.99, "p99"), (1.0, "longest")];

/// Holds the block, and says when it is first asked for it.
#[derive(Debug)]
struct Block {
    bytes: Mutex<Vec<u8>>,
    asked: Sender<Instant>,
}

impl Purgeable for Block {
    fn purgeable_bytes(&self) -> u64 {
        // It is there whenever there is pressure. The allocating thread, which may just have been
        // interrupted by the monitor it woke, has the lock.
        BLOCK_BYTES as u64
    }

    fn purge(&self, _: &PurgeRequest) -> PurgeOutcome {
        let now = Instant::now();
        // Waits for nobody but the thread that has just put it there.
        let bytes = std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner));
        if bytes.capacity() == 0 {
            return PurgeOutcome::Empty;
        }
        // Nobody listens any more when the program ends.
        let _ = self.asked.send(now);
        PurgeOutcome::Freed(bytes.capacity() as u64)
    }
}

/// A process at 56 % of its budget, and what takes it to 75 %.
struct Scene {
    block: Arc<Block>,
    asked: Receiver<Instant>,
    _ballast: Vec<u8>,
    _registration: Registration,
    _bursar: Bursar,
}

impl Scene {
    fn set() -> Result<Self, bursar::Error> {
        let bursar = Bursar::builder().budget(BUDGET_BYTES).start()?;
        let (say, asked) = channel();
        let block = Arc::new(Block { bytes: Mutex::default(), asked: say });
        let purgeable: Arc<dyn Purgeable> = block.clone();
        let registration = bursar.register(Entry::new("block", purgeable).tag(&BALLAST))?;
        let ballast = BALLAST.scope(|| black_box(Vec::with_capacity(BALLAST_BYTES)));
        Ok(Self { block, asked, _ballast: ballast, _registration: registration, _bursar: bursar })
    }

    /// From just before the allocation to the callback's first instruction.
    fn react(&self) -> Option<Duration> {
        let mut bytes = self.block.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Instant::now();
        *bytes = BALLAST.scope(|| black_box(Vec::with_capacity(BLOCK_BYTES)));
        drop(bytes);
        until(begun, &self.asked)
    }
}

/// The table of reactions, each beside bare wakes that take turns with it, and their chart.
pub(super) fn measure(rounds: usize) -> Result<Findings, Box<dyn Error>> {
    let cores = thread::available_parallelism()?.get();
    let mut table =
        table(["from the allocation that uses up the headroom"].into_iter().chain(COLUMNS));
    let mut groups = Vec::new();
    let (scene, sleeper) = (Scene::set()?, Sleeper::start());
    for spinning in [0, cores] {
        eprintln!("{rounds} reactions with {spinning} threads spinning");
        let _spinners = Spinners::start(spinning);
        let mut sorted = Vec::new();
        let (mut reactions, mut wakes) = (Vec::new(), Vec::new());
        let mut random = Random::new();
        for _ in 0..rounds {
            pause(&mut random);
            wakes.push(sleeper.wake());
            pause(&mut random);
            reactions.push(scene.react());
        }
        let beside = match spinning {
            0 => String::new(),
            _ => format!(", {spinning} threads spinning on {cores} cores"),
        };
        for (series, times) in [reactions, wakes].into_iter().enumerate() {
            let missed = times.iter().filter(|time| time.is_none()).count();
            let missed = if missed > 0 { format!(", {missed} never came") } else { String::new() };
            let name = format!("{}{beside}{missed}", NAMES[series]);
            let times = Quantiles::of(times.into_iter().flatten());
            table.add([name].into_iter().chain(times.cells()));
            sorted.push(times);
        }
        groups
            .extend(SHOWN.map(|(share, title)| group(&sorted, share, &format!("{title}{beside}"))));
    }
    Ok(Findings { tables: vec![table], charts: vec![chart(groups)] })
}

/// A quantile of each, in milliseconds.
fn group(sorted: &[Quantiles], share: f64, title: &str) -> Group {
    let bars = sorted.iter().enumerate().filter_map(|(series, times)| {
        let spread = Spread::of([times.at(share)?.as_secs_f64() * 1e3])?;
        Some(Bar::of(series, spread))
    });
    Group { title: title.to_owned(), bars: bars.collect() }
}

fn chart(groups: Vec<Group>) -> Chart {
    let hues = [Hue::Blue, Hue::Grey];
    let series = NAMES.into_iter().zip(hues).map(|(name, hue)| Series::new(name, hue));
    Chart {
        name: "reaction",
        title: "From the allocation that uses up the headroom to the first callback".to_owned(),
        drawing: Drawing::Bars(Bars {
            axis: "milliseconds, less is better".to_owned(),
            decimals: 2,
            series: series.collect(),
            groups,
            mark: None,
        }),
    }
}

fn pause(random: &mut Random) {
    let [least, most] = PAUSE_MILLIS;
    thread::sleep(Duration::from_millis(random.between(least, most) as u64));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_quantile_of_what_is_timed_in_milliseconds_and_none_of_what_never_came() {
        let times = Quantiles::of((1..=100).map(Duration::from_millis));
        let group = group(&[times, Quantiles::default()], 0.99, "p99");
        assert_eq!((group.title.as_str(), group.bars.len()), ("p99", 1));
    }
}
