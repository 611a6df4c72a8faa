//! How throughput goes with threads, and whether all sums stay exact with as many as there may be.

pub(crate) mod sums;

use std::error::Error;
use std::thread;

use self::sums::Found;
use crate::chart::{Chart, Drawing, Line, Lines, Series, series_of};
use crate::findings::Findings;
use crate::measure::{
    Backend, Configuration, Options, Programs, Spread, Table, cell, compared, in_turns,
};

pub(crate) const ROUNDS: usize = 9;
/// Of all threads together, in one run.
const OPERATIONS: u64 = 8_000_000;
const QUICK_OPERATIONS: u64 = 200_000;
/// There are more threads than cores in every service: so many times as many are tried too.
const BEYOND_CORES: usize = 16;

/// Threads whose sums are checked.
const CHECKED_THREADS: [usize; 4] = [1, 10, 100, 1000];

/// Throughput by number of threads and contestant, in millions of operations a second, by round.
type Throughput = Vec<(usize, Vec<Vec<f64>>)>;

/// The tables of throughput and of sums, and the chart.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    let programs = Programs::up_to_date()?;
    let cores = thread::available_parallelism()?.get();
    let contestants: Vec<_> = Backend::all()[0].programs().collect();
    let operations = if options.quick { QUICK_OPERATIONS } else { OPERATIONS };
    let mut throughput = Throughput::new();
    for threads in numbers_of_threads(cores) {
        eprintln!("{} rounds of churn, threads: {threads}", options.rounds);
        let count = (operations / threads as u64).max(1);
        let millions = in_turns(options.rounds, contestants.len(), |number| {
            let arguments = ["churn", &threads.to_string(), &count.to_string()];
            let nanos = programs.ask(contestants[number].program, &arguments)?;
            Ok((count * threads as u64) as f64 * 1e3 / nanos.trim().parse::<f64>()?)
        })?;
        throughput.push((threads, millions));
    }
    let tables = vec![
        table_of_throughput(cores, &contestants, &throughput),
        table_of_sums(options, &programs)?,
    ];
    Ok(Findings { tables, charts: vec![chart(cores, &contestants, &throughput)] })
}

/// Doubled up to the cores and beyond; the number of cores is one of them.
fn numbers_of_threads(cores: usize) -> Vec<usize> {
    let doubled = std::iter::successors(Some(1), |threads| Some(threads * 2));
    let mut numbers: Vec<_> =
        doubled.take_while(|&threads| threads <= cores * BEYOND_CORES).chain([cores]).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// For each number of threads the throughput bare, and that of the others as the part of it.
fn table_of_throughput(
    cores: usize,
    contestants: &[&Configuration],
    throughput: &Throughput,
) -> Table {
    let what = format!("churn of 8-256 B over jemalloc on {cores} cores");
    let mut header = vec![what, "bare, millions a second".to_owned(), "speed up".to_owned()];
    header.extend(contestants[1..].iter().map(|it| format!("{}, of bare", it.title)));
    let mut table = Table::new(header);
    for (threads, millions) in throughput {
        let plural = if *threads == 1 { "" } else { "s" };
        let single = &throughput[0].1[0];
        let mut row = vec![
            format!("{threads} thread{plural}"),
            cell(Spread::of(millions[0].iter().copied()), 1),
            cell(compared(&millions[0], single, |many, single| many / single), 2),
        ];
        row.extend(millions[1..].iter().map(|counting| {
            cell(compared(counting, &millions[0], |counting, bare| counting / bare), 2)
        }));
        table.add(row);
    }
    table
}

fn chart(cores: usize, contestants: &[&'static Configuration], throughput: &Throughput) -> Chart {
    let line = |(number, series): (usize, Series)| {
        let points = throughput.iter().filter_map(|(threads, millions)| {
            Some((*threads as f64, Spread::of(millions[number].iter().copied())?))
        });
        Line { series, points: points.collect() }
    };
    Chart {
        name: "scaling",
        title: format!("Small blocks replaced on several threads, {cores} cores"),
        drawing: Drawing::Lines(Lines {
            across: "threads".to_owned(),
            up: "million operations a second, more is better".to_owned(),
            is_log: false,
            lines: series_of(contestants).into_iter().enumerate().map(line).collect(),
        }),
    }
}

/// What [`sums::check`] finds, over each backend.
fn table_of_sums(options: &Options, programs: &Programs) -> Result<Table, Box<dyn Error>> {
    let bursars: Vec<_> = Backend::all().iter().filter_map(Backend::bursar).collect();
    let titles = Backend::all().iter().map(|backend| format!("over {}", backend.title));
    let header = ["sums that are wrong at rest", "blocks", "sums looked at", "bar"];
    let mut table = Table::new(header.map(str::to_owned).into_iter().chain(titles));
    for threads in CHECKED_THREADS {
        eprintln!("{} rounds of sums, threads: {threads}", options.rounds);
        let mut total = vec![Found::default(); bursars.len()];
        let found = in_turns(options.rounds, bursars.len(), |number| {
            let found = programs.ask(bursars[number].program, &["sums", &threads.to_string()])?;
            Ok(found.parse::<Found>()?)
        })?;
        for (total, found) in total.iter_mut().zip(found) {
            for round in found {
                total.blocks += round.blocks;
                total.looks += round.looks;
                total.wrong += round.wrong;
            }
        }
        let plural = if threads == 1 { "" } else { "s" };
        let all = |figure: fn(&Found) -> u64| total.iter().map(figure).sum::<u64>().to_string();
        let row = [
            format!("{threads} thread{plural}"),
            all(|found| found.blocks),
            all(|found| found.looks),
            "0".to_owned(),
        ];
        table.add(row.into_iter().chain(total.iter().map(|found| found.wrong.to_string())));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_doubled_up_to_the_cores_and_beyond_and_the_cores_are_among_them() {
        assert_eq!(numbers_of_threads(1), [1, 2, 4, 8, 16]);
        let six = numbers_of_threads(6);
        assert_eq!(six[..5], [1, 2, 4, 6, 8]);
        assert_eq!(six.last(), Some(&64));
    }

    #[test]
    fn a_row_tells_the_speed_up_and_what_is_left_of_the_bare_throughput() {
        let contestants: Vec<_> = Backend::all()[0].programs().collect();
        let of = |bare: f64| {
            let mut millions = vec![vec![bare * 0.8; 3]; contestants.len()];
            millions[0] = vec![bare; 3];
            millions
        };
        let throughput = vec![(1, of(70.0)), (2, of(133.0))];
        let table = table_of_throughput(2, &contestants, &throughput).to_string();
        let row = table.lines().nth(3).unwrap();
        assert!(row.contains("2 threads"), "{table}");
        for figure in [" 133.0 (", " 1.90 (", " 0.80 ("] {
            assert!(row.contains(figure), "{table}");
        }
        let Drawing::Lines(lines) = chart(2, &contestants, &throughput).drawing else {
            panic!("they are lines")
        };
        assert_eq!(lines.lines.len(), contestants.len());
        assert_eq!(lines.lines[0].points[1].0, 2.0);
    }
}
