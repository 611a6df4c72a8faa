//! What a configuration's program does: one timed run, one load, or criterion's benchmarks.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use bursar_alloc::Backend;
use criterion::{Criterion, Throughput};

use crate::accounts::Accounts;
use crate::footprint::Load;
use crate::isolation::{hold_and_drop, hold_on_threads};
use crate::scaling::sums;
use crate::workload::{self, WORKLOADS, Workload};

/// The `main` of the program called `program`, over the backend `B`; `accounts` where its allocator
/// has some.
///
/// - `work WORKLOAD COUNT` prints the nanoseconds of so many operations, after a warm-up.
/// - `memory LOAD` prints the bytes that a load asks for and those by which the process grew.
/// - `isolation HOME DROPPING BYTES` prints what is live and resident before a drop and after it.
/// - `threads HOME THREADS TAGS BLOCKS` prints by how much the process grew for them.
/// - `churn THREADS COUNT` prints the nanoseconds of so many operations on each thread.
/// - `sums THREADS` prints how many sums were looked at, and how many were wrong.
/// - `snapshot WHAT TAGS SLOTS COUNT` prints the nanoseconds of so many readings.
/// - Anything else is criterion's.
pub fn run<B: Backend>(program: &str, accounts: Option<&'static dyn Accounts>) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match answer::<B>(&arguments, accounts) {
        None => {
            benchmark(program, accounts);
            ExitCode::SUCCESS
        }
        Some(Ok(answer)) => {
            println!("{answer}");
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            eprintln!("{program}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What is printed; `None` if criterion is to be asked.
fn answer<B: Backend>(
    arguments: &[&str],
    accounts: Option<&'static dyn Accounts>,
) -> Option<Result<String, Box<dyn Error>>> {
    let answer = match *arguments {
        ["work", workload, count] => work(workload, count, accounts),
        ["memory", load] => hold(load),
        ["isolation", home, dropping, bytes] => number(bytes)
            .and_then(|bytes| hold_and_drop::<B>(home, dropping, bytes, accounts))
            .map(|left| left.to_string()),
        ["threads", home, threads, tags, blocks] => {
            on_threads(home, [threads, tags, blocks], accounts)
        }
        ["churn", threads, count] => churn(threads, count),
        ["sums", threads] => sums(threads, accounts),
        ["snapshot", what, tags, slots, count] => snapshot(what, [tags, slots], count, accounts),
        _ => return None,
    };
    Some(answer)
}

/// A count of one or more.
fn number<N: FromStr<Err: fmt::Display> + PartialOrd + From<u8>>(
    text: &str,
) -> Result<N, Box<dyn Error>> {
    let number: N = text.parse().map_err(|error| format!("{text:?}: {error}"))?;
    if number < N::from(1) {
        return Err(format!("{text:?} is to be one or more").into());
    }
    Ok(number)
}

fn on_threads(
    home: &str,
    counts: [&str; 3],
    accounts: Option<&'static dyn Accounts>,
) -> Result<String, Box<dyn Error>> {
    let [threads, tags, blocks] = counts.map(number);
    Ok(hold_on_threads(home, threads?, tags?, blocks?, accounts)?.to_string())
}

fn churn(threads: &str, count: &str) -> Result<String, Box<dyn Error>> {
    Ok(workload::churn_on_threads(number(threads)?, number(count)?).as_nanos().to_string())
}

fn sums(threads: &str, accounts: Option<&'static dyn Accounts>) -> Result<String, Box<dyn Error>> {
    let accounts = accounts.ok_or("sums takes accounts")?;
    Ok(sums::check(number(threads)?, accounts)?.to_string())
}

fn snapshot(
    what: &str,
    extent: [&str; 2],
    count: &str,
    accounts: Option<&'static dyn Accounts>,
) -> Result<String, Box<dyn Error>> {
    let accounts = accounts.ok_or("snapshot takes accounts")?;
    let [tags, slots] = extent.map(number);
    let mut run = workload::reading(what, accounts, tags?, slots?)
        .ok_or_else(|| format!("there is no snapshot of {what:?}"))?;
    run(1);
    Ok(run(number(count)?).as_nanos().to_string())
}

fn work(
    workload: &str,
    count: &str,
    accounts: Option<&'static dyn Accounts>,
) -> Result<String, Box<dyn Error>> {
    let workload =
        Workload::find(workload).ok_or_else(|| format!("there is no workload {workload:?}"))?;
    let count = number(count)?;
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
