//! The drill: one HTTP service, twice under the same load in a memory-limited
//! container. On the bare allocator the kernel kills it; under Bursar it lives.
//!
//! ```text
//! cargo run --release --example drill
//! ```
//!
//! This process is the client, outside the container; the server is the same
//! program, started once more inside it. Every answer is checked.

mod answers;
mod chart;
mod container;
mod load;
mod options;
mod progress;
mod report;
mod run;
mod sample;
mod server;
mod switch;

use answers::Answers;
use bytesize::ByteSize;
use chart::Chart;
use clap::Parser;
use options::{Cli, Options, Role};
use report::Both;
use run::{Heap, Plan};
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
        Some(Role::Join { directories, then }) => server::join(directories, then).map(|()| true),
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
    let bare = run::run(&plan, Heap::Bare).await?;
    let bursar = run::run(&plan, Heap::Bursar).await?;
    let must_kill = plan.contained && plan.entries.is_none();
    let both = Both { bare, bursar, must_kill };
    println!("{}", both.table());
    if let Some(swap) = both.bursar.swap {
        println!("swap: {swap}");
    }
    let chart = Chart {
        bare: &both.bare,
        bursar: &both.bursar,
        limit: plan.limit,
        budget: plan.budget,
        contained: plan.contained,
    };
    chart.write(&options.chart)?;
    println!("memory over time: {}", options.chart.display());
    let complaints = both.complaints();
    for complaint in &complaints {
        println!("FAILED: {complaint}");
    }
    Ok(complaints.is_empty())
}

/// Below this there is no room for a service of any kind.
const LEAST_LIMIT: u64 = 16 << 20;

/// Finds out what can be done here, and makes what both runs need.
async fn prepare(options: &Options) -> Result<Plan, Box<dyn Error>> {
    let limit = options.limit_bytes();
    if limit < LEAST_LIMIT {
        let least = ByteSize(LEAST_LIMIT).display().iec();
        return Err(format!("a limit below {least} leaves no room for a server").into());
    }
    let contained = if options.no_container {
        Err("--no-container was given".to_owned())
    } else {
        run::try_container(limit).await
    };
    let shown = ByteSize(limit).display().iec().to_string();
    match &contained {
        Ok(()) => println!("The server runs in a container with a memory limit of {shown}."),
        Err(reason) => println!(
            "No container: {reason}.\nThe drill itself watches the server's resident memory \
             and stops it above {shown}."
        ),
    }
    let pictures = options.pictures();
    let answers = tokio::task::spawn_blocking(move || Answers::compute(pictures)).await?;
    println!(
        "All answers together: {}, from {pictures} pictures; {} requests over {} connections.",
        ByteSize(answers.bytes()).display().iec(),
        options.requests(),
        options.connections,
    );
    Ok(Plan {
        limit,
        budget: options.budget_bytes(),
        contained: contained.is_ok(),
        entries: options.entries,
        longest: options.longest_run(),
        connections: options.connections,
        sequence: load::sequence(options.seed, options.requests(), pictures)?.into(),
        answers: Arc::new(answers),
    })
}
