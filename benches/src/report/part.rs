//! [`PARTS`]: what the report is made of.

use std::error::Error;
use std::path::Path;

use super::children::{bursar_program, drill};
use crate::findings::Findings;
use crate::measure::Options;
use crate::{
    caches, compare, isolation, memory, purgeables, reaction, scaling, service, snapshots,
};

/// What measures a part: given where charts go, for those that draw their own.
type Measure = fn(&Options, &Path) -> Result<Findings, Box<dyn Error>>;

/// One section of the report.
pub(super) struct Part {
    /// What it is called on a command line.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Where nothing is said.
    pub(super) rounds: usize,
    pub(super) when: When,
    pub(super) measure: Measure,
}

/// When a part is measured that was not named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Always,
    /// It takes minutes even in its short form.
    NotQuick,
    /// It takes an hour.
    Named,
}

/// In the order of the report.
pub(super) static PARTS: [Part; 11] = [
    Part {
        name: "drill",
        title: "One service under one load: bare, with caches of the best fixed size, with Bursar",
        rounds: 3,
        when: When::NotQuick,
        measure: drill_and_best_fixed,
    },
    Part {
        name: "overhead",
        title: "What counting costs",
        rounds: compare::ROUNDS,
        when: When::Always,
        measure: |options, _| compare::measure(options),
    },
    Part {
        name: "memory",
        title: "Memory for each byte asked for",
        rounds: memory::ROUNDS,
        when: When::Always,
        measure: |options, _| memory::measure(options),
    },
    Part {
        name: "isolation",
        title: "Isolated tags",
        rounds: isolation::ROUNDS,
        when: When::Always,
        measure: |options, _| isolation::measure(options),
    },
    Part {
        name: "scaling",
        title: "Threads",
        rounds: scaling::ROUNDS,
        when: When::Always,
        measure: |options, _| scaling::measure(options),
    },
    Part {
        name: "snapshot",
        title: "Reading all figures",
        rounds: snapshots::ROUNDS,
        when: When::Always,
        measure: |options, _| snapshots::measure(options),
    },
    Part {
        name: "purgeables",
        title: "One purgeable and a thousand",
        rounds: purgeables::ROUNDS,
        when: When::Always,
        measure: |options, _| purgeables::measure(options),
    },
    Part {
        name: "reaction",
        title: "How soon and how fast",
        rounds: reaction::ROUNDS,
        when: When::Always,
        measure: |options, _| reaction::measure(options),
    },
    Part {
        name: "caches",
        title: "Caches",
        rounds: caches::ROUNDS,
        when: When::Always,
        measure: |options, _| caches::measure(options),
    },
    Part {
        name: "service",
        title: "What a service pays to be seen",
        rounds: service::ROUNDS,
        when: When::Always,
        measure: measure_service,
    },
    Part {
        name: "drill_long",
        title: "Ten minutes in 128 MiB and in 64 MiB, and half an hour as a web instance",
        rounds: 1,
        when: When::Named,
        measure: long_drills,
    },
];

impl Part {
    /// Whether it is measured without being named.
    pub(super) fn is_due(&self, is_quick: bool) -> bool {
        match self.when {
            When::Always => true,
            When::NotQuick => !is_quick,
            When::Named => false,
        }
    }

    /// What measures it alone.
    pub(super) fn command(&self) -> String {
        let peers = if cfg!(feature = "peers") { " --features peers" } else { "" };
        let name = self.name;
        format!("cargo run --release -p bursar-benches{peers} --bin report -- --only {name}")
    }
}

/// Times `bursar status` too, where the program can be had.
fn measure_service(options: &Options, _: &Path) -> Result<Findings, Box<dyn Error>> {
    let mut options = options.clone();
    if options.bursar.is_none() && !options.quick {
        options.bursar = bursar_program()?;
    }
    service::measure(&options)
}

fn drill_and_best_fixed(options: &Options, output: &Path) -> Result<Findings, Box<dyn Error>> {
    let chart = chart_in(output, "drill.svg")?;
    if options.quick {
        drill([&["--short", "--chart", &chart]])?;
        return Ok(Findings::default());
    }
    let rounds = options.rounds.to_string();
    let best_fixed = ["--best-fixed", "--profile", "dense", "--repeat", &rounds];
    drill([
        &["--chart", &chart],
        &best_fixed,
        &[best_fixed.as_slice(), &["--limit", "64MiB"]].concat(),
    ])?;
    Ok(Findings::default())
}

fn long_drills(options: &Options, output: &Path) -> Result<Findings, Box<dyn Error>> {
    let in_128 = chart_in(output, "drill-128.svg")?;
    let in_64 = chart_in(output, "drill-64.svg")?;
    let web = chart_in(output, "web.svg")?;
    let (seconds, requests) = if options.quick { ("5", "50000") } else { ("600", "14000000") };
    let lasting = ["--seconds", seconds, "--requests", requests, "--profile", "dense"];
    let in_128 = [lasting.as_slice(), &["--limit", "128MiB", "--chart", &in_128]].concat();
    let in_64 = [lasting.as_slice(), &["--limit", "64MiB", "--chart", &in_64]].concat();
    let mut web = vec!["--web", "--chart", &web];
    web.extend(options.quick.then_some("--short"));
    drill([&in_128, &in_64, &web])?;
    Ok(Findings::default())
}

/// Where a drill is to draw. The directory is made if need be.
fn chart_in(output: &Path, name: &str) -> Result<String, Box<dyn Error>> {
    std::fs::create_dir_all(output).map_err(|error| format!("{}: {error}", output.display()))?;
    Ok(output.join(name).display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parts_have_one_name_and_each_has_rounds() {
        for (index, part) in PARTS.iter().enumerate() {
            assert!(PARTS[..index].iter().all(|other| other.name != part.name), "{}", part.name);
            assert!(part.rounds > 0, "{}", part.name);
            assert!(part.command().ends_with(part.name));
        }
    }

    #[test]
    fn what_takes_an_hour_is_to_be_named_and_the_drill_is_no_part_of_a_quick_look() {
        let due = |is_quick| {
            let due = PARTS.iter().filter(move |part| part.is_due(is_quick));
            due.map(|part| part.name).collect::<Vec<_>>()
        };
        assert!(due(false).contains(&"drill") && !due(true).contains(&"drill"));
        assert!(!due(false).contains(&"drill_long"));
        assert!(due(true).contains(&"overhead"));
    }
}
