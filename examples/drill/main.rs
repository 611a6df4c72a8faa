//! The drill: one HTTP service, twice under the same load in a memory-limited
//! container. On the bare allocator the kernel kills it; under Bursar it lives.
//!
//! ```text
//! cargo run --release --example drill
//! ```
//!
//! This process is the client, outside the container; the server is the same
//! program, started once more inside it. Every answer is checked.
//!
//! `--best-fixed` shows Bursar beside the best fixed size of the caches, found
//! by trying; `--web` runs it as a web instance for half an hour.

mod answers;
mod best_fixed;
mod board;
mod chart;
mod container;
mod groups;
mod load;
mod options;
mod process;
mod progress;
mod quota;
mod report;
mod run;
mod sample;
mod search;
mod server;
mod show;
mod switch;
mod verdict;
mod web;

use answers::Answers;
use chart::Chart;
use clap::Parser;
use container::Limits;
use options::{Cli, Mode, Options, Role};
use report::Runs;
use run::{Plan, Report, Subject};
use show::bytes;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use switch::Switch;

#[global_allocator]
static ALLOCATOR: Switch = Switch::new();

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.role {
        None => client(&cli.options),
        Some(Role::Serve(options)) => server::serve(options).map(|()| true),
        Some(Role::Join { directories, then }) => process::join(directories, then).map(|()| true),
        Some(Role::Nothing) => Ok(true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("drill: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The client's side; whether the drill was passed.
fn client(options: &Options) -> Result<bool, Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        tokio::select! {
            passed = drill(options) => passed,
            // Dropping the drill ends its server and removes its container.
            _ = tokio::signal::ctrl_c() => Err("interrupted".into()),
        }
    })
}

async fn drill(options: &Options) -> Result<bool, Box<dyn Error>> {
    let plan = prepare(options).await?;
    match options.mode() {
        Mode::Drill => bare_and_bursar(&plan, options).await,
        Mode::BestFixed => Ok(best_fixed::drill(&plan, options.repeat.into()).await?),
        Mode::Web => {
            let (report, passed) = web::drill(&plan).await?;
            draw(&plan, options, None, &report)?;
            Ok(passed)
        }
    }
}

/// The plain drill; whether it was passed.
async fn bare_and_bursar(plan: &Plan, options: &Options) -> Result<bool, Box<dyn Error>> {
    let fixed = options.entries.map(|entries| Subject::Fixed { entries });
    let bare = run::run(plan, fixed.unwrap_or(Subject::Bare)).await?;
    let bursar = run::run(plan, Subject::Bursar).await?;
    let unlimited = match options.unlimited {
        true => Some(run::run(plan, Subject::Unlimited).await?),
        false => None,
    };
    let must_kill = plan.contained && fixed.is_none();
    let runs = Runs { bare, bursar, unlimited, must_kill };
    println!("{}", runs.table());
    if let Some(swap) = runs.bursar.swap {
        println!("swap: {swap}");
    }
    draw(plan, options, Some(&runs.bare), &runs.bursar)?;
    Ok(show::complain(&runs.complaints()))
}

fn draw(
    plan: &Plan,
    options: &Options,
    bare: Option<&Report>,
    bursar: &Report,
) -> Result<(), Box<dyn Error>> {
    let (limit, budget, contained) = (plan.limit, plan.budget, plan.contained);
    Chart { bare, bursar, limit, budget, contained }.write(&options.chart)?;
    println!("memory over time: {}", options.chart.display());
    Ok(())
}

/// Below this there is no room for a service of any kind.
const LEAST_LIMIT: u64 = 16 << 20;

/// Finds out what can be done here, and makes what all runs need.
async fn prepare(options: &Options) -> Result<Plan, Box<dyn Error>> {
    let limit = options.limit_bytes();
    if limit < LEAST_LIMIT {
        return Err(
            format!("a limit below {} leaves no room for a server", bytes(LEAST_LIMIT)).into()
        );
    }
    let contained = can_contain(options, limit).await;
    let cores = if contained { quota(options, limit).await } else { None };
    let pictures = options.pictures();
    let answers = tokio::task::spawn_blocking(move || Answers::compute(pictures)).await?;
    println!(
        "All answers together: {}, from {pictures} pictures; {} requests over {} connections.",
        bytes(answers.bytes()),
        options.requests(),
        options.connections,
    );
    Ok(Plan {
        limit,
        budget: options.budget_bytes(),
        profile: options.profile.clone(),
        cores,
        contained,
        longest: options.longest_run(),
        connections: options.connections,
        rate: options.rate(),
        sequence: load::sequence(options.seed, options.requests(), pictures)?.into(),
        answers: Arc::new(answers),
    })
}

/// Whether the server can be in a container; says so.
async fn can_contain(options: &Options, limit: u64) -> bool {
    let contained = if options.no_container {
        Err("--no-container was given".to_owned())
    } else {
        process::try_container(Limits { memory: Some(limit), cores: None }).await
    };
    let limit = bytes(limit);
    match &contained {
        Ok(()) => println!("The server runs in a container with a memory limit of {limit}."),
        Err(reason) => println!(
            "No container: {reason}.\nThe drill itself watches the server's resident memory \
             and stops it above {limit}."
        ),
    }
    contained.is_ok()
}

/// The quota of processor time that is wanted, if it can be had; says so.
async fn quota(options: &Options, limit: u64) -> Option<f64> {
    let cores = options.cores()?;
    let limits = Limits { memory: Some(limit), cores: Some(cores) };
    match process::try_container(limits).await {
        Ok(()) => {
            println!("Its quota of processor time: {cores} cores.");
            Some(cores)
        }
        Err(reason) => {
            println!("No quota of processor time: {reason}.");
            None
        }
    }
}
