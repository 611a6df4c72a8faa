//! What is left in memory when the blocks of one tag go and others stay: with the tag's blocks
//! among all others, and with an arena of their own; and what such a tag costs.

mod load;

use std::error::Error;

use self::load::{DROPPINGS, Dropping, Home, Left};
pub(crate) use self::load::{hold_and_drop, hold_on_threads};
use crate::chart::{Bar, Bars, Chart, Drawing, Group, Hue, Series};
use crate::findings::Findings;
use crate::measure::{
    Options, Programs, Spread, Table, cell, compared, dash, has_valgrind, in_turns, instructions_of,
};
use crate::workload::Workload;

pub(crate) const ROUNDS: usize = 5;
/// What the tag holds.
const BYTES: usize = 300_000_000;
const QUICK_BYTES: usize = 30_000_000;
/// The program that has isolated tags.
const ISOLATING: &str = "bursar_jemalloc";

/// Who holds and drops.
struct Contestant {
    title: &'static str,
    program: &'static str,
    home: Home,
    hue: Hue,
    /// The most megabytes that may be resident after each of [`DROPPINGS`], where there is a bar.
    bars: [Option<u32>; 3],
}

const CONTESTANTS: [Contestant; 5] = [
    Contestant {
        title: "Bursar, isolated tag",
        program: ISOLATING,
        home: Home::Isolated,
        hue: Hue::Green,
        bars: [Some(45), Some(205), None],
    },
    Contestant {
        title: "Bursar, ordinary tag",
        program: ISOLATING,
        home: Home::Shared,
        hue: Hue::Blue,
        bars: [None; 3],
    },
    Contestant {
        title: "bare jemalloc",
        program: "bare_jemalloc",
        home: Home::Untagged,
        hue: Hue::Grey,
        bars: [None; 3],
    },
    Contestant {
        title: "bare mimalloc",
        program: "bare_mimalloc",
        home: Home::Untagged,
        hue: Hue::Orange,
        bars: [None; 3],
    },
    Contestant {
        title: "bare System",
        program: "bare_system",
        home: Home::Untagged,
        hue: Hue::Purple,
        bars: [None; 3],
    },
];

/// What is left after each of [`DROPPINGS`], by contestant and round.
type LeftOf = [Vec<Vec<Left>>; DROPPINGS.len()];

/// The three tables and the chart.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    let programs = Programs::up_to_date()?;
    let left = left_over(options, &programs)?;
    let tables = [
        after_drops(&left),
        memory_of_threads(options, &programs)?,
        cost_of_pairs(options, &programs)?,
    ];
    Ok(Findings { tables: tables.into(), charts: vec![chart(&left)] })
}

fn left_over(options: &Options, programs: &Programs) -> Result<LeftOf, Box<dyn Error>> {
    let bytes = if options.quick { QUICK_BYTES } else { BYTES }.to_string();
    let measure = |dropping: &Dropping| {
        eprintln!("{} rounds: {}", options.rounds, dropping.title);
        in_turns(options.rounds, CONTESTANTS.len(), |number| {
            let Contestant { program, home, .. } = &CONTESTANTS[number];
            let arguments = ["isolation", home.name(), dropping.name, &bytes];
            Ok(programs.ask(program, &arguments)?.parse::<Left>()?)
        })
    };
    let [all, oldest, random] = &DROPPINGS;
    Ok([measure(all)?, measure(oldest)?, measure(random)?])
}

/// A row for each contestant; for each way of dropping what is live and what is resident.
fn after_drops(left: &LeftOf) -> Table {
    let held = left[0].first().and_then(|rounds| rounds.first());
    let held = held.map_or(0.0, |left| left.live_before as f64 / 1e6);
    let mut header = vec![format!("MB resident, of {held:.0} live before")];
    for (dropping, rounds) in DROPPINGS.iter().zip(left) {
        let live = rounds.iter().flatten().map(|left| left.live_bytes as f64 / 1e6);
        let live = Spread::of(live).map_or_else(dash, |live| format!("{:.0}", live.median));
        header.extend([format!("{} ({live} live)", dropping.title), "bar".to_owned()]);
    }
    let mut table = Table::new(header);
    for (number, contestant) in CONTESTANTS.iter().enumerate() {
        let mut row = vec![contestant.title.to_owned()];
        for (rounds, bar) in left.iter().zip(contestant.bars) {
            // To a tenth, so that what misses its bar is not rounded down to it.
            row.push(cell(resident(&rounds[number]), 1));
            row.push(bar.map_or_else(dash, |bar| format!("<= {bar}")));
        }
        table.add(row);
    }
    table
}

/// In megabytes.
fn resident(rounds: &[Left]) -> Option<Spread> {
    Spread::of(rounds.iter().map(|left| left.resident_bytes as f64 / 1e6))
}

fn chart(left: &LeftOf) -> Chart {
    let group = |(dropping, rounds): (&Dropping, &Vec<Vec<Left>>)| {
        let live = rounds.iter().flatten().map(|left| left.live_bytes as f64 / 1e6);
        let live = Spread::of(live).map(|live| Bar::of(0, live));
        let held = rounds.iter().enumerate();
        let bars = held.filter_map(|(number, rounds)| Some(Bar::of(number + 1, resident(rounds)?)));
        Group { title: dropping.title.to_owned(), bars: live.into_iter().chain(bars).collect() }
    };
    let series = CONTESTANTS.iter().map(|it| Series::new(it.title, it.hue));
    let live = Series::new("live bytes", Hue::Vermilion);
    Chart {
        name: "isolation",
        title: "What is resident after a drop, beside a tenth as many small blocks that stay"
            .to_owned(),
        drawing: Drawing::Bars(Bars {
            axis: "MB, less is better".to_owned(),
            decimals: 0,
            series: std::iter::once(live).chain(series).collect(),
            groups: DROPPINGS.iter().zip(left).map(group).collect(),
            mark: None,
        }),
    }
}

/// Threads, and tags that each of them uses.
const EXTENT: [usize; 2] = [32, 8];
const QUICK_EXTENT: [usize; 2] = [8, 4];
/// What each thread allocates under each tag: the least, and some of all sizes.
const BLOCKS: [(usize, &str); 2] = [(1, "one block each"), (1000, "1,000 blocks of 0.2-2 KB each")];

/// By how much a process grows for each thread and tag.
fn memory_of_threads(options: &Options, programs: &Programs) -> Result<Table, Box<dyn Error>> {
    let [threads, tags] = if options.quick { QUICK_EXTENT } else { EXTENT };
    let header = format!("kB a thread and tag, {threads} threads with {tags} tags");
    let mut table = Table::new([&header, "ordinary", "isolated", "more"].map(str::to_owned));
    for (blocks, title) in BLOCKS {
        eprintln!("{} rounds of threads, {title}", options.rounds);
        let homes = [Home::Shared, Home::Isolated];
        let grown = in_turns(options.rounds, homes.len(), |number| {
            let counts = [threads, tags, blocks].map(|count| count.to_string());
            let [threads_arg, tags_arg, blocks_arg] = &counts;
            let arguments = ["threads", homes[number].name(), threads_arg, tags_arg, blocks_arg];
            let bytes: f64 = programs.ask(ISOLATING, &arguments)?.trim().parse()?;
            Ok(bytes / 1e3 / (threads * tags) as f64)
        })?;
        let [shared, isolated] = [&grown[0], &grown[1]];
        table.add([
            title.to_owned(),
            cell(Spread::of(shared.iter().copied()), 1),
            cell(Spread::of(isolated.iter().copied()), 1),
            cell(compared(isolated, shared, |isolated, shared| isolated - shared), 1),
        ]);
    }
    Ok(table)
}

/// What `--quick` divides operations by.
const QUICKER: u64 = 50;
const COUNTED_PAIRS: u64 = 100_000;

/// What a pair and a step of churn cost under either kind of tag.
fn cost_of_pairs(options: &Options, programs: &Programs) -> Result<Table, Box<dyn Error>> {
    let header = ["", "an ordinary tag", "an isolated tag", "ratio"];
    let mut table = Table::new(header.map(str::to_owned));
    let pairs = ["pairs_shared", "pairs_isolated"];
    if has_valgrind() {
        let count = |workload| instructions_of(programs, ISOLATING, workload, COUNTED_PAIRS);
        let [shared, isolated] = [count(pairs[0])?, count(pairs[1])?];
        table.add([
            "instructions of a pair".to_owned(),
            format!("{shared:.1}"),
            format!("{isolated:.1}"),
            format!("{:.2}", isolated / shared),
        ]);
    } else {
        eprintln!("skipped: no instructions are counted, since valgrind is not installed");
    }
    for (title, workloads) in [
        ("a pair of 48 B, in ns", pairs),
        ("churn of 8-256 B, in ns", ["churn_shared", "churn_isolated"]),
    ] {
        eprintln!("{} rounds: {title}", options.rounds);
        let nanos = in_turns(options.rounds, workloads.len(), |number| {
            nanos(programs, workloads[number], options.quick)
        })?;
        let [shared, isolated] = [&nanos[0], &nanos[1]];
        table.add([
            title.to_owned(),
            cell(Spread::of(shared.iter().copied()), 1),
            cell(Spread::of(isolated.iter().copied()), 1),
            cell(compared(isolated, shared, |isolated, shared| isolated / shared), 2),
        ]);
    }
    Ok(table)
}

fn nanos(programs: &Programs, workload: &str, is_quick: bool) -> Result<f64, Box<dyn Error>> {
    let workload = Workload::find(workload).ok_or("the workload is one of the list")?;
    let count = if is_quick { (workload.count / QUICKER).max(1) } else { workload.count };
    let nanos = programs.ask(ISOLATING, &["work", workload.name, &count.to_string()])?;
    Ok(nanos.trim().parse::<f64>()? / count as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(resident_bytes: u64) -> Left {
        let (live_before, resident_before) = (330_000_000, 360_000_000);
        Left { live_before, resident_before, live_bytes: 30_000_000, resident_bytes }
    }

    fn all_left() -> LeftOf {
        let of =
            |number: u64| vec![left((39 + number) * 1_000_000), left((41 + number) * 1_000_000)];
        let rounds: Vec<_> = (0..CONTESTANTS.len() as u64).map(of).collect();
        [rounds.clone(), rounds.clone(), rounds]
    }

    #[test]
    fn a_row_tells_what_is_resident_beside_what_is_live_and_its_bar() {
        let table = after_drops(&all_left()).to_string();
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines.len(), 2 + CONTESTANTS.len(), "{table}");
        assert!(lines[0].contains("of 330 live before"), "{table}");
        assert!(lines[0].contains("all of them dropped (30 live)"), "{table}");
        assert!(lines[2].contains(" 40.0 (39.0..41.0) | <= 45 |"), "{table}");
        assert!(lines[3].contains(" 41.0 (40.0..42.0) |     - |"), "{table}");
    }

    #[test]
    fn the_chart_has_a_group_for_each_drop_and_the_live_bytes_first_in_each() {
        let Drawing::Bars(bars) = chart(&all_left()).drawing else { panic!("they are bars") };
        assert_eq!(bars.groups.len(), DROPPINGS.len());
        for group in &bars.groups {
            assert_eq!(group.bars.len(), 1 + CONTESTANTS.len());
        }
        assert_eq!(bars.series[0].title, "live bytes");
        assert_eq!(bars.series.len(), 1 + CONTESTANTS.len());
    }
}
