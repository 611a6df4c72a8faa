//! What reading all figures costs as tags and threads grow.

use std::error::Error;

use crate::chart::{Chart, Drawing, Hue, Line, Lines, Series};
use crate::findings::Findings;
use crate::measure::{Options, Programs, Spread, Table, cell, in_turns};

pub(crate) const ROUNDS: usize = 5;
const PROGRAM: &str = "bursar_jemalloc";
/// Of the 240 that there can be, Bursar has one itself.
const TAGS: [usize; 6] = [1, 8, 32, 64, 128, 239];
/// Threads with counters of their own.
const SLOTS: [(usize, Hue); 4] =
    [(1, Hue::Blue), (16, Hue::Green), (128, Hue::Orange), (512, Hue::Purple)];
/// What is read: what it is called on a command line, and what a reader is shown.
const READINGS: [(&str, &str); 2] = [("usage", "usage()"), ("stats", "bursar.stats()")];
/// Counters that are read in one run, about.
const COUNTERS: usize = 20_000_000;
const QUICKER: usize = 50;
/// Readings in one run, if counters are few.
const MOST_READINGS: usize = 20_000;
/// What a reading costs that has no counter to read, in the time of counters.
const BASE: usize = 500;

/// Microseconds of a reading by tags and slots, each by round.
type Micros = Vec<Vec<Vec<f64>>>;

/// A table and a chart of each kind of reading.
pub(crate) fn measure(options: &Options) -> Result<Findings, Box<dyn Error>> {
    let programs = Programs::up_to_date()?;
    let mut findings = Findings::default();
    for (what, title) in READINGS {
        let mut micros = Micros::new();
        for tags in TAGS {
            eprintln!("{} rounds: {title} of {tags} tags", options.rounds);
            micros.push(in_turns(options.rounds, SLOTS.len(), |number| {
                let slots = SLOTS[number].0;
                let count = readings(tags, slots, options.quick);
                let counts = [tags, slots, count].map(|count| count.to_string());
                let arguments = ["snapshot", what, &counts[0], &counts[1], &counts[2]];
                let nanos: f64 = programs.ask(PROGRAM, &arguments)?.trim().parse()?;
                Ok(nanos / 1e3 / count as f64)
            })?);
        }
        findings.tables.push(table(title, &micros));
        if what == "usage" {
            findings.charts.push(chart(&micros));
        }
    }
    Ok(findings)
}

/// As many as take about the same time, whatever there is to read.
fn readings(tags: usize, slots: usize, is_quick: bool) -> usize {
    let counters = if is_quick { COUNTERS / QUICKER } else { COUNTERS };
    (counters / (tags * slots + BASE)).clamp(1, MOST_READINGS)
}

fn table(title: &str, micros: &Micros) -> Table {
    let threads = SLOTS.map(|(slots, _)| match slots {
        1 => "1 thread".to_owned(),
        _ => format!("{slots} threads"),
    });
    let what = format!("{title}, in us");
    let mut table = Table::new(std::iter::once(what).chain(threads));
    for (tags, micros) in TAGS.iter().zip(micros) {
        let plural = if *tags == 1 { "" } else { "s" };
        let cells = micros.iter().map(|micros| cell(Spread::of(micros.iter().copied()), 1));
        table.add(std::iter::once(format!("{tags} tag{plural}")).chain(cells));
    }
    table
}

fn chart(micros: &Micros) -> Chart {
    let line = |(number, (slots, hue)): (usize, (usize, Hue))| {
        let points = TAGS.iter().zip(micros).filter_map(|(tags, micros)| {
            Some((*tags as f64, Spread::of(micros[number].iter().copied())?))
        });
        let plural = if slots == 1 { "" } else { "s" };
        let series = Series::new(format!("{slots} thread{plural}"), hue);
        Line { series, points: points.collect() }
    };
    Chart {
        name: "snapshot",
        title: "Reading all figures of all tags".to_owned(),
        drawing: Drawing::Lines(Lines {
            across: "tags in use".to_owned(),
            up: "microseconds, less is better".to_owned(),
            is_log: true,
            lines: SLOTS.into_iter().enumerate().map(line).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_there_is_to_read_the_fewer_readings_and_there_is_one_at_least() {
        assert_eq!(readings(1, 1, false), MOST_READINGS);
        assert!(readings(240, 512, false) > 50);
        assert_eq!(readings(240, 512, true), 3);
        assert!(readings(240, 1_000_000, true) == 1);
    }

    #[test]
    fn tags_go_down_and_threads_across_in_the_table_and_along_the_lines_of_the_chart() {
        let of = |tags: &usize| SLOTS.map(|(slots, _)| vec![(tags * slots) as f64; 3]).to_vec();
        let micros: Micros = TAGS.iter().map(of).collect();
        let table = table("usage()", &micros).to_string();
        let row = table.lines().nth(3).unwrap();
        assert!(row.starts_with("| 8 tags") && row.contains(" 128.0 (128.0..128.0)"), "{table}");
        let Drawing::Lines(lines) = chart(&micros).drawing else { panic!("they are lines") };
        assert_eq!(lines.lines[3].points[5].0, 239.0);
        assert_eq!(lines.lines[3].points[5].1.median, 239.0 * 512.0);
    }
}
