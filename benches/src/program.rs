//! What a configuration's program does: one timed run, one load, or criterion's benchmarks.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use criterion::{Criterion, Throughput};

use crate::accounts::Accounts;
use crate::footprint::Load;
use crate::workload::{WORKLOADS, Workload};

/// The `main` of the program called `program`; `accounts` where its allocator has some.
///
/// - `work WORKLOAD COUNT` prints the nanoseconds of so many operations, after a warm-up.
/// - `memory LOAD` prints the bytes that a load asks for and those by which the process grew.
/// - Anything else is criterion's.
pub fn run(program: &str, accounts: Option<&'static dyn Accounts>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = match arguments[..] {
        ["work", workload, count] => work(workload, count, accounts),
        ["memory", load] => hold(load),
        _ => {
            benchmark(program, accounts);
            return ExitCode::SUCCESS;
        }
    };
    match answer {
        Ok(answer) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn work(
    workload: &str,
    count: &str,
    accounts: Option<&'static dyn Accounts>,
) -> Result<String, Box<dyn Error>> {
    let workload =
        Workload::find(workload).ok_or_else(|| format!("there is no workload {workload:?}"))?;
    let count: u64 = count.parse().map_err(|error| format!("{count:?} operations: {error}"))?;
    let mut run =
        workload.set_up(accounts).ok_or_else(|| format!("{} takes accounts", workload.name))?;
    run(workload.warm_up);
    Ok(run(count).as_nanos().to_string())
}

fn hold(load: &str) -> Result<String, Box<dyn Error>> {
    let load = Load::find(load).ok_or_else(|| format!("there is no load {load:?}"))?;
    Ok(load.hold()?.to_string())
}

/// Times every workload that the program can run, and files the figures under its name.
fn benchmark(program: &str, accounts: Option<&'static dyn Accounts>) {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group(program);
    group.warm_up_time(Duration::from_secs(1));
    group.measurement_time(Duration::from_secs(3));
    // Few enough for the workloads of which an operation is a tenth of a second.
    group.sample_size(20);
    group.throughput(Throughput::Elements(1));
    for workload in &WORKLOADS {
        if workload.takes_accounts() && accounts.is_none() {
            continue;
        }
        // Set up in there: not at all where a filter leaves the workload out.
        group.bench_function(workload.name, |bencher| {
            let mut run = workload.set_up(accounts).expect("there are accounts if it takes some");
            bencher.iter_custom(&mut run);
        });
    }
    group.finish();
    criterion.final_summary();
}
