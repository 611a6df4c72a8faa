//! The soak: the drill's service under Bursar for two hours, while everything
//! about it changes.
//!
//! ```text
//! cargo run --release -p bursar-examples --example soak
//! ```
//!
//! This process is the client, outside the container; the server is the same
//! program, started once more inside it. The load swings, bursts and pauses, the
//! container's limit goes up and down, and inside the server threads, tags and
//! purgeables come and go. What those hold is counted twice: by Bursar and by a
//! model, and the two are compared every minute.
//!
//! Each second's figures are in `soak.csv` and `soak.svg` as it goes, and the exit
//! code says whether all was kept: no kill, no failed request, no difference, no
//! growth of Bursar itself.

#[path = "../drill/answers.rs"]
mod answers;
mod chart;
mod churn;
#[path = "../drill/container.rs"]
mod container;
#[path = "../drill/groups.rs"]
mod groups;
mod judge;
mod limiter;
#[path = "../drill/load.rs"]
mod load;
mod options;
#[path = "../drill/process.rs"]
mod process;
mod processor;
#[path = "../drill/progress.rs"]
mod progress;
#[allow(dead_code, reason = "only the drill sets a quota of processor time, and reads it")]
#[path = "../drill/quota.rs"]
mod quota;
mod row;
mod run;
mod server;
#[path = "../drill/show.rs"]
mod show;
mod traffic;
#[path = "../drill/verdict.rs"]
mod verdict;
mod waves;

use bursar::{AccountingAllocator, Jemalloc};
use clap::Parser;
use options::{Cli, Options, Role};
use std::error::Error;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<Jemalloc> = AccountingAllocator::new(Jemalloc);

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
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The client's side; whether the soak was passed.
fn client(options: &Options) -> Result<bool, Box<dyn Error>> {
    let runtime = tokio::runtime::Runtime::new()?;
    let outcome = runtime.block_on(run::run(options))?;
    println!("{}", outcome.table());
    println!("each second: {}", options.csv.display());
    println!("over time: {} and {}", options.chart.display(), options.dark_chart().display());
    for difference in &outcome.churned.in_words {
        println!("{difference}");
    }
    let verdicts = outcome.verdicts();
    for verdict in &verdicts {
        println!("{verdict}");
    }
    Ok(verdicts.iter().all(|verdict| verdict.passed))
}
